"""The replay teacher: it writes from stored answers only, without a key and without a network."""

from collections.abc import Iterable, Iterator
from functools import partial

from agent_tuning.chat_model.answer_store import AnswerStore
from agent_tuning.chat_model.budget import Price
from agent_tuning.chat_model.messages import Ask, ChatModel, Reply
from agent_tuning.chat_model.usage import Usage
from agent_tuning.records import BadInput
from agent_tuning.synthesis.teachers import GroupRequest, WrittenGroup
from agent_tuning.synthesis.teachers.author import Author


class ReplayTeacher:
    def __init__(self, author: Author, model: ChatModel, store: AnswerStore, price: Price) -> None:
        self.author = author
        self.model = model
        self.store = store
        self.price = price
        self.usage = Usage()

    def write(self, requests: Iterable[GroupRequest]) -> Iterator[WrittenGroup]:
        for request in requests:
            yield self.author.write_group(request, partial(self._read_answer, request.id))

    def estimate(self, requests: Iterable[GroupRequest]) -> Usage:  # noqa: ARG002
        return Usage()  # nothing is asked

    def find_answer(self, ask: Ask) -> Reply | None:
        """The stored answer to a question; None if there is none."""
        return self.store.get(self.model.build_request(ask).key)

    def count(self, reply: Reply) -> Reply:
        """The reply, after its tokens and cost are added to `usage`."""
        self.usage += self.price.usage_of(reply)
        return reply

    def _read_answer(self, group: str, ask: Ask) -> Reply:
        reply = self.find_answer(ask)
        if reply is None:
            key = self.model.build_request(ask).key
            raise BadInput(
                f"{self.store.path}: no stored reply to `{ask.name}` (key {key}), group {group}; "
                "set synthesize.teacher to openai to request it"
            )
        return self.count(reply)
