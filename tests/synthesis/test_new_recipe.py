"""A recipe of somebody's own: an entry at the end of params.yaml, fitted to the tools."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from agent_tuning.records import BadInput
from agent_tuning.synthesis import new_recipe
from tests.support import own_tools


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    own_tools.build_repository(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(name: str = "mine", *domains: str, source: str = "specialist") -> dict[str, Any]:
    paths = (Path(word) for word in ("params.yaml", "data/catalogue", name, source, *domains))
    new_recipe.main(*paths)
    return yaml.safe_load(Path("params.yaml").read_text())["recipes"][name]


def test_nothing_else_in_the_file_changes_and_the_other_recipes_stay(folder):
    own_tools.write_domain(folder, "bikes")
    before = Path("params.yaml").read_text()
    make("mine", "bikes")
    after = Path("params.yaml").read_text()
    assert after.startswith(before)
    recipes = yaml.safe_load(after)["recipes"]
    assert recipes["mine"].keys() == recipes["specialist"].keys()


def test_what_depends_on_the_tools_is_fitted_to_them(folder, capsys):
    own_tools.write_domain(folder, "bikes")
    entry = make("mine", "bikes")
    assert entry["catalogue"] == {"domains": ["bikes"]}
    assert entry["plan"]["tools_per_prompt"] == [7]
    assert entry["plan"]["groups"] == {"en": 384}
    assert entry["written"]["folder"] == ""
    assert entry["build_requests"]["groups"] == {"validation": None}
    assert entry["episodes"]["families"] == []
    assert entry["add_hard_negatives"]["other_domains"] == ["home", "text", "weather"]
    assert "7 tools, 11 scenarios, 384 groups from the grammar" in capsys.readouterr().out


def test_without_domains_it_is_a_copy():
    entry = make("longer")
    assert entry == yaml.safe_load(Path("params.yaml").read_text())["recipes"]["specialist"]


def test_few_tools_get_as_many_groups_as_they_have_queries_for(folder):
    months = {"month": {"en": ["May", "June", "July", "August"]}}
    (bill,) = (tool for tool in own_tools.BIKES["tools"] if tool["name"] == "get_bill")
    changes = {"words": own_tools.BIKES["words"] | months, "tools": [bill | {"siblings": []}]}
    own_tools.write_domain(folder, "bills", **changes)
    entry = make("mine", "bills")
    assert entry["plan"]["tools_per_prompt"] == [1]
    assert entry["plan"]["groups"] == {"en": 2}  # 3 phrasings of 3 months are 9 queries


def test_written_examples_are_enough_without_any_scenario(folder):
    tools = own_tools.strip_scenarios(own_tools.BIKES["tools"])
    own_tools.write_domain(folder, "bikes", tools=tools)
    with pytest.raises(
        BadInput, match="no written examples in data/written/mine: nothing to train"
    ):
        make("mine", "bikes")
    (folder / "data/written/mine").mkdir(parents=True)
    (folder / "data/written/mine/people.jsonl").write_text("")
    entry = make("mine", "bikes")
    assert entry["written"]["folder"] == "data/written/mine"
    assert entry["plan"]["groups"] == {"en": 0}


def test_a_scenario_that_calls_a_tool_of_another_file_needs_both_domains(folder, capsys):
    everything = {tool["name"] for tool in own_tools.BIKES["tools"]}
    own_tools.write_domain(folder, "rentals", "rent_bike", "extend_rental", "end_rental")
    own_tools.write_domain(
        folder, "bikes", *everything - {"rent_bike", "extend_rental", "end_rental"}
    )
    make("half", "bikes")
    left_out = "left out: scenario find_bikes.find_and_rent (it calls rent_bike); add its domain"
    assert left_out in capsys.readouterr().out
    entry = make("whole", "bikes", "rentals")
    assert entry["plan"]["tools_per_prompt"] == [7]
    assert "left out: scenario" not in capsys.readouterr().out


def test_a_domain_of_the_name_of_ours_is_named_with_both_files(folder):
    own_tools.write_domain(folder, "bikes", domain="weather")
    with pytest.raises(
        BadInput, match=r"weather\.yaml:1: .* also the domain of .*/bikes\.yaml; give"
    ):
        make("mine", "weather")


def test_a_tool_of_the_name_of_one_of_ours_is_named(folder):
    tools = [own_tools.BIKES["tools"][1] | {"name": "get_air_quality", "siblings": []}]
    own_tools.write_domain(folder, "bikes", tools=own_tools.strip_scenarios(tools))
    with pytest.raises(BadInput, match=r"weather\.yaml:\d+: .*two tools are named get_air_quality"):
        make("mine", "bikes")


@pytest.mark.parametrize(
    ("name", "source", "problem"),
    [
        ("general", "specialist", "general is there already; choose another NAME"),
        ("7b", "specialist", "NAME=7b: expected letters"),
        ("tiny", "specialist", "tiny is there already"),
        ("my-tools", "specialist", "NAME=my-tools: expected letters, digits and _"),
        ("catalogue", "specialist", "NAME=catalogue: data/catalogue is something else"),
        ("mine", "special", "FROM=special: expected one of general, general_large, specialist"),
    ],
)
def test_a_name_that_cannot_be_is_one_line_and_writes_nothing(name, source, problem):
    before = Path("params.yaml").read_bytes()
    with pytest.raises(BadInput, match=problem):
        make(name, source=source)
    assert Path("params.yaml").read_bytes() == before


def test_an_unknown_domain_is_named_with_those_that_are_there():
    with pytest.raises(BadInput, match=r"no domain 'bikes'; available: home, text, weather"):
        make("mine", "bikes")
