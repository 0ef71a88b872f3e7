"""Who writes trajectories: a teacher takes a request for a group and returns the group."""

from typing import Protocol

from trajectory.records import Group, Language, Record


class Item(Record, frozen=True):
    """One positive trajectory to write: the `index`-th of its cell of the coverage matrix."""

    tool: str
    scenario: str
    complexity: str
    index: int


class Request(Record, frozen=True):
    """One group to write: positives that share a menu of tools."""

    id: str
    language: Language
    menu: tuple[str, ...]
    items: tuple[Item, ...]


class Teacher(Protocol):
    def group(self, request: Request) -> Group:
        """Write the trajectories of a request."""
