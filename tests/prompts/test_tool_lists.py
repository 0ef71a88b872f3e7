"""Tool formats: everything that a schema says is in the tool list, whatever its characters."""

import json
from collections.abc import Iterator
from copy import deepcopy
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from agent_tuning.prompts.formats import TOOL_FORMATS
from agent_tuning.prompts.tool_lists.parameters import Parameter, list_parameters
from agent_tuning.records import Json, Tool

# Control characters other than these have no spelling in XML.
WORDS = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Cn"]) | st.sampled_from("\n\t\r"), max_size=12
)
AWKWARD = st.sampled_from(
    [
        *("12", "true", "no", "null", 'a "quoted" word', "it's", "two\nlines", "上海", "👍", "a|b"),
        *(
            "</tools>",
            "<b>&amp;",
            "]]>",
            "# x",
            "- y",
            "k: v",
            "{{ tools }}",
            "\\n",
            " outer ",
            "*/",
        ),
    ]
)
NAMES = st.sampled_from(
    ["city", "from", "get-time", "weather.get", "城市", "n", "true", "getUserInfo"]
)
CHOICES = st.lists(AWKWARD | st.integers(-9, 9) | st.booleans() | st.floats(-1, 1), max_size=3)


def described(kind: str, choices: list[Json], text: str, **more: Json) -> dict[str, Json]:
    schema = {"type": kind} | ({"enum": choices} if choices else {})
    return schema | more | ({"description": text} if text else {})


def fields(schemas: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    def built(properties: dict[str, Json], text: str, needed: int) -> dict[str, Json]:
        required = list(properties)[:needed]
        return described("object", [], text, properties=properties, required=required)

    return st.builds(built, st.dictionaries(NAMES, schemas, max_size=3), TEXTS, st.integers(0, 3))


TEXTS = AWKWARD | WORDS
KINDS = st.sampled_from(["string", "integer", "number", "boolean"])
SCHEMAS = st.recursive(
    st.builds(described, KINDS, CHOICES, TEXTS),
    lambda inner: (
        fields(inner)
        | st.builds(lambda items, text: described("array", [], text, items=items), inner, TEXTS)
    ),
    max_leaves=5,
)
TOOLS = st.lists(st.builds(Tool, NAMES, TEXTS, fields(SCHEMAS)), min_size=1, max_size=3)


def functions(lines: list[str]) -> list[Json]:
    return [json.loads(line) for line in lines]


def from_mcp(text: str) -> list[Json]:
    return [
        {
            "name": tool["name"],
            "description": tool["description"],
            "parameters": tool["inputSchema"],
        }
        for tool in json.loads(text)["tools"]
    ]


def from_xml(text: str) -> list[Json]:
    def parameter(element: ElementTree.Element) -> Parameter:
        return Parameter(
            element.get("name", ""),
            element.get("type", ""),
            json.loads(element.get("enum", "[]")),
            element.text or "",
            element.get("required") != "false",
            next(map(parameter, element.findall("items")), None),
            tuple(map(parameter, element.findall("parameter"))),
        )

    return [
        {
            "name": tool.get("name"),
            "description": tool.findtext("description"),
            "parameters": tuple(map(parameter, tool.findall("parameter"))),
        }
        for tool in ElementTree.fromstring(text)
    ]


PARSERS = {
    "openai": lambda text: functions(text.split("\n")),
    "hermes": lambda text: [wrapper["function"] for wrapper in functions(text.split("\n")[1:-1])],
    "mcp": from_mcp,
    "yaml": yaml.safe_load,
    "xml": from_xml,
}


@pytest.mark.parametrize("name", PARSERS)
@given(tools=TOOLS)
def test_a_document_parses_back_to_the_same_data(name, tools):
    parsed = PARSERS[name](TOOL_FORMATS[name](tools))
    expected = [
        {
            "name": tool.name,
            "description": tool.description,
            "parameters": list_parameters(tool) if name == "xml" else tool.parameters,
        }
        for tool in tools
    ]
    assert repr(parsed) == repr(expected)  # 1, 1.0 and True are equal, but not the same


def flat(text: str) -> str:
    """A line break counts as a space: where an entry is a line, it is shown as one."""
    return " ".join(text.split())


def list_texts(fields: tuple[Parameter, ...]) -> Iterator[Json]:
    for field in fields:
        yield from (field.name, field.description, *field.choices)
        yield from list_texts(field.fields)
        if field.items:
            yield from list_texts((field.items,))


def spellings(value: Json) -> set[str]:
    """A word as a tool list may contain it: as it is, or with the escapes of the language."""
    quoted = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, str):
        return {quoted, repr(value)}
    return {*map(flat, (value, quoted[1:-1], repr(value)[1:-1], escape(value)))} | {
        flat(value.replace("|", "\\|"))
    }


@pytest.mark.parametrize("name", sorted(TOOL_FORMATS.keys() - PARSERS.keys()))
@given(tools=TOOLS)
def test_every_name_choice_and_description_stands_in_the_menu(name, tools):
    text = flat(TOOL_FORMATS[name](tools))
    for tool in tools:
        for word in (tool.name, tool.description, *list_texts(list_parameters(tool))):
            assert any(spelling in text for spelling in spellings(word)), word


@pytest.mark.parametrize("name", ["react", "autogpt", "python", "compact"])
@given(tools=TOOLS)
def test_a_line_is_a_tool_where_lines_are_entries(name, tools):
    assert len(TOOL_FORMATS[name](tools).splitlines()) == len(tools)


ROOM = Tool(
    "book.room",
    "Book a room.",
    {
        "type": "object",
        "properties": {
            "nights": {"type": "integer"},
            "view": {"type": "string", "enum": ["sea", "hill"], "description": "what to see"},
            "guests": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
                    "required": ["name"],
                },
            },
        },
        "required": ["nights", "view"],
    },
)
ITEMS = ("properties", "guests", "items")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("properties", "nights", "type"), "string"),
        (("properties", "nights", "description"), "how many"),
        (("properties", "view", "enum"), ["sea"]),
        (("required",), ["nights"]),
        ((*ITEMS, "properties", "age", "type"), "string"),
        ((*ITEMS, "properties", "age", "enum"), [1, 2]),
        ((*ITEMS, "properties", "name", "description"), "full name"),
        ((*ITEMS, "properties"), {}),
        ((*ITEMS, "required"), ["name", "age"]),
    ],
    ids=lambda part: ".".join(part[-2:]) if isinstance(part, tuple) else "",
)
@pytest.mark.parametrize("name", TOOL_FORMATS)
def test_whatever_a_schema_says_a_menu_says(name, path, value):
    schema = deepcopy(ROOM.parameters)
    place = schema
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    write = TOOL_FORMATS[name]
    assert write([ROOM]) != write([Tool(ROOM.name, ROOM.description, schema)])


@pytest.mark.parametrize("name", TOOL_FORMATS)
@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object", "properties": {"x": True}},
        {"properties": {"x": {"type": ["a", "b"]}}},
    ],
    ids=["no parameters", "anything goes", "two types"],
)
def test_an_odd_schema_is_shown_too(name, schema):
    text = TOOL_FORMATS[name]([Tool("ping", "Ping.", schema)])
    assert all(word in text for word in ["ping", "Ping.", *schema.get("properties", ())])
