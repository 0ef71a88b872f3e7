"""What a tool's JSON Schema says about its parameters, nested ones too."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from agent_tuning.prompts.formats.reading import format_json
from agent_tuning.records import Json, Tool


class Parameter(NamedTuple):
    """A parameter, a field of an object, or (without a name) the items of an array."""

    name: str
    type: str  # as JSON Schema says it, alternatives as `string|null`; `any` if it says none
    choices: list[Json]
    description: str
    required: bool
    items: "Parameter | None" = None
    fields: "tuple[Parameter, ...]" = ()

    def describe_type(self, spell: Callable[[Json], str]) -> str:
        """The choices or, if anything goes, the type: `sea|hill`, `array of string`."""
        if self.choices:
            return "|".join(map(spell, self.choices))
        if self.items:
            note = f" ({self.items.description})" if self.items.description else ""
            return f"{self.type} of {self.items.describe_type(spell)}{note}"
        inner = (f"{one.name} ({one.describe(spell)})" for one in self.fields)
        return f"{self.type} {{{', '.join(inner)}}}" if self.fields else self.type

    def describe(self, spell: Callable[[Json], str]) -> str:
        """Everything but the name: type, description, and whether it may be left out."""
        kind = self.describe_type(spell)
        said = [kind, self.description] if self.description else [kind]
        return ", ".join(said if self.required else [*said, "optional"])


def list_parameters(tool: Tool) -> tuple[Parameter, ...]:
    return _fields(tool.parameters)


def describe_tool(tool: Tool) -> str:
    """The description, then what the parameters' own descriptions add; one line."""
    said = [f"{path}: {text}" for path, text in _described(list_parameters(tool))]
    return join_lines(" ".join([tool.description, *said]))


def join_lines(text: str) -> str:
    """A line break would end the entry or the comment that the text stands in."""
    return " ".join(text.splitlines())


def format_choice(choice: Json) -> str:
    """A choice without quotes, as prose names it."""
    return choice if isinstance(choice, str) else format_json(choice)


def _fields(schema: dict[str, Json]) -> tuple[Parameter, ...]:
    required = schema.get("required", [])
    properties = schema.get("properties", {})
    return tuple(_parameter(name, one, name in required) for name, one in properties.items())


def _parameter(name: str, schema: Json, required: bool) -> Parameter:
    if not isinstance(schema, dict):  # `true`: anything
        return Parameter(name, "any", [], "", required)
    kind, items = schema.get("type", "any"), schema.get("items")
    return Parameter(
        name,
        kind if isinstance(kind, str) else "|".join(kind),
        schema.get("enum", []),
        schema.get("description", ""),
        required,
        _parameter("", items, True) if isinstance(items, dict) else None,
        _fields(schema),
    )


def _described(fields: tuple[Parameter, ...], path: str = "") -> Iterator[tuple[str, str]]:
    """Paths such as `guests[].name` of all that have a description."""
    for one in fields:
        here = f"{path}.{one.name}" if path and one.name else path + one.name
        if one.description:
            yield here, one.description
        yield from _described(one.fields, here)
        if one.items:
            yield from _described((one.items,), f"{here}[]")
