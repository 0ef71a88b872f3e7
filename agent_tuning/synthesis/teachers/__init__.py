"""Who writes trajectories: a teacher turns requests for groups into groups, in their order."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from agent_tuning.records import Group, Language, Record


class TrajectoryRequest(Record, frozen=True):
    """One positive trajectory to write: the `index`-th of its cell of the coverage matrix."""

    tool: str
    scenario: str
    complexity: str
    index: int


class GroupRequest(Record, frozen=True):
    """One group to write: positives under one prompt, which groups of one `prompt` id share."""

    id: str
    prompt: str
    language: Language
    tools: tuple[str, ...]
    items: tuple[TrajectoryRequest, ...]


class Failure(Record, frozen=True):
    """A trajectory that a teacher could not write, and why."""

    id: str
    group: str
    reason: str
    detail: str


class WrittenGroup(Record, frozen=True):
    """A group without the trajectories that failed."""

    group: Group
    failures: tuple[Failure, ...] = ()


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


class Teacher(Protocol):
    """`usage` grows with what is written, also with answers that were paid for earlier."""

    @property
    def usage(self) -> Usage: ...

    def write(self, requests: Iterable[GroupRequest], /) -> Iterator[WrittenGroup]:
        """The groups, in the order of their requests."""

    def estimate(self, requests: Iterable[GroupRequest], /) -> Usage:
        """What `write` would still ask for and cost at most; asks nothing."""
