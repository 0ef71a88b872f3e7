"""Spellings of a tool's name, so that a model reads names off the menu and learns none by heart."""

from collections.abc import Callable

import msgspec

from trajectory.records import Assistant, Group, Tool, ToolResult, Trajectory, Turn


def _words(name: str) -> list[str]:
    return name.replace(".", "_").replace("-", "_").split("_")


def _camel(name: str, _: int) -> str:
    first, *rest = _words(name)
    return first + "".join(word.capitalize() for word in rest)


def _dotted(name: str, _: int) -> str:
    verb, *rest = _words(name)
    return f"{'_'.join(rest)}.{verb}" if rest else verb


STYLES: dict[str, Callable[[str, int], str]] = {
    "snake": lambda name, _: name,
    "camel": _camel,
    "dotted": _dotted,
    "masked": lambda _, number: f"tool_{number + 1}",
}


def renamed(group: Group, style: str) -> Group:
    """The same group with its tools called otherwise, in the menu and in every turn."""
    spell = STYLES[style]
    names = {tool.name: spell(tool.name, number) for number, tool in enumerate(group.tools)}
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
        return msgspec.structs.replace(turn, calls=calls)
    return turn
