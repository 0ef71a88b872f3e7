"""A chat model as a function of its messages: one request at a time, each paid for once."""

import asyncio
from types import TracebackType

from agent_tuning.chat_model.answer_store import AnswerStore
from agent_tuning.chat_model.budget import Budget, Price
from agent_tuning.chat_model.client import Client, RetriesExhausted
from agent_tuning.chat_model.messages import Ask, ChatModel, ChatRequest, Message, Reply, Service
from agent_tuning.chat_model.usage import Usage
from agent_tuning.records import Unfinished


class SingleChat:
    """Use it as `with SingleChat(...) as model:`. The store is open for writing in the block.

    The budget counts all replies of this model in the store.
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
        self.budget = Budget(limit, price.total_usage(model.name, store))
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
        """The reply's text, even if it is cut off. Raises Unfinished or BadInput."""
        typed = tuple(Message(**message) for message in messages)  # type: ignore[arg-type]
        request = self.model.build_request(Ask("complete", typed, {}))
        reply = self.store.get(request.key) or self._runner.run(self._ask(request))
        return reply.content

    async def _ask(self, request: ChatRequest) -> Reply:
        max_usd = self.price.max_usage(request).usd
        self.budget.reserve(max_usd)
        paid = Usage()
        try:
            reply = await self.client.ask(request)
            paid = self.price.usage_of(reply)
            await self.store.put(reply)
        except RetriesExhausted as error:
            raise Unfinished(
                f"{error}; all replies are kept: run the same command to resume"
            ) from error
        finally:
            self.budget.settle(max_usd, paid)
        return reply
