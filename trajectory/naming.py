"""Spellings of a tool's name, so that a model reads names off the menu and learns none by heart."""

import random
from collections.abc import Callable

import msgspec

from trajectory.records import Assistant, Group, Tool, ToolResult, Trajectory, Turn


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


VERBS = {
    "get": ("fetch", "query", "lookup", "show", "retrieve", "read", "check"),
    "find": ("search", "lookup", "locate", "discover", "query"),
    "search": ("find", "browse", "lookup", "query"),
    "convert": ("change", "exchange", "transform", "translate"),
    "calculate": ("compute", "estimate", "work_out", "eval"),
    "list": ("show", "enumerate", "get", "print"),
    "count": ("measure", "compute", "tally", "number_of"),
    "check": ("query", "inspect", "verify", "lookup"),
    "set": ("adjust", "change", "put", "configure"),
    "add": ("insert", "append", "put", "include"),
    "create": ("make", "new", "build", "generate"),
    "book": ("reserve", "order", "schedule"),
    "send": ("post", "deliver", "transmit", "dispatch"),
    "open": ("load", "visit", "show"),
    "read": ("get", "load", "view", "fetch"),
    "remove": ("delete", "drop", "discard"),
    "compute": ("calculate", "determine", "eval"),
    "estimate": ("calculate", "compute", "predict"),
    "recommend": ("suggest", "find", "propose"),
    "buy": ("order", "purchase", "book"),
    "update": ("modify", "change", "edit"),
    "follow": ("traverse", "resolve", "expand"),
    "view": ("show", "display", "get"),
}


def _reworded(name: str, rng: random.Random) -> str:
    """Another verb for the same deed: the menu alone says which."""
    first, *rest = _words(name)
    verb = rng.choice((first, *VERBS.get(first, ())))
    return rng.choice(STYLES_OF_CASE)("_".join([verb, *rest]))


# Capitals too: a model that has seen none in a name writes none, whatever the menu says.
STYLES_OF_CASE: tuple[Callable[[str], str], ...] = (str, _camel, _dotted, _pascal, _namespaced)

STYLES: dict[str, Callable[[str, int, random.Random], str]] = {
    "plain": lambda name, _, __: name,
    "reworded": lambda name, _, rng: _reworded(name, rng),
    "masked": lambda _, number, __: f"tool_{number + 1}",
}


def renamed(group: Group, style: str, rng: random.Random) -> Group:
    """The same group with its tools called otherwise, in the menu and in every turn."""
    spell = STYLES[style]
    names = {tool.name: spell(tool.name, n, rng) for n, tool in enumerate(group.tools)}
    if len(set(names.values())) < len(names):  # two tools would share a name: keep their own
        names = {name: name for name in names}
    return msgspec.structs.replace(
        group,
        tools=tuple(_tool(tool, names) for tool in group.tools),
        trajectories=tuple(_trajectory(one, names) for one in group.trajectories),
    )


def _tool(tool: Tool, names: dict[str, str]) -> Tool:
    return msgspec.structs.replace(tool, name=names[tool.name])


def _trajectory(trajectory: Trajectory, names: dict[str, str]) -> Trajectory:
    turns = tuple(_turn(turn, names) for turn in trajectory.turns)
    return msgspec.structs.replace(trajectory, turns=turns)


def _turn(turn: Turn, names: dict[str, str]) -> Turn:
    if isinstance(turn, ToolResult):
        return msgspec.structs.replace(turn, name=names[turn.name])
    if isinstance(turn, Assistant):
        calls = tuple(msgspec.structs.replace(c, name=names[c.name]) for c in turn.calls)
        thought = turn.thought
        for call in turn.calls:  # a thought names its tools, each once
            thought = thought.replace(call.name, names[call.name], 1)
        return msgspec.structs.replace(turn, calls=calls, thought=thought)
    return turn
