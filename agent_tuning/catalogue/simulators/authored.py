"""Observations that an author wrote, for other people's tools without a simulator.

An observation may quote the call: `{order_id}` alone becomes the argument itself, inside a text it
becomes the argument's text. The arguments alone decide which observation a call gets.
"""

import re
from collections.abc import Mapping, Sequence

import msgspec

from agent_tuning.catalogue.simulators.world import pick
from agent_tuning.records import Call, Json

ARGUMENT = re.compile(r"\{(\w+)\}")

Observations = Sequence[dict[str, Json]]


def observe(call: Call, observations: Observations) -> dict[str, Json]:
    arguments = msgspec.json.encode(call.arguments, order="deterministic").decode()
    chosen = pick(observations, call.name, arguments)
    return {name: _fill(value, call.arguments) for name, value in chosen.items()}


def find_quoted_arguments(observations: Observations) -> set[str]:
    """The names of the arguments that the observations quote."""
    return set(ARGUMENT.findall(msgspec.json.encode(observations).decode()))


def _fill(value: Json, arguments: Mapping[str, Json]) -> Json:
    if isinstance(value, dict):
        return {name: _fill(item, arguments) for name, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, arguments) for item in value]
    if not isinstance(value, str):
        return value
    if whole := ARGUMENT.fullmatch(value):
        return arguments[whole.group(1)]
    return ARGUMENT.sub(lambda match: str(arguments[match.group(1)]), value)
