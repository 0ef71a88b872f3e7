"""Other people's tools: every notation gives entries of the catalogue, or one clear line."""

import json
import random
import sys

import pytest
import yaml

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.converters import documents, tools
from agent_tuning.converters.examples import UNKNOWN, build_example
from agent_tuning.converters.siblings import find_siblings
from agent_tuning.quality.word_overlap import WordOverlap
from agent_tuning.records import BadInput, Tool
from agent_tuning.runtime import cli

SCHEMA = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
FUNCTION = {"name": "get_order", "description": "Look an order up.", "parameters": SCHEMA}
OFFERED = {"name": "get_order", "description": "Look an order up.", "inputSchema": SCHEMA}
SHOP = """
openapi: 3.0.3
info: {title: Orders, version: 1.0.0}
paths:
  /orders/{id}:
    parameters:
    - {name: id, in: path, required: true, description: the order's number, schema: {type: string}}
    get:
      operationId: getOrder
      summary: Look an order up.
      parameters:
      - $ref: '#/components/parameters/Fields'
      - {name: page, in: query, schema: {$ref: '#/paths/~1orders~1%7Bid%7D/parameters/0/schema'}}
      - {name: X-Trace, in: header, schema: {type: string}}
      responses:
        200: {content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}
    patch:
      summary: Change an order.
      requestBody:
        required: true
        content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}
      responses: {'204': {description: done}}
  /orders:
    post:
      operationId: orders/place
      description: Place an order.
      requestBody: {$ref: '#/components/requestBodies/Order'}
      responses:
        '201':
          content:
            application/json:
              example: {id: A7, since: 2025-01-02, open: on, at: 12:30}
components:
  parameters:
    Fields: {name: fields, in: query, schema: {type: array, items: {type: string}}}
  requestBodies:
    Order: {content: {application/json: {schema: {$ref: '#/components/schemas/New'}}}}
  schemas:
    New:
      type: object
      required: [item, id]
      properties:
        id: {type: string, readOnly: true}
        item: {type: string, example: lamp}
        gift: {type: string, nullable: true, enum: [red, off]}
        count: {type: integer, minimum: 0, exclusiveMinimum: true}
        parts: {type: array, items: {$ref: '#/components/schemas/Part'}}
    Part:
      type: object
      properties:
        name: {type: string}
        within: {$ref: '#/components/schemas/Part', description: the part around it}
    Order:
      allOf:
      - {$ref: '#/components/schemas/New'}
      - {type: object, properties: {state: {type: string, enum: [open, sent]}}}
"""


HARBOUR = """
openapi: 3.0.3
components:
  securitySchemes: {ticket: {type: apiKey, in: query, name: t}}
  schemas:
    Boat:
      type: object
      properties: {name: {type: string}, crew: {$ref: '#/components/schemas/Crew'}}
    Crew:
      type: object
      properties: {of: {$ref: '#/components/schemas/Boat'}, size: {type: integer}}
paths:
  /moorings:
    post:
      operationId: moor
      requestBody:
        required: true
        content: {application/json: {schema: {type: array, items: {type: string}}}}
      responses:
        '201': {content: {application/json: {example: {berth: string, note: ''}}}}
  /moorings/{berth}:
    parameters:
    - {name: berth, in: path, required: true, schema: {type: integer}}
    get:
      operationId: mooring
      parameters:
      - {name: berth, in: query, description: "only this side", schema: {type: string}}
      - {name: t, in: query, required: true, schema: {type: string}}
      - {name: api_key, in: query, schema: {type: string}}
      responses:
        '200': {content: {application/json: {schema: {$ref: '#/components/schemas/Boat'}}}}
    delete:
      operationId: leave
      parameters: [{name: why, in: qurey, schema: {type: string}}]
"""


@pytest.fixture
def imported(tmp_path):
    """A source's text, imported and read as a catalogue."""

    def run(text: str, suffix: str = ".yaml") -> Catalogue:
        source, folder = tmp_path / f"source{suffix}", tmp_path / "own"
        source.write_text(text)
        tools.main(source, folder / "orders.yaml")
        return Catalogue(folder)

    return run


@pytest.mark.parametrize(
    "document",
    [
        FUNCTION,
        [FUNCTION],
        [{"type": "function", "function": FUNCTION}],
        [{"type": "function", **FUNCTION, "strict": True}],
        [{**FUNCTION, "type": "custom", "input_examples": [{"id": "A7"}], "strict": True}],
        {"tools": [{"type": "function", "function": FUNCTION}]},
        {"functions": [FUNCTION]},
        {"tools": [OFFERED]},
        {"jsonrpc": "2.0", "id": 1, "result": {"tools": [OFFERED]}},
    ],
    ids=[
        *("bare", "list", "wrapped", "flat", "with examples", "request", "functions", "mcp"),
        "json-rpc",
    ],
)
def test_every_notation_gives_the_same_entry(document, imported):
    entry = imported(json.dumps(document), ".json").entries["get_order"]
    assert (entry.description.en, entry.parameters) == ("Look an order up.", SCHEMA)


def test_a_json_file_may_be_indented_with_tabs(imported):
    assert imported(json.dumps(FUNCTION, indent="\t"), ".json").entries


def test_an_operation_takes_path_query_and_body_and_no_header(imported):
    entries = imported(SHOP).entries
    assert entries.keys() == {"getOrder", "patch_orders_id", "orders_place"}
    assert entries["getOrder"].parameters == {
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "the order's number"},
            "fields": {"type": "array", "items": {"type": "string"}},
            "page": {"type": "string"},
        },
        "required": ["id"],
    }


def test_a_body_becomes_arguments_in_the_words_of_draft_2020(imported):
    parameters = imported(SHOP).entries["orders_place"].parameters
    assert parameters["required"] == []  # the body itself is not required
    assert parameters["properties"] == {
        "item": {"type": "string"},
        "gift": {"type": ["string", "null"], "enum": ["red", "off", None]},
        "count": {"type": "integer", "exclusiveMinimum": 0},
        "parts": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "within": {"type": "object"}},
            },
        },
    }


def test_a_body_in_parts_becomes_arguments_too(imported):
    parameters = imported(SHOP).entries["patch_orders_id"].parameters
    assert parameters["required"] == ["id", "item"]
    assert parameters["properties"].keys() == {"id", "item", "gift", "count", "parts", "state"}


def test_a_body_that_is_no_plain_object_is_one_argument(imported):
    parameters = imported(HARBOUR).entries["moor"].parameters
    assert parameters["required"] == ["body"]
    assert parameters["properties"]["body"] == {"type": "array", "items": {"type": "string"}}


@pytest.mark.parametrize(
    ("others", "names"),
    [({"type": "integer"}, {"body"}), (True, {"crew"}), (False, {"crew"}), ({}, {"crew"})],
)
def test_a_body_with_more_properties_of_a_type_is_one_argument(others, names, imported):
    schema = {"type": "object", "properties": {"crew": {}}, "additionalProperties": others}
    body = {"content": {"application/json": {"schema": schema}}}
    document = {"openapi": "3.1.0", "paths": {"/a": {"post": {"requestBody": body}}}}
    assert imported(json.dumps(document)).entries["post_a"].parameters["properties"].keys() == names


def test_observations_are_the_documents_examples_or_made_from_its_schema(imported):
    entries = imported(SHOP).entries
    assert entries["orders_place"].observations == (
        {"id": "A7", "since": "2025-01-02", "open": "on", "at": "12:30"},
    )
    (seen,) = entries["getOrder"].observations
    assert seen["item"] == "lamp"
    assert seen["state"] == "open"


def test_an_output_schema_gives_an_observation(imported):
    result = {"type": "object", "properties": {"price": {"type": "number", "minimum": 3}}}
    entry = imported(json.dumps({"tools": [{**OFFERED, "outputSchema": result}]}), ".json").entries
    assert entry["get_order"].observations == ({"price": 3},)


@pytest.mark.parametrize("result", [{"$ref": "https://x.org/s.json"}, {"type": "strin"}])
def test_an_output_schema_that_cannot_be_used_leaves_the_tool(result, imported):
    result = {"type": "object", "properties": {"price": result}}
    document = {"tools": [{**OFFERED, "outputSchema": result}]}
    assert imported(json.dumps(document), ".json").entries["get_order"].observations == ()


@pytest.mark.parametrize("field", ["parameters", "input_schema", "inputSchema"])
@pytest.mark.parametrize("empty", [None, {}])
def test_an_empty_schema_means_no_arguments(field, empty, imported):
    entry = imported(json.dumps([{"name": "ping", field: empty}]), ".json").entries["ping"]
    assert entry.parameters == {"type": "object", "properties": {}}


def test_the_nearest_tools_are_siblings_and_chinese_is_recognised(imported):
    menu = [
        {"name": "查询订单", "description": "查询一个订单的状态。"},
        {"name": "cancel", "description": "取消一个订单。"},
        {"name": "ping", "description": "pong"},
    ]
    menu[0]["name"] = "order_state"
    catalogue = imported(json.dumps(menu), ".json")
    assert catalogue.entries["order_state"].siblings == ("cancel",)
    assert catalogue.domain_of["cancel"].languages == ("zh",)


BOOM = "\n".join(f"    S{n}: {{allOf: [{{$ref: '#/components/schemas/S{n + 1}'}}, "
                 f"{{$ref: '#/components/schemas/S{n + 1}'}}]}}" for n in range(40))  # fmt: skip
OPERATION = "openapi: 3.1.0\npaths:\n  /a:\n    get:\n      parameters:\n      - "


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("swagger: '2.0'", r"swagger: expected OpenAPI 3; convert Swagger 2\.0"),
        ("openapi: 3.1.0\npaths: {'/a/{b}/{c+}': {get: {parameters: [{name: c, in: path}]}}}",
         r"get\.parameters: none is in the path and called b"),
        ("paths: !include a.yaml", r"1: the tag !include has no meaning here"),
        ("openapi: 4.0.0", r"openapi: expected 3\.x, found '4\.0\.0'"),
        ("openapi: 3.1.0\npaths: {/a: {get: {parameters: 3}}}", r"paths\./a\.get: .*parameters"),
        (f"{OPERATION}{{name: id, in: query, schema: {{$ref: 'https://x.org/a.json#/A'}}}}",
         r"paths\./a\.get\.parameters\.0: \$ref 'https://x\.org/a\.json#/A' is remote"),
        (f"{OPERATION}{{$ref: other.yaml#/A}}", r"parameters\.0: \$ref 'other\.yaml#/A' is remote"),
        (f"{OPERATION}{{$ref: '#/components/b'}}", r"'#/components/b' is no object of this"),
        (f"{OPERATION}{{$ref: '#/x'}}\nx: {{$ref: '#/x'}}", r"'#/x' refers only to itself"),
        ("a: [1", r":\d: "),
        ("a: &a [*a]", r":1: this anchor contains itself"),
        ("[]", "no tools found"),
        ('[{"name": ""}]', r"tools\.0\.name: '' is not a tool name"),
        ('[{"name": "a"}, {"name": "a"}]', r"tools\.1\.name: two tools are named a"),
        ('[{"nam": "a"}]', r"tools\.0: .*`name`"),
        ('[{"type": "function", "function": 3}]', r"tools\.0: Expected `object`"),
        ('[{"type": "web_search"}]', r"tools\.0\.type: expected function, found 'web_search'"),
        ('[{"name": "a", "parameters": {"type": "strin"}}]', r"tools\.0\.parameters: not a JSON"),
        ('[{"name": "a", "parameters": {"type": "array"}}]', r"tools\.0\.parameters: .* object"),
        ('{"tools": [{"name": "a", "inputSchema": {}}], "nextCursor": "x"}', r"nextCursor: "),
        ('{"result": {"tools": 3}}', r"result: Expected `array`"),
        ('{"tools": [{"inputSchema": {}}]}', r"tools\.0: .*`name`"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_file_and_field(text, message, imported):
    with pytest.raises(BadInput, match=rf"source\.yaml.*{message}") as error:
        imported(text)
    assert "\n" not in str(error.value)


def test_a_file_that_a_person_completed_is_never_overwritten(imported):
    imported(json.dumps(FUNCTION))
    with pytest.raises(BadInput, match="already exists"):
        imported(json.dumps(FUNCTION))


def test_yaml_is_read_by_its_core_schema(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(
        "base: &b {on: no, at: 12:30, day: 2025-01-01, 200: ok}\n"
        "own: {<<: *b, at: 1}\nall: [1, -2, 0.5, 1e3, null, ~, true, '7', !!str 7]\n"
    )
    base = {"on": "no", "at": "12:30", "day": "2025-01-01", "200": "ok"}
    assert documents.read(path) == {
        "base": base,
        "own": base | {"at": 1},
        "all": [1, -2, 0.5, 1000.0, None, None, True, "7", "7"],
    }


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string", "format": "date"}, "2025-03-14"),
        ({"type": ["null", "string"], "default": "x"}, "x"),
        ({"type": "array", "items": {"type": "boolean"}}, [True]),
        ({"oneOf": [{"const": 4}, {"type": "string"}]}, 4),
        ({"allOf": [{"properties": {"a": {"enum": [1, 2]}}}, {"properties": {"b": {}}}]},
         {"a": 1}),
        ({"type": "string"}, UNKNOWN),
        ({"type": "string", "example": "string"}, UNKNOWN),
        ({"properties": {"id": {"example": 0}, "note": {"type": "string"}}}, {"id": 0}),
        (True, UNKNOWN),
    ],
)  # fmt: skip
def test_an_example_is_of_its_schema(schema, value):
    assert build_example(schema) == value


def test_the_command_says_what_it_wrote(tmp_path, monkeypatch, capsys):
    source = tmp_path / "orders.json"
    source.write_text(json.dumps(FUNCTION))
    target = tmp_path / "own/orders.yaml"
    monkeypatch.setattr(sys, "argv", ["tools", str(source), str(target)])
    cli.run(tools.main)
    assert "orders.yaml: 1 tools, 1 of them without observations" in capsys.readouterr().out
    assert "docs/own-tools.md" in target.read_text()
    assert yaml.safe_load(target.read_text())["domain"] == "orders"


def test_a_parameter_is_known_by_its_place_and_its_name(imported):
    parameters = imported(HARBOUR).entries["mooring"].parameters
    assert parameters["properties"] == {
        "berth": {"type": "integer"},
        "query_berth": {"type": "string", "description": "only this side"},
    }
    assert parameters["required"] == ["berth"]


def test_keys_in_the_query_are_left_out_as_headers_are(imported):
    assert (
        not {"t", "api_key"} & imported(HARBOUR).entries["mooring"].parameters["properties"].keys()
    )


def test_a_placeholder_is_no_observation(imported):
    entries = imported(HARBOUR).entries
    assert entries["moor"].observations == ()
    assert entries["mooring"].observations == ({"crew": {"size": 1}},)


def test_a_tool_that_cannot_be_used_is_left_out_by_name_and_the_others_stay(imported, capsys):
    assert imported(HARBOUR).entries.keys() == {"moor", "mooring"}
    printed = capsys.readouterr().out
    assert "left out leave: paths./moorings/{berth}.delete.parameters.0.in: expected one" in printed


UNUSABLE = {
    "remote": ({"properties": {"a": {"$ref": "file:///a.json"}}}, "is remote"),
    "no schema": ({"properties": {"a": {"type": "strin"}}}, "not a JSON Schema"),
    "nameless": ({"properties": {"": {"type": "string"}}}, "a parameter without a name"),
    "array": ({"type": "array"}, "expected parameters of type object"),
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_one_unusable_tool_of_several_is_named_with_its_reason(what, imported, capsys):
    schema, problem = UNUSABLE[what]
    other = FUNCTION | {"name": "other", "parameters": {"type": "object", **schema}}
    assert imported(json.dumps([FUNCTION, other]), ".json").entries.keys() == {"get_order"}
    assert problem in capsys.readouterr().out


def test_a_field_that_nobody_reads_is_named_and_the_known_one_beside_it(imported):
    wrong = {"name": "a", "descripton": "Rent a boat."}
    with pytest.raises(
        BadInput, match=r"tools\.0: unknown field `descripton`: did you mean `descri"
    ):
        imported(json.dumps([wrong]), ".json")


@pytest.mark.parametrize("field", ["parameters", "input_schema", "inputSchema"])
@pytest.mark.parametrize("envelope", ["tools", "result", ""])
def test_the_schema_of_the_arguments_is_read_in_every_notation(field, envelope, imported):
    tool = {"name": "get_order", "description": "Look an order up.", field: SCHEMA}
    document = {"tools": {"tools": [tool]}, "result": {"result": {"tools": [tool]}}, "": [tool]}
    entries = imported(json.dumps(document[envelope]), ".json").entries
    assert entries["get_order"].parameters == SCHEMA


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("orders/find it", "orders_find_it"),
        ("3d.render", "_3d.render"),
        ("-x", "_-x"),
        ("价", "_价"),
    ],
)
def test_a_name_that_no_format_can_write_is_changed_and_said(name, expected, imported, capsys):
    assert imported(json.dumps([{"name": name}]), ".json").entries.keys() == {expected}
    assert (f"renamed {name} to {expected}" in capsys.readouterr().out) == (name != expected)


def test_escapes_of_a_document_are_shown_and_not_obeyed(imported, capsys):
    unusable = {"name": "bad\x1b[2J", "parameters": {"type": "strin\x1b[2J"}}
    imported(json.dumps([{"name": "get\x1b]0;t\x07 \u202eorder"}, unusable]), ".json")
    printed = capsys.readouterr().out
    assert "renamed get\\x1b]0;t\\x07 \\u202eorder to " in printed
    assert "left out bad\\x1b[2J: " in printed
    assert printed.replace("\n", "").isprintable()


def test_older_words_of_json_schema_are_translated(imported):
    pair = {"type": "array", "items": [{"type": "number"}, {"type": "string"}]}
    pair["additionalItems"] = False
    schema = {"type": "object", "properties": {"pair": pair, "all": True}}
    entry = imported(json.dumps([FUNCTION | {"parameters": schema}]), ".json").entries["get_order"]
    assert entry.parameters["properties"] == {
        "pair": {
            "type": "array",
            "items": False,
            "prefixItems": [{"type": "number"}, {"type": "string"}],
        },
        "all": {},
    }


DEEP = "[" * 300 + "]" * 300


@pytest.mark.parametrize(
    ("text", "suffix", "message"),
    [
        (f'[{{"name": "a", "parameters": {DEEP}}}]', ".json", "more than 200 deep"),
        ("- " * 5000, ".yaml", "more than 200 deep"),
        ('{"name": "a", "description": "\\ud800"}', ".json", "description: half a surrogate pair"),
        ('{"name": "a", "parameters": {"maximum": NaN}}', ".json", r"parameters\.maximum: nan"),
        ('{"name": "a", "name": "b"}', ".json", "name: this key appears twice"),
        (
            "openapi: 3.1.0\npaths:\n  /a: {}\n  /a: {}",
            ".yaml",
            "yaml:4: /a: this key appears twice",
        ),
        ("[1", ".json", "json:1: "),
    ],
)
def test_a_file_that_no_record_could_hold_is_one_line(text, suffix, message, imported):
    with pytest.raises(BadInput, match=message) as error:
        imported(text, suffix)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_utf_8_is_one_line(tmp_path):
    path = tmp_path / "tools.json"
    path.write_bytes(b'[{"name": "a",\n "description": "caf\xe9"}]')
    with pytest.raises(BadInput, match=r"tools\.json:2: expected UTF-8"):
        documents.read(path)


def test_types_that_contain_each_other_leave_the_tool_and_a_short_observation(imported):
    names = [f"T{number}" for number in range(9)]
    links = {name: {"$ref": f"#/components/schemas/{name}"} for name in names}
    types = {
        name: {"type": "object", "properties": {"id": {"type": "integer"}, **links}}
        for name in names
    }
    media = {"application/json": {"schema": {"$ref": "#/components/schemas/T0"}}}
    operation = {"operationId": "first", "responses": {"200": {"content": media}}}
    document = {"openapi": "3.1.0", "paths": {"/a": {"get": operation}}}
    catalogue = imported(json.dumps(document | {"components": {"schemas": types}}), ".json")
    (seen,) = catalogue.entries["first"].observations
    assert seen["T8"] == {"id": 1}
    assert len(json.dumps(seen)) < 1000


def find_siblings_one_by_one(listed: list[Tool]) -> list[list[str]]:
    """What the product of siblings.py must give."""
    measure = WordOverlap(listed)
    found = []
    for tool in listed:
        text = f"{tool.name} {tool.description}"
        likeness = {one.name: measure.overlap(text, one) for one in listed if one is not tool}
        nearest = sorted(likeness, key=lambda name: (-likeness[name], name))[:3]
        found.append([name for name in nearest if likeness[name] > 0])
    return found


@pytest.mark.parametrize("count", [1, 2, 3, 300])
def test_siblings_are_those_of_a_comparison_one_by_one(count):
    rng = random.Random(count)
    words = ["list", "boat", "berth", "crew", "port", "tide", "find", "set", "next", "by", "name"]
    listed = [
        Tool(f"tool_{n}", " ".join(rng.choices(words, k=rng.randint(0, 5))), {})
        for n in range(count)
    ]
    assert find_siblings(listed) == find_siblings_one_by_one(listed)
