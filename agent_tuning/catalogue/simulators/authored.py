"""Results that an author wrote down, for tools of others that no simulator computes.

An observation may quote the call: `{order_id}` alone is the argument itself, inside a text its
wording. Which of the observations a call gets depends on its arguments only.
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
    return {name: _filled(value, call.arguments) for name, value in chosen.items()}


def find_quoted_arguments(observations: Observations) -> set[str]:
    """The arguments that the observations name."""
    return set(ARGUMENT.findall(msgspec.json.encode(observations).decode()))


def _filled(value: Json, arguments: Mapping[str, Json]) -> Json:
    if isinstance(value, dict):
        return {name: _filled(item, arguments) for name, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, arguments) for item in value]
    if not isinstance(value, str):
        return value
    if whole := ARGUMENT.fullmatch(value):
        return arguments[whole.group(1)]
    return ARGUMENT.sub(lambda match: str(arguments[match.group(1)]), value)
