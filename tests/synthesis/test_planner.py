"""The plan: every cell is filled, tool lists hold near-duplicates, and nothing held out."""

import copy
import re
from collections import Counter
from pathlib import Path
from statistics import fmean

import msgspec
import pytest
import vl_convert
import yaml
from dvc_render.vega import VegaRenderer

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.files import csv_records, jsonl
from agent_tuning.records import BadInput
from agent_tuning.synthesis.coverage import CoverageRow
from agent_tuning.synthesis.planner import (
    PlanConfig,
    Planner,
    check_ratio,
    count_coverage,
    summarize,
)
from agent_tuning.synthesis.teachers import GroupRequest
from stages import plan
from tests.support import default_data, general_params, own_tools

HELD_OUT = default_data.HELD_OUT.tools


def changed(**fields: object) -> PlanConfig:
    return msgspec.structs.replace(default_data.PLAN, **fields)


def needed(request: GroupRequest) -> set[str]:
    scenarios = [
        (i.tool, default_data.CATALOGUE.scenario(i.tool, i.scenario)) for i in request.items
    ]
    return {step.tool for tool, scenario in scenarios for step in scenario.steps(tool)}


def test_every_cell_reaches_its_minimum():
    for row in count_coverage(default_data.planner(), default_data.requests()):
        assert row.count >= default_data.PLAN.minimum[row.language], row


def test_an_empty_cell_fails_by_name():
    with pytest.raises(BadInput, match=r"plan: \w+ x \w+ x en: 0 of at least 1 .*plan.groups.en"):
        count_coverage(
            Planner(default_data.CATALOGUE, changed(minimum={"en": 1, "zh": 0}), HELD_OUT), []
        )


def test_coverage_has_one_row_a_cell_and_language_and_counts_every_item():
    rows = count_coverage(default_data.planner(), default_data.requests())
    assert len({(r.tool, r.scenario, r.language) for r in rows}) == len(rows)
    assert sum(row.count for row in rows) == sum(len(r.items) for r in default_data.requests())


def test_a_tool_list_holds_what_is_needed_and_nothing_held_out():
    for request in default_data.requests():
        tools = set(request.tools)
        assert len(tools) == len(request.tools) >= min(default_data.PLAN.tools_per_prompt)
        assert needed(request) <= tools
        assert not tools & set(HELD_OUT)


def test_nine_of_ten_wanted_tools_have_a_near_duplicate_in_the_list():
    entries = default_data.CATALOGUE.entries
    near = [
        bool(set(entries[item.tool].siblings) & set(request.tools))
        for request in default_data.requests()
        for item in request.items
    ]
    assert sum(near) >= 0.9 * len(near)


def test_groups_are_as_many_and_as_large_as_asked_for():
    assert (
        Counter(request.language for request in default_data.requests()) == default_data.PLAN.groups
    )
    assert {len(request.items) for request in default_data.requests()} == {
        default_data.PLAN.positives
    }
    assert len({request.id for request in default_data.requests()}) == len(default_data.requests())


def test_groups_of_one_prompt_share_their_tool_list():
    tool_lists: dict[str, set[tuple[str, ...]]] = {}
    for request in default_data.requests():
        tool_lists.setdefault(request.prompt, set()).add(request.tools)
    assert {len(tool_lists_of_prompt) for tool_lists_of_prompt in tool_lists.values()} == {1}
    most = Counter(request.prompt for request in default_data.requests())
    assert max(most.values()) == default_data.PLAN.groups_per_prompt


@pytest.mark.parametrize("simple_per_complex", [1, 6])
def test_simple_to_complex_is_the_parameter(simple_per_complex):
    p = changed(groups={"en": 70}, groups_per_prompt=1, simple_per_complex=simple_per_complex)
    items = [
        i for r in Planner(default_data.CATALOGUE, p, HELD_OUT).requests("en") for i in r.items
    ]
    counts = Counter(item.complexity for item in items)
    assert counts["complex"] == len(items) // (simple_per_complex + 1)


@pytest.mark.parametrize("groups_per_prompt", [1, 2, 5])
def test_chains_that_a_shared_tool_list_lacks_are_made_up_for_later(groups_per_prompt):
    p = changed(groups={"en": 100}, groups_per_prompt=groups_per_prompt, minimum={"en": 0})
    planner = Planner(default_data.CATALOGUE, p, HELD_OUT)
    counts = check_ratio(planner, list(planner.requests("en")))
    assert abs(counts["en", "complex"] - 400 // 7) <= groups_per_prompt


def test_both_sorts_of_complex_cells_are_used_equally():
    cells = [cell for cell in default_data.planner().cells if cell.complexity == "complex"]
    used = {
        kind: fmean(
            default_data.planner().used[cell, "en"] for cell in cells if cell.scenario.kind == kind
        )
        for kind in ("chain", "multi")
    }
    assert used["multi"] == pytest.approx(used["chain"], rel=0.3)


def test_another_ratio_than_the_parameter_fails_by_name():
    wanted = default_data.PLAN.groups["en"] * default_data.PLAN.positives // 3
    problem = rf"plan: en: \d+ simple to \d+ complex .* = 2 requires {wanted}"
    with pytest.raises(BadInput, match=problem):
        check_ratio(
            Planner(default_data.CATALOGUE, changed(simple_per_complex=2), HELD_OUT),
            default_data.requests(),
        )


def test_a_cell_is_left_out_when_its_grammar_has_no_query_more():
    p = changed(groups={"zh": 900}, groups_per_prompt=2, minimum={"zh": 0})
    planner = Planner(default_data.CATALOGUE, p, HELD_OUT)
    requests = list(planner.requests("zh"))
    full = [cell for cell in planner.cells if planner.used[cell, "zh"] == cell.capacity["zh"]]
    assert full
    assert all(planner.used[cell, "zh"] <= cell.capacity["zh"] for cell in planner.cells)
    assert len(requests) == 900
    check_ratio(planner, requests)


def test_a_cap_holds_for_every_cell():
    config = changed(per_cell=3, groups={"en": 120})
    planner = Planner(default_data.CATALOGUE, config, HELD_OUT)
    rows = Counter(
        (item.tool, item.scenario) for request in planner.requests("en") for item in request.items
    )
    assert max(rows.values()) == 3


def test_more_than_the_grammar_can_say_is_named():
    few = {
        name: msgspec.structs.replace(entry, scenarios=entry.scenarios[:1])
        for name, entry in default_data.CATALOGUE.entries.items()
        if name in ("get_current_weather", "get_air_quality", "get_weather_forecast")
    }
    catalogue = copy.copy(default_data.CATALOGUE)
    catalogue.entries = few
    p = changed(groups={"en": 900})
    with pytest.raises(BadInput, match=r"plan: en: after \d+ groups the grammar has no"):
        list(Planner(catalogue, p, ()).requests("en"))


def test_no_item_is_planned_twice():
    items = [(r.language, i) for r in default_data.requests() for i in r.items]
    assert len(set(items)) == len(items)


def test_a_language_is_planned_the_same_alone():
    alone = list(
        Planner(default_data.CATALOGUE, changed(groups={"zh": 6}), HELD_OUT).requests("zh")
    )
    p = changed(groups={"en": 10, "zh": 6})
    planner = Planner(default_data.CATALOGUE, p, HELD_OUT)
    assert [r for language in p.groups for r in planner.requests(language)][10:] == alone


def test_an_unknown_held_out_tool_is_named():
    with pytest.raises(BadInput, match=r"held_out\.tools: not in the catalogue: \['get_whether'\]"):
        Planner(default_data.CATALOGUE, default_data.PLAN, ("get_whether",))


def run_stage(recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The stage with the committed numbers of a recipe; the paths of what it wrote."""
    catalogue = Path("data/catalogue").absolute()
    sections = general_params.read() | {"recipe": recipe}
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(yaml.safe_dump(sections))
    paths = [tmp_path / name for name in ("plan.jsonl", "coverage.csv", "plan.json")]
    plan.main(catalogue, *paths)
    return paths


def test_the_specialists_plan_offers_all_tools_of_its_domains_and_no_other(
    tmp_path, monkeypatch, capsys
):
    paths = run_stage("specialist", tmp_path, monkeypatch)
    requests = list(jsonl.read(paths[0], GroupRequest))
    own = set(default_data.CATALOGUE.list_tools(["shop", "cart", "messaging"]))
    assert len(own) == 13
    assert all(set(request.tools) == own for request in requests)
    assert {request.language for request in requests} == {"en"}
    assert "left out: scenario " in capsys.readouterr().out


def test_the_plan_of_the_large_sizes_fills_its_cells_below_their_cap(tmp_path, monkeypatch):
    plan_path, coverage, _ = run_stage("general_large", tmp_path, monkeypatch)
    assert len(plan_path.read_text().splitlines()) == 26000
    counts = [row.count for row in csv_records.read(coverage, CoverageRow)]
    assert 900 < max(counts) <= 1000


def test_the_stage_writes_the_plan_and_its_coverage(tmp_path, monkeypatch):
    paths = run_stage("general", tmp_path, monkeypatch)
    assert list(jsonl.read(paths[0], GroupRequest)) == default_data.requests()
    assert list(csv_records.read(paths[1], CoverageRow)) == count_coverage(
        default_data.planner(), default_data.requests()
    )


def test_dvcs_heat_map_has_a_field_for_every_cell_and_marks_the_empty_ones():
    rows = [
        CoverageRow("get_time", "now", "simple", "en", 3),
        CoverageRow("get_time", "later", "simple", "en", 0),
        CoverageRow("get_time", "both", "complex", "zh", 1),
    ]
    # DVC reads a CSV's cells as text.
    points = [{**msgspec.to_builtins(row), "count": str(row.count), "rev": "now"} for row in rows]
    picture = VegaRenderer(
        points, "coverage", template="coverage", template_dir=".dvc/plots", x="count", y="tool"
    )
    drawn = vl_convert.vegalite_to_svg(picture.get_filled_template())
    cells = re.findall(r'aria-label="cell: (\w+ \d); tool: get_time; trajectories: (\d)', drawn)
    # Scenarios are numbered by name: both, then later, then now.
    assert sorted(cells) == [("complex 1", "1"), ("simple 1", "0"), ("simple 2", "3")]
    assert drawn.count('fill="#c8506e"') == 1


def test_a_grammar_without_complex_queries_owes_none(tmp_path):
    (tmp_path / "data/catalogue").mkdir(parents=True)
    own_tools.write_domain(tmp_path, "bills", "get_bill")
    catalogue = Catalogue(tmp_path / "data/catalogue")
    p = changed(groups={"en": 6}, tools_per_prompt=(1,), minimum={"en": 1})
    planner = Planner(catalogue, p, ())
    assert check_ratio(planner, list(planner.requests("en"))) == {("en", "simple"): 24}


def test_a_plan_of_no_groups_needs_no_scenario(tmp_path):
    (tmp_path / "data/catalogue").mkdir(parents=True)
    tools = own_tools.strip_scenarios(own_tools.BIKES["tools"])
    own_tools.write_domain(tmp_path, "bikes", tools=tools)
    planner = Planner(Catalogue(tmp_path / "data/catalogue"), changed(groups={"en": 0}), ())
    assert list(planner.requests("en")) == count_coverage(planner, []) == []
    assert summarize([], [])["least_covered"] == 0


def test_one_scenario_a_tool_is_the_first_one_of_the_catalogue():
    planner = Planner(default_data.CATALOGUE, changed(scenarios_per_tool=1), HELD_OUT)
    first: dict[str, str] = {}
    for cell in default_data.planner().cells:
        first.setdefault(cell.tool, cell.scenario.name)
    assert [(cell.tool, cell.scenario.name) for cell in planner.cells] == list(first.items())
    assert len(planner.cells) < len(default_data.planner().cells)


def test_as_many_scenarios_as_a_tool_has_are_all():
    many = Planner(default_data.CATALOGUE, changed(scenarios_per_tool=100), HELD_OUT)
    names = [
        [(cell.tool, cell.scenario.name) for cell in planner.cells]
        for planner in (many, default_data.planner())
    ]
    assert names[0] == names[1]
