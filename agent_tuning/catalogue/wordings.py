"""The scripted teacher's wording outside the catalogue: the file data/phrasing.yaml."""

from collections.abc import Iterator
from typing import Annotated, get_args

import msgspec

from agent_tuning.catalogue.entry_records import LocalizedText, LocalizedTexts
from agent_tuning.records import Language, Record


class ExchangeWording(Record, frozen=True):
    """A query that needs no call, and the fitting decision."""

    query: LocalizedText
    thought: LocalizedText
    reply: LocalizedText


# The last one is held out of training.
ExchangeWordings = Annotated[tuple[ExchangeWording, ...], msgspec.Meta(min_length=2)]


class RemovedToolWording(Record, frozen=True):
    thought: LocalizedText
    reply: LocalizedText


class ThoughtWording(Record, frozen=True):
    thought: LocalizedText


class Phrasing(Record, frozen=True):
    openers: LocalizedTexts
    closers: LocalizedTexts
    finish: LocalizedText
    not_requested: ExchangeWordings
    already_answered: ExchangeWordings
    tool_unavailable: RemovedToolWording
    on_topic_chat: ThoughtWording
    off_topic: ThoughtWording
    prefaces: LocalizedTexts = LocalizedTexts()

    def __post_init__(self) -> None:
        """Refuse a language that a wording lacks: its sentences would be empty.

        `prefaces` may be left out.
        """
        for field, text in _list_texts(self, "phrasing"):
            for language in get_args(Language):
                if text != LocalizedTexts() and not getattr(text, language):
                    raise ValueError(f"{field}: no text in the language {language}")


def _list_texts(value: object, field: str) -> Iterator[tuple[str, LocalizedText | LocalizedTexts]]:
    """Every text of a record with its field, such as phrasing.not_requested.0.query."""
    if isinstance(value, LocalizedText | LocalizedTexts):
        yield field, value
    elif isinstance(value, Record):
        for name in value.__struct_fields__:
            yield from _list_texts(getattr(value, name), f"{field}.{name}")
    elif isinstance(value, tuple):
        for index, part in enumerate(value):
            yield from _list_texts(part, f"{field}.{index}")
