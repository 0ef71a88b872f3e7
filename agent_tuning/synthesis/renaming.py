"""Other names for tools and parameters, so that a model reads them off the menu."""

import random
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from agent_tuning.records import Assistant, Call, Group, Tool, ToolResult, Trajectory, Turn
from agent_tuning.synthesis.synonyms import AFFIXES, PARAMETERS, VERBS


def _words(name: str) -> list[str]:
    return name.replace(".", "_").replace("-", "_").split("_")


def _camel(name: str) -> str:
    first, *rest = _words(name)
    return first + "".join(word.capitalize() for word in rest)


def _dotted(name: str) -> str:
    verb, *rest = _words(name)
    return f"{'_'.join(rest)}.{verb}" if rest else verb


def _pascal(name: str) -> str:
    return "".join(word.capitalize() for word in _words(name))


def _namespaced(name: str) -> str:
    *deed, subject = _words(name)
    return f"{subject.capitalize()}.{'_'.join(deed)}" if deed else subject


def _reworded(name: str, rng: random.Random) -> str:
    """Another verb for the same deed: the menu alone says which."""
    first, *rest = _words(name)
    verb = rng.choice((first, *VERBS.get(first, ())))
    return rng.choice(NAME_CASES)("_".join([verb, *rest]))


def _parameter(name: str, rng: random.Random) -> str:
    """Another word for the same thing."""
    other = rng.choice(PARAMETERS.get(name) or [affix.format(name) for affix in AFFIXES])
    return rng.choice((str, str, _camel))(rng.choice((name, other, other)))


# Capitals too: a model that has seen none in a name writes none, whatever the menu says.
NAME_CASES: tuple[Callable[[str], str], ...] = (str, _camel, _dotted, _pascal, _namespaced)


class NamingStyle(NamedTuple):
    """How a tool (the n-th of its menu) and a parameter are called."""

    tool: Callable[[str, int, random.Random], str]
    parameter: Callable[[str, random.Random], str]


NAMING_STYLES = {
    "plain": NamingStyle(lambda name, _, __: name, lambda name, _: name),
    "reworded": NamingStyle(lambda name, _, rng: _reworded(name, rng), _parameter),
    "masked": NamingStyle(lambda _, number, __: f"tool_{number + 1}", _parameter),
}


class NewNames(NamedTuple):
    """How a tool and its parameters are called."""

    name: str
    parameters: dict[str, str]


def rename_tools(group: Group, style: str, rng: random.Random) -> Group:
    """The same group with its tools and their parameters called otherwise, on the menu and in
    every turn."""
    spell = NAMING_STYLES[style]
    names = _apart({t.name: spell.tool(t.name, n, rng) for n, t in enumerate(group.tools)})
    spellings = {
        tool.name: NewNames(
            names[tool.name],
            _apart({name: spell.parameter(name, rng) for name in _parameters(tool)}),
        )
        for tool in group.tools
    }
    return msgspec.structs.replace(
        group,
        prompt=msgspec.structs.replace(
            group.prompt, tools=tuple(_tool(tool, spellings[tool.name]) for tool in group.tools)
        ),
        trajectories=tuple(_trajectory(one, spellings) for one in group.trajectories),
    )


def _apart(names: dict[str, str]) -> dict[str, str]:
    """These spellings, or, if two would be the same, everyone's own."""
    return names if len(set(names.values())) == len(names) else {name: name for name in names}


def _parameters(tool: Tool) -> list[str]:
    return list(tool.parameters.get("properties", {}))


def _tool(tool: Tool, spelling: NewNames) -> Tool:
    own = spelling.parameters
    parameters = dict(tool.parameters)
    if properties := parameters.get("properties"):
        parameters["properties"] = {own[name]: schema for name, schema in properties.items()}
    if required := parameters.get("required"):
        parameters["required"] = [own[name] for name in required]
    return msgspec.structs.replace(tool, name=spelling.name, parameters=parameters)


def _trajectory(trajectory: Trajectory, spellings: dict[str, NewNames]) -> Trajectory:
    turns = tuple(_turn(turn, spellings) for turn in trajectory.turns)
    return msgspec.structs.replace(trajectory, turns=turns)


def _turn(turn: Turn, spellings: dict[str, NewNames]) -> Turn:
    if isinstance(turn, ToolResult):
        return msgspec.structs.replace(turn, name=spellings[turn.name].name)
    if isinstance(turn, Assistant):
        return msgspec.structs.replace(turn, calls=tuple(_call(c, spellings) for c in turn.calls))
    return turn


def _call(call: Call, spellings: dict[str, NewNames]) -> Call:
    spelling = spellings[call.name]
    named = {spelling.parameters[name]: value for name, value in call.arguments.items()}
    return Call(spelling.name, named)
