"""Who writes trajectories: a teacher turns requests for groups into groups, in their order."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from agent_tuning.chat_model.usage import Usage
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


class Teacher(Protocol):
    """`usage` grows with what is written, also with answers that were paid for earlier."""

    @property
    def usage(self) -> Usage: ...

    def write(self, requests: Iterable[GroupRequest], /) -> Iterator[WrittenGroup]:
        """The groups, in the order of their requests."""

    def estimate(self, requests: Iterable[GroupRequest], /) -> Usage:
        """What `write` would still ask for and cost at most; asks nothing."""
