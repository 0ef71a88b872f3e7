"""Deterministic tools: a call in, a really computed observation out.

A simulator is a function named like its tool whose parameters are the tool's arguments; it returns
a dict of plain JSON values. The worlds are seeded by the arguments alone: no clock, no network.
Tools that change something are the methods of a class, which a `World` makes afresh for itself.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar, Protocol

from agent_tuning.catalogue.simulators import (
    authored,
    calendar,
    clinic,
    events,
    files,
    finance,
    food,
    geometry,
    github,
    graph,
    home,
    messaging,
    news,
    numbers,
    search,
    shop,
    text,
    travel,
    units,
    weather,
    wiki,
)
from agent_tuning.catalogue.simulators.browser import Browser
from agent_tuning.catalogue.simulators.cart import Cart
from agent_tuning.catalogue.simulators.database import Database
from agent_tuning.catalogue.simulators.household import Household
from agent_tuning.catalogue.simulators.operating_system import OperatingSystem
from agent_tuning.catalogue.simulators.world import Refused
from agent_tuning.records import Call, Json

Simulator = Callable[..., dict[str, Json]]


class Stateful(Protocol):
    """Tools that share a state. A call that cannot be done as things stand is `Refused`."""

    TOOLS: ClassVar[tuple[str, ...]]  # the names of the methods that are tools

    def __init__(self, seed: str) -> None: ...

    def state(self) -> dict[str, Json]:
        """What the calls have made of it so far, as plain JSON."""


STATEFUL: tuple[type[Stateful], ...] = (
    Browser,
    Cart,
    Database,
    Household,
    OperatingSystem,
)

_PURE: dict[str, Simulator] = {
    simulator.__name__: simulator
    for module in (
        calendar,
        clinic,
        events,
        files,
        finance,
        food,
        geometry,
        github,
        graph,
        home,
        messaging,
        numbers,
        news,
        search,
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
    `written` are the observations of tools that have them instead of a simulator.
    """

    def __init__(
        self, seed: str = "", written: Mapping[str, authored.Observations] | None = None
    ) -> None:
        self.seed = seed
        self.written = written or {}
        self._made: dict[type[Stateful], Stateful] = {}

    def observe(self, call: Call) -> dict[str, Json]:
        """The observation of the next call; of a refused one `{"error": reason}`.

        The call must fit its tool's schema.
        """
        if call.name in self.written:
            return authored.observe(call, self.written[call.name])
        owner = _OWNERS.get(call.name)
        state = () if owner is None else (self._of(owner),)
        try:
            return SIMULATORS[call.name](*state, **call.arguments)
        except Refused as reason:
            return {"error": str(reason)}

    def state(self) -> dict[str, Json]:
        """The state of every stateful simulator: two worlds with equal ones are alike."""
        return {owner.__name__: self._of(owner).state() for owner in STATEFUL}

    def _of(self, owner: type[Stateful]) -> Stateful:
        """Made when it is first needed: most exchanges touch none."""
        if owner not in self._made:
            self._made[owner] = owner(self.seed)
        return self._made[owner]
