"""How many requests and tokens a chat model took, and what they cost."""

from agent_tuning.records import Record


class Usage(Record, frozen=True):
    """What was asked of a chat model, and what it cost in USD."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0

    def describe_estimate(self) -> str:
        """An estimate in words, before anything is asked."""
        return (
            f"{self.requests} requests, about {self.prompt_tokens} prompt tokens, "
            f"at most {self.completion_tokens} completion tokens and {self.usd:.4f} USD"
        )

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.requests + other.requests,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.usd + other.usd,
        )
