"""The scripted teacher's wording outside the catalogue: data/phrasing.yaml is one Phrasing."""

from agent_tuning.catalogue.entries import Text, Texts
from agent_tuning.records import Record


class Exchange(Record, frozen=True):
    """A query that needs no call, and the fitting decision."""

    query: Text
    thought: Text
    reply: Text


class Removed(Record, frozen=True):
    thought: Text
    reply: Text


class Thought(Record, frozen=True):
    thought: Text


class Phrasing(Record, frozen=True):
    openers: Texts
    closers: Texts
    finish: Text
    negated: tuple[Exchange, ...]
    answered: tuple[Exchange, ...]
    removed: Removed
    topic: Thought
    general: Thought
