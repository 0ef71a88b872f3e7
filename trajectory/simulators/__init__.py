"""Deterministic tools: a call in, a really computed observation out.

A simulator is a function named like its tool whose parameters are the tool's arguments; it returns
a dict of plain JSON values. The worlds are seeded by the arguments alone: no clock, no network.
Tools that change something are the methods of a class, which a `World` makes afresh for itself.
"""

from collections.abc import Callable
from typing import ClassVar, Protocol

from trajectory.records import Call, Json
from trajectory.simulators import (
    calendar,
    files,
    finance,
    github,
    home,
    shop,
    text,
    travel,
    units,
    weather,
    wiki,
)

Simulator = Callable[..., dict[str, Json]]


class Stateful(Protocol):
    """Tools that share a state; a call that cannot be done gives `{"error": reason}`."""

    TOOLS: ClassVar[tuple[str, ...]]  # the names of the methods that are tools

    def __init__(self, seed: str) -> None: ...

    def state(self) -> dict[str, Json]:
        """What the calls have made of it so far, as plain JSON."""


STATEFUL: tuple[type[Stateful], ...] = ()

_PURE: dict[str, Simulator] = {
    simulator.__name__: simulator
    for module in (
        calendar,
        files,
        finance,
        github,
        home,
        shop,
        text,
        travel,
        units,
        weather,
        wiki,
    )
    for simulator in module.TOOLS
}
_OWNERS = {name: owner for owner in STATEFUL for name in owner.TOOLS}

SIMULATORS: dict[str, Simulator] = {
    **_PURE,
    **{name: getattr(owner, name) for name, owner in _OWNERS.items()},
}


class World:
    """The tools' results in one exchange: what a call changes, later calls see.

    The seed lays out the start; the catalogue's scenarios are written for the default one.
    """

    def __init__(self, seed: str = "") -> None:
        self.seed = seed
        self._made: dict[type[Stateful], Stateful] = {}

    def observe(self, call: Call) -> dict[str, Json]:
        """The observation of the next call."""
        owner = _OWNERS.get(call.name)
        if owner is None:
            return SIMULATORS[call.name](**call.arguments)
        return SIMULATORS[call.name](self._of(owner), **call.arguments)

    def state(self) -> dict[str, Json]:
        """The state of every stateful simulator: two worlds with equal ones are alike."""
        return {owner.__name__: self._of(owner).state() for owner in STATEFUL}

    def _of(self, owner: type[Stateful]) -> Stateful:
        """Made when it is first needed: most exchanges touch none."""
        if owner not in self._made:
            self._made[owner] = owner(self.seed)
        return self._made[owner]
