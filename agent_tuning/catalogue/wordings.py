"""The scripted teacher's wording outside the catalogue: the file data/phrasing.yaml."""

from agent_tuning.catalogue.entry_records import LocalizedText, LocalizedTexts
from agent_tuning.records import Record


class ExchangeWording(Record, frozen=True):
    """A query that needs no call, and the fitting decision."""

    query: LocalizedText
    thought: LocalizedText
    reply: LocalizedText


class RemovedToolWording(Record, frozen=True):
    thought: LocalizedText
    reply: LocalizedText


class ThoughtWording(Record, frozen=True):
    thought: LocalizedText


class Phrasing(Record, frozen=True):
    openers: LocalizedTexts
    closers: LocalizedTexts
    finish: LocalizedText
    not_requested: tuple[ExchangeWording, ...]
    already_answered: tuple[ExchangeWording, ...]
    tool_unavailable: RemovedToolWording
    on_topic_chat: ThoughtWording
    off_topic: ThoughtWording
    prefaces: LocalizedTexts = LocalizedTexts()
