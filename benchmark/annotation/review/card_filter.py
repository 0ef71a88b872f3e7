"""Which tasks of the queue a person wants to see: words, kind, language and status."""

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

from agent_tuning.records import Record, User
from benchmark.annotation.review.queue import Card, Status

Choice = Literal["todo", "mine", "waiting", "conflict", "flagged", "ready", "rejected"]
CHOICES: tuple[Choice, ...] = get_args(Choice)


class CardFilter(Record, frozen=True):
    """An empty field lets everything through."""

    words: str = ""
    kind: str = ""
    language: str = ""
    show: str = ""  # a Choice

    @classmethod
    def read(cls, fields: Mapping[str, str]) -> "CardFilter":
        """The filter of a page's address. What is no field of a filter is passed over."""
        return cls(**{name: fields.get(name, "").strip() for name in cls.__struct_fields__})

    @property
    def fields(self) -> dict[str, str]:
        """The fields that are set, for the addresses of pages under the same filter."""
        values = {name: str(getattr(self, name)) for name in self.__struct_fields__}
        return {name: value for name, value in values.items() if value}

    def narrow(self, cards: Iterable[Card]) -> list[Card]:
        """The cards that match every field."""
        return [card for card in self.narrow_subject(cards) if self._matches_status(card)]

    def narrow_subject(self, cards: Iterable[Card]) -> list[Card]:
        """The cards that match whatever became of them: where to go on after a verdict."""
        return [card for card in cards if self._matches_subject(card)]

    def _matches_subject(self, card: Card) -> bool:
        if self.kind not in ("", card.task.kind) or self.language not in ("", card.language):
            return False
        task = card.outcome.task or card.task
        said = [turn.text for turn in task.turns if isinstance(turn, User)]
        called = [call.name for gold in task.golds for call in gold.calls]
        text = "\n".join((task.id, *said, *called)).casefold()
        return all(word in text for word in self.words.casefold().split())

    def _matches_status(self, card: Card) -> bool:
        if self.show == "mine":
            return card.mine is not None
        if self.show == "flagged":
            return bool(card.flags)
        statuses: tuple[str, ...] = get_args(Status)
        return self.show not in statuses or card.status == self.show
