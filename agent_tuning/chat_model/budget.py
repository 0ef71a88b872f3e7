"""A budget in USD: reserve before each request, settle with the usage in its reply."""

from collections.abc import Iterable, Mapping

from agent_tuning.chat_model.messages import ChatRequest, Reply
from agent_tuning.chat_model.usage import Usage
from agent_tuning.records import BadInput, Record, Unfinished
from agent_tuning.runtime.ranges import Dollars, Share


class Price(Record, frozen=True):
    """USD for a million tokens; the Batch API costs the share `batch` (0-1) of it."""

    input: Dollars
    output: Dollars
    batch: Share = 1.0

    def cost(self, prompt_tokens: int, completion_tokens: int, batch: bool = False) -> float:
        """USD for so many tokens."""
        usd = prompt_tokens * self.input + completion_tokens * self.output
        return usd / 1e6 * (self.batch if batch else 1)

    def usage_of(self, reply: Reply) -> Usage:
        tokens = reply.prompt_tokens, reply.completion_tokens
        return Usage(1, *tokens, self.cost(*tokens, reply.batch))

    def total_usage(self, model: str, replies: Iterable[Reply]) -> Usage:
        """The usage of all replies of one model."""
        return sum((self.usage_of(reply) for reply in replies if reply.model == model), Usage())

    def max_usage(self, request: ChatRequest, batch: bool = False) -> Usage:
        """The most that the reply to a request can take."""
        tokens = request.prompt_tokens, request.model.max_tokens
        return Usage(1, *tokens, self.cost(*tokens, batch))


def find_price(model: str, prices: Mapping[str, Price], limit: float | None) -> Price:
    """A model without a price is free. Raises BadInput if there is a budget to keep."""
    if model not in prices and limit is not None:
        known = ", ".join(prices)
        raise BadInput(
            f"params.yaml: chat_model.prices: no price of {model}; "
            f"add it, or set the budget to null; available: {known}"
        )
    return prices.get(model, Price(0.0, 0.0))


class Budget:
    """Keeps the sum of what is spent and reserved within `limit` USD; None is no limit.

    `section` is the section of params.yaml that sets the limit.
    """

    def __init__(self, limit: float | None, spent: Usage, section: str = "chat_model") -> None:
        self.limit = limit
        self.spent = spent
        self.section = section
        self.reserved = 0.0

    def reserve(self, usd: float) -> None:
        """Raises Unfinished if the budget is too low."""
        if self.limit is not None and self.spent.usd + self.reserved + usd > self.limit:
            raise Unfinished(
                f"{self.section}.budget = {self.limit} USD is too low: "
                f"{self.spent.usd:.4f} spent, {self.reserved:.4f} reserved, "
                f"the next request up to {usd:.4f}; "
                "all replies are kept: raise the budget and run the same command to resume"
            )
        self.reserved += usd

    def settle(self, reserved: float, paid: Usage) -> None:
        """Replace a reservation by what was paid."""
        self.reserved -= reserved
        self.spent += paid

    def __str__(self) -> str:
        tokens = self.spent.prompt_tokens + self.spent.completion_tokens
        return f"{self.spent.requests} answers, {tokens} tokens, {self.spent.usd:.4f} USD"
