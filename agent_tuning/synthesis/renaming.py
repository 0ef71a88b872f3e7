"""Rename tools and parameters, so that a model reads their names in the tool list.

The style `masked` is function masking: names that say nothing. `paraphrased` paraphrases names.
"""

import random
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from agent_tuning.records import Assistant, Call, Group, Tool, ToolResult, Trajectory, Turn
from agent_tuning.synthesis.synonyms import AFFIXES, PARAMETERS, VERBS


def _split_words(name: str) -> list[str]:
    return name.replace(".", "_").replace("-", "_").split("_")


def _to_camel_case(name: str) -> str:
    first, *rest = _split_words(name)
    return first + "".join(word.capitalize() for word in rest)


def _to_dotted(name: str) -> str:
    verb, *rest = _split_words(name)
    return f"{'_'.join(rest)}.{verb}" if rest else verb


def _to_pascal_case(name: str) -> str:
    return "".join(word.capitalize() for word in _split_words(name))


def _to_namespaced(name: str) -> str:
    *action, subject = _split_words(name)
    return f"{subject.capitalize()}.{'_'.join(action)}" if action else subject


def _paraphrase_tool(name: str, rng: random.Random) -> str:
    """Another verb for the same action, in another case: only the tool list says which."""
    first, *rest = _split_words(name)
    verb = rng.choice((first, *VERBS.get(first, ())))
    return rng.choice(NAME_CASES)("_".join([verb, *rest]))


def _paraphrase_parameter(name: str, rng: random.Random) -> str:
    """Another word for the same parameter, or its own."""
    other = rng.choice(PARAMETERS.get(name) or [affix.format(name) for affix in AFFIXES])
    return rng.choice((str, str, _to_camel_case))(rng.choice((name, other, other)))


# With capitals too: a model that has never seen capitals in a name writes none, whatever the
# tool list says.
NAME_CASES: tuple[Callable[[str], str], ...] = (
    str,
    _to_camel_case,
    _to_dotted,
    _to_pascal_case,
    _to_namespaced,
)


class NamingStyle(NamedTuple):
    """How to name a tool (given its own name and its index in the list) and a parameter."""

    tool: Callable[[str, int, random.Random], str]
    parameter: Callable[[str, random.Random], str]


NAMING_STYLES = {
    "plain": NamingStyle(lambda name, _, __: name, lambda name, _: name),
    "paraphrased": NamingStyle(
        lambda name, _, rng: _paraphrase_tool(name, rng), _paraphrase_parameter
    ),
    "masked": NamingStyle(lambda _, number, __: f"tool_{number + 1}", _paraphrase_parameter),
}


# Keywords whose schemas may name properties too.
NAME_PROPERTIES = {
    *("allOf", "anyOf", "oneOf", "not", "if", "dependentRequired", "dependentSchemas"),
    *("dependencies", "patternProperties", "propertyNames"),
}


class NewNames(NamedTuple):
    """The new name of a tool, and those of its parameters by their old names."""

    name: str
    parameters: dict[str, str]


def rename_tools(group: Group, style: str, rng: random.Random) -> Group:
    """The same group with new names of tools and parameters, in the tool list and every turn.

    `style` is a key of NAMING_STYLES.
    """
    naming = NAMING_STYLES[style]
    names = _keep_distinct(
        {tool.name: naming.tool(tool.name, index, rng) for index, tool in enumerate(group.tools)}
    )
    new_names = {
        tool.name: NewNames(
            names[tool.name],
            _rename_parameters(tool, naming, rng),
        )
        for tool in group.tools
    }
    tools = tuple(_rename_tool(tool, new_names[tool.name]) for tool in group.tools)
    return msgspec.structs.replace(
        group,
        prompt=msgspec.structs.replace(group.prompt, tools=tools),
        trajectories=tuple(
            _rename_in_trajectory(trajectory, new_names) for trajectory in group.trajectories
        ),
    )


def _rename_parameters(tool: Tool, naming: NamingStyle, rng: random.Random) -> dict[str, str]:
    """New names by the old ones: the old ones if other keywords of the schema use them too."""
    names = {name: naming.parameter(name, rng) for name in _list_parameters(tool)}
    if NAME_PROPERTIES & tool.parameters.keys():
        return {name: name for name in names}
    return _keep_distinct(names)


def _keep_distinct(names: dict[str, str]) -> dict[str, str]:
    """These new names, or, if two of them are the same, the old ones."""
    return names if len(set(names.values())) == len(names) else {name: name for name in names}


def _list_parameters(tool: Tool) -> list[str]:
    return list(tool.parameters.get("properties", {}))


def _rename_tool(tool: Tool, new: NewNames) -> Tool:
    schema = dict(tool.parameters)
    if properties := schema.get("properties"):
        schema["properties"] = {new.parameters[name]: value for name, value in properties.items()}
    if required := schema.get("required"):
        schema["required"] = [new.parameters[name] for name in required]
    return msgspec.structs.replace(tool, name=new.name, parameters=schema)


def _rename_in_trajectory(trajectory: Trajectory, new_names: dict[str, NewNames]) -> Trajectory:
    turns = tuple(_rename_in_turn(turn, new_names) for turn in trajectory.turns)
    return msgspec.structs.replace(trajectory, turns=turns)


def _rename_in_turn(turn: Turn, new_names: dict[str, NewNames]) -> Turn:
    if isinstance(turn, ToolResult):
        return msgspec.structs.replace(turn, name=new_names[turn.name].name)
    if isinstance(turn, Assistant):
        calls = tuple(_rename_call(call, new_names[call.name]) for call in turn.calls)
        return msgspec.structs.replace(turn, calls=calls)
    return turn


def _rename_call(call: Call, new: NewNames) -> Call:
    return Call(new.name, {new.parameters[name]: value for name, value in call.arguments.items()})
