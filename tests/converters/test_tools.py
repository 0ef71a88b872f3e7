"""Other people's tools: every notation gives entries of the catalogue, or one clear line."""

import json
import sys

import pytest
import yaml

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.converters import documents, tools
from agent_tuning.converters.schemas import MAX_NODES, build_example
from agent_tuning.records import BadInput
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
        {"tools": [{"type": "function", "function": FUNCTION}]},
        {"functions": [FUNCTION]},
        {"tools": [OFFERED]},
        {"jsonrpc": "2.0", "id": 1, "result": {"tools": [OFFERED]}},
    ],
    ids=["bare", "list", "wrapped", "flat", "request", "functions", "mcp", "json-rpc"],
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


def test_a_body_that_is_no_plain_object_is_one_argument(imported):
    parameters = imported(SHOP).entries["patch_orders_id"].parameters
    assert parameters["required"] == ["id", "body"]
    assert parameters["properties"]["body"].keys() == {"allOf"}


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
        ("swagger: '2.0'", r"top level: .*`openapi`"),
        ("openapi: 4.0.0", r"openapi: expected 3\.x, found '4\.0\.0'"),
        ("openapi: 3.1.0\npaths: {/a: {get: {parameters: 3}}}", r"paths\./a\.get: .*parameters"),
        (f"{OPERATION}{{name: id, in: query, schema: {{$ref: 'https://x.org/a.json#/A'}}}}",
         r"paths\./a\.get\.parameters\.0: \$ref 'https://x\.org/a\.json#/A' is remote"),
        (f"{OPERATION}{{$ref: other.yaml#/A}}", r"parameters\.0: \$ref 'other\.yaml#/A' is remote"),
        (f"{OPERATION}{{$ref: '#/components/b'}}", r"'#/components/b' is no object of this"),
        (f"{OPERATION}{{$ref: '#/x'}}\nx: {{$ref: '#/x'}}", r"'#/x' refers only to itself"),
        (f"{OPERATION}{{name: id, in: query, schema: {{$ref: '#/components/schemas/S0'}}}}\n"
         f"components:\n  schemas:\n{BOOM}\n    S40: {{type: string}}", f"more than {MAX_NODES}"),
        ("a: [1", r":\d: "),
        ("a: &a [*a]", r":1: this anchor contains itself"),
        ("[]", "no tools found"),
        ('[{"name": "get order"}]', r"tools\.0\.name: 'get order' is not a tool name"),
        ('[{"name": "a"}, {"name": "a"}]', r"tools\.1\.name: two tools are named a"),
        ('[{"nam": "a"}]', r"tools\.0: .*`name`"),
        ('[{"type": "function", "function": 3}]', r"tools\.0: Expected `object`"),
        ('[{"type": "web_search"}]', r"tools\.0\.type: expected function, found 'web_search'"),
        ('[{"name": "a", "parameters": {"type": "strin"}}]', r"tools\.0: not a JSON Schema"),
        ('[{"name": "a", "parameters": {"type": "array"}}]', r"tools\.0: expected .* object"),
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
        "own: {<<: *b, at: 1}\nall: [1, -2, 0.5, 1e3, null, ~, true, '7']\n"
    )
    base = {"on": "no", "at": "12:30", "day": "2025-01-01", "200": "ok"}
    assert documents.read(path) == {
        "base": base,
        "own": base | {"at": 1},
        "all": [1, -2, 0.5, 1000.0, None, None, True, "7"],
    }


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string", "format": "date"}, "2025-03-14"),
        ({"type": ["null", "string"], "default": "x"}, "x"),
        ({"type": "array", "items": {"type": "boolean"}}, [True]),
        ({"oneOf": [{"const": 4}, {"type": "string"}]}, 4),
        ({"allOf": [{"properties": {"a": {"enum": [1, 2]}}}, {"properties": {"b": {}}}]},
         {"a": 1, "b": "text"}),
        (True, None),
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
