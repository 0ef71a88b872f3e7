"""Deterministic tools: a call in, a really computed observation out.

A simulator is a function named like its tool whose parameters are the tool's arguments; it returns
a dict of plain JSON values. The worlds are seeded by the arguments alone: no clock, no network.
"""

from collections.abc import Callable

from trajectory.records import Call, Json
from trajectory.simulators import (
    calendar,
    clinic,
    events,
    files,
    finance,
    food,
    geometry,
    github,
    home,
    messaging,
    numbers,
    shop,
    text,
    travel,
    units,
    weather,
    wiki,
)

Simulator = Callable[..., dict[str, Json]]

SIMULATORS: dict[str, Simulator] = {
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
        home,
        messaging,
        numbers,
        shop,
        text,
        travel,
        units,
        weather,
        wiki,
    )
    for simulator in module.TOOLS
}


def observe(call: Call) -> dict[str, Json]:
    """The observation of one call."""
    return SIMULATORS[call.name](**call.arguments)
