"""Schemas are checked without a look elsewhere, and written so that every list shows them."""

import http.server
from collections.abc import Iterator

import pytest

from agent_tuning.catalogue import parameters, schema, schema_merging
from agent_tuning.catalogue.schema_references import MAX_PARTS, References, SchemaProblem
from agent_tuning.prompts.formats import TOOL_FORMATS
from agent_tuning.records import Call, Tool
from tests.support.local_server import running_in_a_thread


def properties(**schemas: object) -> dict:
    return {"type": "object", "properties": schemas}


@pytest.fixture
def visits() -> Iterator[list[str]]:
    """Paths that a server on this machine was asked for; it knows a schema."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"type": "string"}')

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    asked.append(str(server.server_address[1]))
    with running_in_a_thread(server):
        yield asked


def test_a_reference_to_a_host_is_refused_and_the_host_hears_nothing(visits):
    remote = properties(berth={"$ref": f"http://127.0.0.1:{visits[0]}/berth.json"})
    tool = Tool("moor", "Moor a boat.", remote)
    problems = [
        schema.find_parameters_problem(remote),
        *schema.find_tool_list_problems([tool]),
    ]
    with pytest.raises(ValueError, match="not followed"):
        schema.find_call_problem(Call("moor", {"berth": "B4"}), [tool])
    assert len(problems) == 2
    assert all("not followed" in str(problem) for problem in problems)
    assert visits[1:] == []


def test_a_reference_to_a_file_is_refused(tmp_path):
    (tmp_path / "berth.json").write_text('{"type": "string"}')
    problem = schema.find_parameters_problem(
        properties(berth={"$ref": f"file://{tmp_path}/berth.json"})
    )
    assert "not followed" in str(problem)


REFERRING = {
    "under property names": properties(
        shelves={"type": "object", "propertyNames": {"$ref": "#/$defs/Word"}}
    ),
    "in a tuple": properties(pair={"prefixItems": [{"$ref": "#/$defs/Word"}]}),
    "by its anchor": properties(word={"$ref": "#a-word"}),
    "under if": properties(word={"if": {"$ref": "#/$defs/Word"}, "then": {"minLength": 2}}),
    "beside a description": properties(word={"$ref": "#/$defs/Word", "description": "said"}),
}


@pytest.mark.parametrize("where", REFERRING)
def test_a_reference_is_written_out(where):
    word = {"$anchor": "a-word", "type": "string", "minLength": 1}
    written = parameters.write_out(REFERRING[where] | {"$defs": {"Word": word}}, "p")
    assert "$" not in str(written)
    assert "'type': 'string', 'minLength': 1" in str(written)


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        ("#/$defs/Nothing", "is no object of this document"),
        ("#nothing", "is no object of this document"),
        ("words.json#/Word", "is remote: copy"),
    ],
)
def test_a_reference_that_leads_nowhere_is_named_with_its_place(reference, problem):
    with pytest.raises(SchemaProblem, match=rf"^p\.properties\.a: \$ref '.*{problem}"):
        parameters.write_out(properties(a={"$ref": reference}), "p")


def test_types_that_contain_each_other_stay_small():
    names = [f"T{number}" for number in range(12)]
    everything = {name: {"$ref": f"#/$defs/{name}"} for name in names}
    types = {name: properties(id={"type": "integer"}, **everything) for name in names}
    document = properties(first={"$ref": "#/$defs/T0"}) | {"$defs": types}
    written = References(document).write_out(document, "p")
    first = written["properties"]["first"]["properties"]
    assert first["id"] == {"type": "integer"}
    assert first["T5"]["type"] == "object"
    assert str(written).count("'type'") <= MAX_PARTS


def test_a_tree_keeps_its_children_for_one_round():
    node = properties(label={"type": "string"}, children={"items": {"$ref": "#/$defs/Node"}})
    tree = properties(root={"$ref": "#/$defs/Node"}) | {"$defs": {"Node": node}}
    root = References(tree).write_out(tree, "p")["properties"]["root"]
    assert root["properties"]["children"] == {"items": {"type": "object"}}


LISTED = {
    "optional number": (
        {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
        {"type": ["integer", "null"], "default": None},
    ),
    "optional choice": (
        {"oneOf": [{"type": "null"}, {"type": "string", "enum": ["tug", "ferry"]}]},
        {"type": ["string", "null"], "enum": ["tug", "ferry", None]},
    ),
    "one part": (
        {"allOf": [{"type": "string", "enum": ["tug"]}], "default": "tug"},
        {"type": "string", "default": "tug", "enum": ["tug"]},
    ),
    "two parts": (
        {"allOf": [properties(a={}), properties(b={}) | {"required": ["b"]}]},
        properties(a={}, b={}) | {"required": ["b"]},
    ),
    "narrower bounds": (
        {"allOf": [{"type": "number", "minimum": 1}, {"type": "integer", "minimum": 3}]},
        {"type": "integer", "minimum": 3},
    ),
    "parts that contradict": (
        {"allOf": [{"pattern": "a"}, {"pattern": "b"}]},
        {"pattern": "a", "allOf": [{"pattern": "b"}]},
    ),
    "only value": ({"const": "sail"}, {"enum": ["sail"]}),
    "two types": (
        {"anyOf": [{"type": "string", "format": "date"}, {"type": "integer"}]},
        {
            "type": ["string", "integer"],
            "anyOf": [{"type": "string", "format": "date"}, {"type": "integer"}],
        },
    ),
    "true": (True, True),
    "never": (properties(a={}, b=False), properties(a={})),
}


@pytest.mark.parametrize("what", LISTED)
def test_a_schema_is_said_in_the_words_of_tool_lists(what):
    given, expected = LISTED[what]
    simple = schema_merging.simplify(given)
    assert simple == expected
    assert schema_merging.simplify(simple) == simple


def test_alternatives_of_objects_share_their_properties():
    by_name = properties(name={"type": "string"}) | {"required": ["name"]}
    by_berth = properties(berth={"type": "integer"}, name={"type": "null"})
    simple = schema_merging.simplify({"type": "object", "oneOf": [by_name, by_berth]})
    assert simple["properties"].keys() == {"name", "berth"}
    assert simple["properties"]["name"]["type"] == ["string", "null"]
    assert simple["required"] == []
    assert simple["oneOf"] == [by_name, by_berth]


@pytest.mark.parametrize("tool_format", TOOL_FORMATS)
def test_every_tool_list_shows_parameters_that_were_in_parts(tool_format):
    given = {"type": "object", "allOf": [properties(hull={"type": "string"}), properties(
        knots={"anyOf": [{"type": "integer"}, {"type": "null"}]})]}  # fmt: skip
    shown = TOOL_FORMATS[tool_format]([Tool("sail", "Sail.", parameters.write_out(given, "p"))])
    assert "hull" in shown
    assert "knots" in shown
    assert "any" not in shown
