"""A teacher writes trajectories: it turns requests for groups into groups, in the same order."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from agent_tuning.chat_model.usage import Usage
from agent_tuning.records import Group, Language, Record


class TrajectoryRequest(Record, frozen=True):
    """One positive to write: number `index` in its cell of the coverage matrix."""

    tool: str
    scenario: str
    complexity: str
    index: int


class GroupRequest(Record, frozen=True):
    """One group of positives to write. Groups with the same `prompt` id share a prompt."""

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


class Teacher(Protocol):
    """`usage` counts all answers that groups were written from, also those paid for earlier."""

    @property
    def usage(self) -> Usage: ...

    def write(self, requests: Iterable[GroupRequest], /) -> Iterator[WrittenGroup]:
        """The groups, in the order of their requests."""

    def estimate(self, requests: Iterable[GroupRequest], /) -> Usage:
        """What `write` would still ask and cost at most. Nothing is asked for the estimate."""
