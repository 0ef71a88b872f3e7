"""The catalogue: complete, runnable, and its mistakes found by file, line and field."""

from pathlib import Path

import msgspec
import pytest
import yaml

from agent_tuning.catalogue import schema
from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.catalogue.entry_records import LANGUAGES
from agent_tuning.catalogue.simulators import SIMULATORS, World
from agent_tuning.catalogue.wordings import Phrasing
from agent_tuning.files import yaml_records
from agent_tuning.records import Assistant, BadInput, Call, ToolResult
from agent_tuning.synthesis.teachers import TrajectoryRequest
from agent_tuning.synthesis.teachers.scripted import ScriptedTeacher, WritingStyle

FOLDER = Path("data/catalogue")
PHRASING = yaml_records.read(Path("data/phrasing.yaml"), Phrasing)
CATALOGUE = Catalogue(FOLDER)
CELLS = [(tool, scenario.name) for tool, scenario in CATALOGUE.cells()]
STYLE = WritingStyle(
    seed=1, final_reply_rate=1.0, greeting_rate=0.0, closing_rate=0.0, typo_rate=0.0
)


def test_it_has_many_tools_in_many_domains():
    assert len(CATALOGUE.entries) >= 60
    assert len({domain.domain for domain in CATALOGUE.domain_of.values()}) >= 12


def test_arguments_are_of_every_type():
    types = {
        argument["type"]
        for entry in CATALOGUE.entries.values()
        for argument in entry.parameters["properties"].values()
    }
    assert types >= {"string", "integer", "number", "boolean", "array", "object"}


def test_every_tool_has_a_simulator_a_sibling_and_remarks():
    for name, entry in CATALOGUE.entries.items():
        assert name in SIMULATORS
        assert entry.siblings
        assert len(entry.remarks) >= 2


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("part", ["train", "held_out"])
def test_every_cell_runs_through_its_simulators(language, part):
    teacher = ScriptedTeacher(CATALOGUE, PHRASING, STYLE, part, part)
    tools = [entry.tool(language) for entry in CATALOGUE.entries.values()]
    for tool, scenario in CELLS:
        for index in range(2):
            trajectory = teacher.write_positive(
                TrajectoryRequest(tool, scenario, "", index), language
            )
            for turn in trajectory.turns:
                assert not (isinstance(turn, ToolResult) and "error" in turn.content)
                for call in turn.calls if isinstance(turn, Assistant) else ():
                    assert schema.find_call_problem(call, tools) is None
                    assert "{" not in turn.thought
            assert "{" not in trajectory.turns[-1].text


def test_several_domains_have_calls_at_once():
    """The same tool twice and more often, and two different ones."""
    tools = [s.steps(tool) for tool, s in CATALOGUE.cells() if s.kind == "multi"]
    domains = {CATALOGUE.domain_of[steps[0].tool].domain for steps in tools}
    shapes = {(len(steps), len({step.tool for step in steps})) for steps in tools}
    assert len(domains) >= 12
    assert shapes >= {(2, 1), (3, 1), (2, 2)}


def test_only_the_tools_of_the_named_domains_are_loaded():
    catalogue = Catalogue(FOLDER, ["shop", "cart", "messaging"])
    assert len(catalogue.entries) == 13
    assert {domain.domain for domain in catalogue.domain_of.values()} == {
        *("shop", "cart", "messaging")
    }
    for name, entry in catalogue.entries.items():
        assert set(entry.siblings) <= catalogue.entries.keys()
        for scenario in entry.scenarios:
            assert {step.tool for step in scenario.steps(name)} <= catalogue.entries.keys()


def test_a_scenario_that_calls_a_tool_of_another_domain_is_left_out_and_named():
    catalogue = Catalogue(FOLDER, ["shop"])
    names = [scenario.name for scenario in catalogue.entries["get_product_price"].scenarios]
    assert "price_in_own_currency" not in names
    assert "one_price" in names
    assert catalogue.left_out == (
        "scenario search_products.find_and_add (it calls add_to_cart)",
        "scenario get_product_price.price_in_own_currency (it calls convert_currency)",
    )
    assert "sibling track_order of checkout" in Catalogue(FOLDER, ["cart"]).left_out


def test_all_domains_are_loaded_if_none_is_named():
    assert CATALOGUE.left_out == ()
    everything = Catalogue(FOLDER, {domain.domain for domain in CATALOGUE.domain_of.values()})
    assert everything.left_out == ()
    assert everything.entries == CATALOGUE.entries


def test_an_unknown_domain_is_named_beside_those_that_are_there():
    with pytest.raises(BadInput, match=r"no domain 'shopping'; available: calendar, cart, .*wiki"):
        Catalogue(FOLDER, ["shop", "shopping"])


def edit(domain: dict, how: str) -> None:
    tool = domain["tools"][0]
    match how:
        case "schema":
            tool["parameters"]["properties"]["city"]["type"] = "strin"
        case "sibling":
            tool["siblings"] = ["get_whether"]
        case "slot":
            tool["scenarios"][0]["queries"]["en"][1] += " {town}"
        case "argument":
            del tool["scenarios"][0]["arguments"]["city"]
        case "list":
            tool["scenarios"][0]["arguments"]["city"] = ["{city}", {"in": "{land}"}]
        case "twice":
            domain["tools"][1]["name"] = tool["name"]
        case "name":
            tool["name"] = "get weather"
        case "field":
            tool["descripton"] = tool.pop("description")
        case "goal":
            tool["scenarios"][0]["goal"]["zh"] += "{town}"
        case "reply":
            tool["scenarios"][0]["reply"]["en"] += "{3.sky}"
        case "ask":
            domain["tools"][1]["missing"]["queries"]["en"][0] += " {town}"
        case "phrasing":
            del tool["scenarios"][0]["queries"]["zh"][1:]
        case "scenario":
            tool["scenarios"].append(tool["scenarios"][0])
        case "missing":
            tool["missing"]["argument"] = "unit"
        case "language":
            del tool["remarks"][1]["reply"]["zh"]
        case "observation":
            tool["name"] = "own_forecast"
            for other in domain["tools"][1:]:
                other["siblings"].remove("get_weather_forecast")
        case "at once":
            both = domain["tools"][1]["scenarios"][2]
            both["also"][0]["arguments"]["city"] = "{1.sky}"
        case "first":
            tool["scenarios"][0]["arguments"]["city"] = "{1.sky}"
        case "itself":
            domain["tools"][2]["scenarios"][1]["then"][0]["arguments"]["city"] = "{2.sky}"
        case "foreseen":
            domain["tools"][2]["scenarios"][1]["goal"]["en"] = "see {1.aqi}"
        case "then and also":
            both = domain["tools"][1]["scenarios"][2]
            both["then"] = domain["tools"][2]["scenarios"][1]["then"]
        case "aside":
            domain["tools"][1]["scenarios"][2]["also"][0]["tool"] = "get_whether"
        case "remote":
            tool["parameters"]["properties"]["unit"] = {"$ref": "https://x.org/unit.json"}
        case "half a character":
            tool["remarks"][0]["query"]["en"] = "Rain \ud800 again?"
        case "no number":
            tool["parameters"]["properties"]["unit"] = {"type": "number", "maximum": float("inf")}
        case "inverted":
            domain.setdefault("numbers", {})["days"] = {"start": 9, "stop": 1}
        case "no step":
            domain.setdefault("numbers", {})["days"] = {"start": 1, "stop": 9, "step": 0}
        case "quoted":
            tool["observations"] = [{"sky": "{place}"}]
        case "unseen":
            tool["observations"] = [{"sky": "blue", "low": 1, "high": 2}, {"sky": "grey"}]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("schema", r"tools\.0\.parameters: not a JSON Schema"),
        (
            "remote",
            r"tools\.0\.parameters\.properties\.unit: \$ref 'https://x\.org/unit\.json' is re",
        ),
        ("half a character", r"found invalid Unicode character escape code"),
        ("no number", r"expected a finite number, got inf"),
        ("inverted", r"expected start below stop, and a step above 0"),
        ("no step", r"expected start below stop, and a step above 0"),
        ("sibling", r"tools\.0\.siblings: unknown tool get_whether"),
        ("slot", r"tools\.0\.scenarios\.0\.queries\.en: no values for the slots \['town'\]"),
        ("argument", r"tools\.0\.scenarios\.0\.arguments: .*missing \['city'\]"),
        (
            "list",
            r"tools\.0\.scenarios\.0\.queries\.en: slots \['land'\] are not in every en query",
        ),
        ("twice", r"tools\.1\.name: two tools are named get_weather_forecast"),
        ("name", r"tools\.0\.name: 'get weather' is not a tool name"),
        ("field", r"unknown field `descripton`"),
        ("goal", r"tools\.0\.scenarios\.0\.goal\.zh: town is neither a slot of every query"),
        ("reply", r"tools\.0\.scenarios\.0\.reply\.en: 3\.sky is neither .* nor a field observed"),
        ("ask", r"tools\.1\.missing\.queries\.en: no values for the slots \['town'\]"),
        ("phrasing", r"length >= 2.*queries\.zh"),
        ("scenario", r"tools\.0\.scenarios\.\d\.name: two scenarios are named \w+"),
        ("missing", r"tools\.0\.missing\.argument: unit is not a required argument"),
        ("language", r"tools\.0\.remarks\.1\.reply: no text in the language zh"),
        ("observation", r"tools\.0\.scenarios\.0: own_forecast has no simulator: expected"),
        ("at once", r"tools\.1\.scenarios\.2\.also\.0\.arguments: \{1\.sky\} names no observation"),
        ("first", r"tools\.0\.scenarios\.0\.arguments: \{1\.sky\} names no observation before"),
        ("itself", r"tools\.2\.scenarios\.1\.then\.0\.arguments: \{2\.sky\} names no observation"),
        (
            "foreseen",
            r"tools\.2\.scenarios\.1\.goal\.en: 1\.aqi is neither .* nor a field observed",
        ),
        ("then and also", r"tools\.1\.scenarios\.2\.also: expected either `then` or `also`"),
        ("aside", r"tools\.1\.scenarios\.2\.also\.0\.tool: unknown tool get_whether"),
        ("quoted", r"tools\.0\.observations: \['place'\] are not required arguments"),
        ("unseen", r"tools\.0\.scenarios\.0: 1\.high is not in every observation of get_weather"),
    ],
)
def test_a_mistake_is_one_line_with_file_line_and_field(how, message, tmp_path):
    domain = yaml.safe_load((FOLDER / "weather.yaml").read_text())
    edit(domain, how)
    path = tmp_path / "weather.yaml"
    path.write_text(yaml.safe_dump(domain, allow_unicode=True, sort_keys=False))
    with pytest.raises(BadInput, match=rf"weather\.yaml:\d+: .*{message}") as error:
        Catalogue(tmp_path)
    assert "\n" not in str(error.value)


def test_parameters_in_parts_are_usable(tmp_path):
    domain = yaml.safe_load((FOLDER / "weather.yaml").read_text())
    whole = domain["tools"][0]["parameters"]
    properties = [{"properties": {name: part}} for name, part in whole["properties"].items()]
    domain["tools"][0]["parameters"] = {
        "type": "object",
        "allOf": [*properties, {"required": whole["required"]}],
    }
    (tmp_path / "weather.yaml").write_text(yaml.safe_dump(domain, allow_unicode=True))
    (first, *_) = Catalogue(tmp_path).entries.values()
    assert first.parameters == whole


def test_the_parameters_of_our_own_tools_stay_as_they_are_written():
    for path in FOLDER.glob("*.yaml"):
        for written in yaml.safe_load(path.read_text())["tools"]:
            loaded = CATALOGUE.entries[written["name"]].parameters
            assert msgspec.json.encode(loaded) == msgspec.json.encode(written["parameters"])


def test_an_empty_folder_is_bad_input(tmp_path):
    with pytest.raises(BadInput, match="no catalogue: expected one YAML file per domain"):
        Catalogue(tmp_path)


def test_a_domain_may_speak_one_language_only(tmp_path):
    domain = yaml.safe_load((FOLDER / "weather.yaml").read_text())
    domain["languages"] = ["en"]
    domain["tools"][0]["description"] = {"en": "Weather forecast."}
    (tmp_path / "weather.yaml").write_text(yaml.safe_dump(domain, allow_unicode=True))
    assert Catalogue(tmp_path).entries["get_weather_forecast"].tool("en").description


def test_an_authored_observation_quotes_the_call_and_is_the_same_every_time():
    written = {
        "track": ({"id": "{id}", "note": "parcel {id}"}, {"id": "{id}", "days": [1, "{id}"]})
    }
    calls = [Call("track", {"id": number}) for number in range(20)]
    first, second = (
        [World(authored_observations=written).observe(call) for call in calls] for _ in range(2)
    )
    assert first == second
    assert {"id": 0, "note": "parcel 0"} in first or {"id": 0, "days": [1, 0]} in first
    assert {len(seen.get("days", "")) for seen in first} == {0, 2}  # both observations are drawn
