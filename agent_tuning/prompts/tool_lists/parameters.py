"""The parameters in a tool's JSON Schema, nested ones too."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from agent_tuning.prompts.formats.reading import format_json
from agent_tuning.records import Json, Tool


class Parameter(NamedTuple):
    """A parameter, a field of an object, or (without a name) the items of an array."""

    name: str
    type: str  # JSON Schema's, alternatives as `string|null`; `any` if there is none
    choices: list[Json]
    description: str
    required: bool
    items: "Parameter | None" = None
    fields: "tuple[Parameter, ...]" = ()

    def describe_type(self, spell: Callable[[Json], str]) -> str:
        """The choices or, if there are none, the type: `sea|hill`, `array of string`."""
        if self.choices:
            return "|".join(map(spell, self.choices))
        if self.items:
            note = f" ({self.items.description})" if self.items.description else ""
            return f"{self.type} of {self.items.describe_type(spell)}{note}"
        inner = (f"{field.name} ({field.describe(spell)})" for field in self.fields)
        return f"{self.type} {{{', '.join(inner)}}}" if self.fields else self.type

    def describe(self, spell: Callable[[Json], str]) -> str:
        """All but the name: type, description, and whether it is optional."""
        kind = self.describe_type(spell)
        notes = [kind, self.description] if self.description else [kind]
        return ", ".join(notes if self.required else [*notes, "optional"])


def list_parameters(tool: Tool) -> tuple[Parameter, ...]:
    return _read_fields(tool.parameters)


def describe_tool(tool: Tool) -> str:
    """The tool's description and those of its parameters, in one line."""
    notes = [f"{path}: {text}" for path, text in _list_descriptions(list_parameters(tool))]
    return join_lines(" ".join([tool.description, *notes]))


def join_lines(text: str) -> str:
    """The text in one line: a line break would end the entry or the comment around it."""
    return " ".join(text.splitlines())


def format_choice(choice: Json) -> str:
    """A choice without quotes, as prose names it."""
    return choice if isinstance(choice, str) else format_json(choice)


def _read_fields(schema: dict[str, Json]) -> tuple[Parameter, ...]:
    required = schema.get("required", [])
    properties = schema.get("properties", {})
    return tuple(
        _read_parameter(name, value, name in required) for name, value in properties.items()
    )


def _read_parameter(name: str, schema: Json, required: bool) -> Parameter:
    if not isinstance(schema, dict):  # `true`: anything
        return Parameter(name, "any", [], "", required)
    kind, items = schema.get("type", "any"), schema.get("items")
    return Parameter(
        name,
        kind if isinstance(kind, str) else "|".join(kind),
        schema.get("enum", []),
        schema.get("description", ""),
        required,
        _read_parameter("", items, True) if isinstance(items, dict) else None,
        _read_fields(schema),
    )


def _list_descriptions(fields: tuple[Parameter, ...], path: str = "") -> Iterator[tuple[str, str]]:
    """Descriptions, each with the path of its field, such as `guests[].name`."""
    for field in fields:
        here = f"{path}.{field.name}" if path and field.name else path + field.name
        if field.description:
            yield here, field.description
        yield from _list_descriptions(field.fields, here)
        if field.items:
            yield from _list_descriptions((field.items,), f"{here}[]")
