"""Money: reserved before a request leaves, settled by the usage that comes back."""

from collections.abc import Iterable, Mapping

from agent_tuning.chat_model.messages import ChatRequest, Reply
from agent_tuning.chat_model.usage import Usage
from agent_tuning.records import BadInput, Record, Unfinished


class Price(Record, frozen=True):
    """USD for a million tokens; `batch` is the share of it that the Batch API takes (0-1)."""

    input: float
    output: float
    batch: float = 1.0

    def of(self, prompt_tokens: int, completion_tokens: int, batch: bool = False) -> float:
        usd = prompt_tokens * self.input + completion_tokens * self.output
        return usd / 1e6 * (self.batch if batch else 1)

    def paid(self, reply: Reply) -> Usage:
        """What one answer took."""
        tokens = reply.prompt_tokens, reply.completion_tokens
        return Usage(1, *tokens, self.of(*tokens, reply.batch))

    def spent(self, model: str, replies: Iterable[Reply]) -> Usage:
        """What the answers of one model took, whatever they were for."""
        return sum((self.paid(reply) for reply in replies if reply.model == model), Usage())

    def bound(self, sent: ChatRequest, batch: bool = False) -> Usage:
        """What one answer takes at most."""
        tokens = sent.prompt_tokens, sent.model.max_tokens
        return Usage(1, *tokens, self.of(*tokens, batch))


def price_of(model: str, prices: Mapping[str, Price], limit: float | None) -> Price:
    """A model of no known price counts as free, unless there is a budget to keep."""
    if model not in prices and limit is not None:
        known = ", ".join(prices)
        raise BadInput(
            f"params.yaml: synthesize.prices: no price of {model}, which a budget needs; "
            f"there are {known}"
        )
    return prices.get(model, Price(0.0, 0.0))


class Budget:
    """Never more than `limit` USD are spent and reserved; None is no limit.

    `section` of params.yaml sets it, and may ask for more.
    """

    def __init__(self, limit: float | None, spent: Usage, section: str = "synthesize") -> None:
        self.limit = limit
        self.spent = spent
        self.section = section
        self.reserved = 0.0

    def reserve(self, usd: float) -> None:
        """Raises Unfinished if the money does not reach."""
        if self.limit is not None and self.spent.usd + self.reserved + usd > self.limit:
            raise Unfinished(
                f"{self.section}.budget = {self.limit} USD does not reach: "
                f"{self.spent.usd:.4f} spent, {self.reserved:.4f} reserved, "
                f"the next request up to {usd:.4f}; "
                "every answer is kept, and a larger budget goes on from here"
            )
        self.reserved += usd

    def settle(self, reserved: float, paid: Usage) -> None:
        self.reserved -= reserved
        self.spent += paid

    def __str__(self) -> str:
        tokens = self.spent.prompt_tokens + self.spent.completion_tokens
        return f"{self.spent.requests} answers, {tokens} tokens, {self.spent.usd:.4f} USD"
