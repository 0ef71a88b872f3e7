"""A chat model as a function of its messages: one question at a time, each paid for once."""

import asyncio
from types import TracebackType

from agent_tuning.chat_model.answer_store import AnswerStore
from agent_tuning.chat_model.budget import Budget, Price
from agent_tuning.chat_model.client import Client, RetriesExhausted
from agent_tuning.chat_model.messages import Ask, ChatModel, ChatRequest, Message, Reply, Service
from agent_tuning.chat_model.usage import Usage
from agent_tuning.records import Unfinished


class SingleChat:
    """`with SingleChat(...) as model`: the store is open for writing as long as the block lasts.

    The budget counts what the store's answers of this model took, whatever they were for.
    """

    def __init__(
        self,
        model: ChatModel,
        service: Service,
        price: Price,
        limit: float | None,
        store: AnswerStore,
    ) -> None:
        self.model = model
        self.price = price
        self.store = store
        self.client = Client(service)
        self.budget = Budget(limit, price.spent(model.name, store))
        self._runner = asyncio.Runner()  # one loop: the client's connections belong to it

    def __enter__(self) -> "SingleChat":
        self.store.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._runner.run(self.client.api.close())
        self._runner.close()
        self.store.close()

    def complete(self, messages: list[dict[str, str]]) -> str:
        """The text as far as it goes; raises Unfinished, and BadInput as the client does."""
        typed = tuple(Message(**message) for message in messages)  # type: ignore[arg-type]
        sent = self.model.sent(Ask("complete", typed, {}))
        reply = self.store.get(sent.key) or self._runner.run(self._asked(sent))
        return reply.content

    async def _asked(self, sent: ChatRequest) -> Reply:
        bound = self.price.bound(sent).usd
        self.budget.reserve(bound)
        paid = Usage()
        try:
            reply = await self.client.ask(sent)
            paid = self.price.paid(reply)
            await self.store.put(reply)
        except RetriesExhausted as error:
            raise Unfinished(f"{error}; every answer is kept, the same command goes on") from error
        finally:
            self.budget.settle(bound, paid)
        return reply
