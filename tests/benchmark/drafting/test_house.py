"""The house suite: sound tasks, correct axes, and no overlap with training."""

import re
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from agent_tuning.catalogue import schema
from agent_tuning.catalogue.entry_records import LANGUAGES, SLOT
from agent_tuning.records import Assistant, BadInput, Call, User
from agent_tuning.runtime import config
from agent_tuning.synthesis.hard_negatives import KINDS
from agent_tuning.synthesis.held_out import HeldOut
from benchmark.drafting import draft_house
from benchmark.drafting.draft_sources import read_sources
from benchmark.drafting.house_layout import HouseDraftConfig
from benchmark.tasks import suites
from tests.support import default_data, own_tools

P = config.load("draft", HouseDraftConfig)
HELD_OUT = default_data.DRAFT_SOURCES.held_out
HELD_OUT_TOOLS = HELD_OUT.tools
HOUSE = default_data.HOUSE
TASKS = HOUSE.tasks


def drafted(p: HouseDraftConfig) -> list[suites.Task]:
    drafter = draft_house.HouseDrafter(default_data.DRAFT_SOURCES, p)
    return [task for group in drafter.groups(p.first) for task in group.tasks]


def test_it_is_large_enough_to_tell_models_apart():
    assert len(TASKS) >= 1000


def test_menus_are_large_enough_to_choose_from():
    assert min(len(prompt.tools) for prompt in HOUSE.specs.values()) >= 8


def test_ids_are_unique_and_queries_do_not_recur():
    assert len({task.id for task in TASKS}) == len(TASKS)
    counts = Counter(
        (msgspec.json.encode(task.turns), HOUSE.prompts[task.prompt].tools) for task in TASKS
    )
    assert max(counts.values()) == 1


def test_every_gold_is_callable_and_fits_its_schema():
    for task in TASKS:
        for call in (call for gold in task.golds for call in gold.calls):
            given = {name: accepted[0] for name, accepted in call.arguments.items()}
            offered = HOUSE.prompt(task).tools
            assert schema.find_call_problem(Call(call.name, given), offered) is None, task.id


def test_a_task_ends_before_a_decision():
    for task in TASKS:
        assert isinstance(task.turns[0], User)
        assert not isinstance(task.turns[-1], Assistant)


def test_every_kind_and_decision_is_asked_for():
    assert {task.decision for task in TASKS} == {"call", "no_call", "ask"}
    assert {task.kind for task in TASKS} == {"call", "chain", "multi", *KINDS}
    assert {prompt.reply_format for prompt in HOUSE.specs.values()} == set(P.reply_formats)
    assert {prompt.language for prompt in HOUSE.specs.values()} == {"en", "zh"}


@pytest.mark.parametrize("axis", ["query", "tool", "template", "tool_format"])
def test_both_sides_of_every_axis_are_asked_for(axis):
    assert {task.axes[axis] for task in TASKS} == {"seen", "unseen"}


def test_an_unseen_template_or_format_is_one_that_training_never_uses():
    for task in TASKS:
        prompt = HOUSE.prompt(task)
        assert (task.axes["template"] == "unseen") == (prompt.template in HELD_OUT.templates)
        unseen = task.axes["tool_format"] == "unseen"
        assert unseen == (prompt.tool_format in HELD_OUT.tool_formats)


def test_a_reply_format_is_one_that_training_teaches():
    """A model that never saw a format would be tested on the format, not on the decision."""
    assert set(P.reply_formats) <= default_data.DIVERSIFY.reply_formats.keys()


def test_an_unseen_tool_is_one_that_training_never_offers():
    for task in TASKS:
        if task.kind == "call":
            called = {call.name for gold in task.golds for call in gold.calls}
            assert (task.axes["tool"] == "unseen") == (called <= set(HELD_OUT_TOOLS)), task.id


def test_a_call_is_of_a_tool_on_the_side_that_its_axis_says():
    for task in TASKS:
        for call in (call for gold in task.golds for call in gold.calls):
            unseen = call.name in HELD_OUT_TOOLS
            assert unseen == (task.axes["tool"] == "unseen"), task.id


def test_a_draft_asks_for_calls_at_once_of_seen_and_of_unseen_tools():
    drafter = draft_house.HouseDrafter(default_data.DRAFT_SOURCES, P)
    tools = {group.prompt.id: group.prompt.tools for group in drafter.groups(P.first)}
    several = [task for task in drafted(P) if task.kind == "multi"]
    assert len(several) >= 60
    assert {task.axes["tool"] for task in several} == {"seen", "unseen"}
    for task in several:
        (gold,) = task.golds
        unseen = {call.name in HELD_OUT_TOOLS for call in gold.calls}
        assert len(gold.calls) >= 2
        assert {call.name for call in gold.calls} <= {
            key.split(".")[0] for key in tools[task.prompt]
        }
        assert unseen == {task.axes["tool"] == "unseen"}
        assert [type(turn) for turn in task.turns] == [User]


def test_a_query_is_of_a_held_out_phrasing_exactly_when_its_axis_says_so():
    trained, held_out = phrasings()
    typed_well = msgspec.structs.replace(P.style, typo_rate=0.0)
    for task in drafted(msgspec.structs.replace(P, style=typed_well)):
        if task.decision == "call":
            patterns = held_out if task.axes["query"] == "unseen" else trained
            query = task.turns[0].text
            assert any(pattern.fullmatch(query) for pattern in patterns), query


def strip_polite_words(query: str) -> str:
    """Without the polite words around it."""
    for language in LANGUAGES:
        for opener in getattr(default_data.PHRASING.openers, language):
            query = query.removeprefix(opener)
        for closer in getattr(default_data.PHRASING.closers, language):
            query = query.removesuffix(closer)
    return query


def phrasings() -> tuple[list[re.Pattern[str]], list[re.Pattern[str]]]:
    """What training may say, and what it may not, with anything in the slots."""
    lists = [
        getattr(scenario.queries, language)
        for _, scenario in default_data.CATALOGUE.cells()
        for language in LANGUAGES
    ]
    trained = [text for queries in lists for text in queries[:-1]]
    return [as_pattern(text) for text in trained], [as_pattern(queries[-1]) for queries in lists]


def as_pattern(phrasing: str) -> re.Pattern[str]:
    # Of every two parts around a slot the second is its name.
    wording = ".+".join(map(re.escape, SLOT.split(phrasing)[::2]))
    polite = default_data.PHRASING.openers, default_data.PHRASING.closers
    before, after = ("|".join(map(re.escape, texts.en + texts.zh)) for texts in polite)
    return re.compile(f"(?:{before})?{wording}(?:{after})?")


def test_training_overlaps_with_no_query_of_the_suite():
    fence = default_data.contamination_filter()
    trained = [
        (trajectory.query, tuple(tool.name for tool in group.tools))
        for group in default_data.groups_with_negatives()
        for trajectory in group.trajectories
    ]
    trained += [
        (trajectory.query, ()) for trajectory in default_data.GENERAL_QUESTIONS.asked("train")
    ]
    overlaps = {query: fence.overlap(query, tools) for query, tools in trained}
    assert {query: overlap for query, overlap in overlaps.items() if overlap} == {}


def test_drafting_again_writes_the_same_suite(tmp_path):
    for name in ("first", "second"):
        draft_house.main(tmp_path / name)
    for file in ("tools.jsonl", "prompts.jsonl", "tasks.jsonl"):
        written = [Path(tmp_path, name, file).read_bytes() for name in ("first", "second")]
        assert written[0] == written[1]
    assert suites.read(tmp_path / "first").tasks


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The repository of somebody who put seven English tools without scenarios beside ours."""
    ours = [path.stem for path in Path("data/catalogue").glob("*.yaml")]
    own_tools.build_repository(tmp_path, ours)
    tools = own_tools.strip_scenarios(own_tools.BIKES["tools"])
    own_tools.write_domain(tmp_path, "bikes", tools=tools)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("own")
def test_tools_without_scenarios_only_make_lists_harder_and_stay_out_of_other_languages():
    p = msgspec.structs.replace(P, groups=14, tools_per_prompt=60)
    groups = list(draft_house.HouseDrafter(read_sources(HELD_OUT), p).groups(p.first))
    bikes = {tool["name"] for tool in own_tools.BIKES["tools"]}
    listed = {prompt.language: set(prompt.tools) for prompt, _ in groups}
    assert listed["en"] & bikes
    assert not listed["zh"] & {f"{name}.zh" for name in bikes}
    golds = [gold for _, tasks in groups for task in tasks for gold in task.golds]
    assert not {call.name for gold in golds for call in gold.calls} & bikes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"templates": ()}, r"held_out\.templates: leaves no unseen one"),
        ({"templates": ("duty.en",)}, r"held_out\.templates: leaves no unseen one"),
        ({"tool_formats": ()}, r"held_out\.tool_formats: leaves no unseen one"),
        ({"tool_formats": P.tool_formats}, r"held_out\.tool_formats: leaves no seen one"),
        ({"templates": ("duti.en",)}, r"held_out\.templates: unknown: \['duti\.en'\]; available"),
        ({"tool_formats": ("csv",)}, r"held_out\.tool_formats: unknown: \['csv'\]; available"),
    ],
)
def test_what_held_out_leaves_nothing_of_is_one_line(changes, message):
    held_out = msgspec.structs.replace(HELD_OUT, **changes)
    sources = default_data.DRAFT_SOURCES._replace(held_out=held_out)
    with pytest.raises(BadInput, match=message):
        list(draft_house.HouseDrafter(sources, P).groups(P.first))


@pytest.mark.parametrize("field", ["tool_formats", "reply_formats"])
def test_a_format_that_there_is_not_is_one_line(field):
    p = msgspec.structs.replace(P, **{field: ("react", "native")})
    with pytest.raises(BadInput, match=rf"draft\.{field}: unknown: \['native'\]; available: autog"):
        draft_house.HouseDrafter(default_data.DRAFT_SOURCES, p)


def test_too_few_tools_to_ask_for_are_one_line(own):
    for path in (own / "data/catalogue").glob("*.yaml"):
        path.unlink()
    own_tools.write_domain(own, "bills", "get_bill", "get_bike")
    sources = read_sources(HELD_OUT)
    with pytest.raises(BadInput, match=r"held_out\.tools: not in the catalogue"):
        draft_house.HouseDrafter(sources, P)
    with pytest.raises(BadInput, match=r"leaves 2 seen tools, but a group asks for 4"):
        draft_house.HouseDrafter(read_sources(HeldOut((), (), ())), P)
