"""The replay teacher: what the store holds, and nothing else; no key, no network."""

from collections.abc import Iterable, Iterator

from agent_tuning.chat_model.answer_store import AnswerStore
from agent_tuning.chat_model.budget import Price
from agent_tuning.chat_model.messages import Ask, ChatModel, ChatRequest, Reply
from agent_tuning.chat_model.usage import Usage
from agent_tuning.records import BadInput
from agent_tuning.synthesis.teachers import GroupRequest, WrittenGroup
from agent_tuning.synthesis.teachers.author import Author


class MissingAnswer(Exception):
    """The store has no answer to this question."""

    def __init__(self, sent: ChatRequest) -> None:
        super().__init__(f"`{sent.name}` (key {sent.key})")
        self.sent = sent


class ReplayTeacher:
    def __init__(self, author: Author, model: ChatModel, store: AnswerStore, price: Price) -> None:
        self.author = author
        self.model = model
        self.store = store
        self.price = price
        self.usage = Usage()

    def write(self, requests: Iterable[GroupRequest]) -> Iterator[WrittenGroup]:
        for request in requests:
            try:
                yield self.author.group(request, self._final)
            except MissingAnswer as missing:
                raise BadInput(
                    f"{self.store.path}: no answer to {missing}, group {request.id}; "
                    "synthesize.teacher = openai asks for it"
                ) from missing

    def estimate(self, requests: Iterable[GroupRequest]) -> Usage:  # noqa: ARG002
        return Usage()  # nothing is asked

    def stored(self, ask: Ask) -> Reply:
        """Raises Missing."""
        sent = self.model.sent(ask)
        reply = self.store.get(sent.key)
        if reply is None:
            raise MissingAnswer(sent)
        return reply

    def _final(self, ask: Ask) -> Reply:
        return self.count(self.stored(ask))

    def count(self, reply: Reply) -> Reply:
        self.usage += self.price.paid(reply)
        return reply
