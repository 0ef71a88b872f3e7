"""Deterministic tools: each call gets an observation that is really computed.

A simulator is a function with the name of its tool; its parameters are the tool's arguments, and it
returns a dict of plain JSON values. Only the arguments seed its results: no clock, no network.
Tools that change something are methods of a class; every `World` has its own instance.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Protocol

from agent_tuning.catalogue import schema
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
from agent_tuning.records import Call, Json, Tool

Simulator = Callable[..., dict[str, Json]]


class Stateful(Protocol):
    """Tools that share a state. A call that the state does not allow raises `Refused`."""

    TOOLS: ClassVar[tuple[str, ...]]  # the names of the methods that are tools

    def __init__(self, seed: str) -> None: ...

    def state(self) -> dict[str, Json]:
        """The state after all calls so far, as plain JSON."""


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
    """Answers the tool calls of one conversation: what a call changes, later calls see.

    The seed decides the state at the start; the catalogue's scenarios expect the default seed.
    `authored_observations` belong to tools that have them instead of a simulator.
    """

    def __init__(
        self,
        seed: str = "",
        authored_observations: Mapping[str, authored.Observations] | None = None,
    ) -> None:
        self.seed = seed
        self.authored_observations = authored_observations or {}
        self._simulators: dict[type[Stateful], Stateful] = {}

    def observe(self, call: Call) -> dict[str, Json]:
        """The observation of the next call; of a refused one `{"error": reason}`.

        The call must fit its tool's schema.
        """
        if call.name in self.authored_observations:
            return authored.observe(call, self.authored_observations[call.name])
        owner = _OWNERS.get(call.name)
        instance = () if owner is None else (self._find_simulator(owner),)
        try:
            return SIMULATORS[call.name](*instance, **call.arguments)
        except Refused as reason:
            return {"error": str(reason)}

    def make_call(self, call: Call, tools: Sequence[Tool]) -> dict[str, Json]:
        """The observation of a model's call, which need not fit; then it is {"error": reason}."""
        if problem := schema.find_call_problem(call, tools):
            return {"error": problem}
        try:
            return self.observe(call)
        except (ArithmeticError, LookupError, ValueError) as error:  # such as the 30th of February
            return {"error": f"impossible: {error}"}

    def state(self) -> dict[str, Json]:
        """The state of every stateful simulator: worlds of equal states answer alike."""
        return {owner.__name__: self._find_simulator(owner).state() for owner in STATEFUL}

    def _find_simulator(self, owner: type[Stateful]) -> Stateful:
        """Built when it is first needed: most conversations touch none."""
        if owner not in self._simulators:
            self._simulators[owner] = owner(self.seed)
        return self._simulators[owner]
