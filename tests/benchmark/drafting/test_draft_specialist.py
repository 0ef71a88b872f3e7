"""The shop's suite from the grammar: all kinds, all tools, and nothing that training says."""

from collections import Counter
from pathlib import Path

import msgspec

from agent_tuning.catalogue.entries import Catalogue, CatalogueConfig
from agent_tuning.records import Assistant, ToolResult, User
from agent_tuning.runtime import config
from agent_tuning.synthesis.held_out import HeldOut
from agent_tuning.synthesis.negative_selection import NegativesConfig
from agent_tuning.synthesis.teachers.scripted import fill_slots
from benchmark.drafting import draft_house, draft_specialist
from benchmark.drafting.draft_sources import read_sources
from benchmark.drafting.draft_specialist import SpecialistDraftConfig, SpecialistDrafter
from benchmark.reports import suite_check
from benchmark.tasks import suites
from benchmark.tasks.suite_version import read_version
from tests.support import default_data
from tests.support.native_suites import (
    SETTINGS,
    find_misfits,
    list_queries,
    rewrite_as_hermes,
)

FOLDER = Path("benchmark/suites/shop_drafted")
SUITE = suites.read(FOLDER)
TASKS = SUITE.tasks
P = config.load("draft_specialist", SpecialistDraftConfig)
DOMAINS = config.load("catalogue", CatalogueConfig, recipe="specialist").domains
OTHER_DOMAINS = config.load(
    "add_hard_negatives", NegativesConfig, recipe="specialist"
).other_domains
CATALOGUE = Catalogue(Path("data/catalogue"), DOMAINS)


def of_kind(kind: str) -> list[suites.Task]:
    return [task for task in TASKS if task.kind == kind]


def test_every_kind_has_as_many_tasks_as_the_section_says():
    assert Counter(task.kind for task in TASKS) == msgspec.structs.asdict(P.tasks)
    assert len(TASKS) >= 320
    assert len([task for task in TASKS if task.decision == "ask"]) >= 60
    assert len(of_kind("multi")) >= 60


def test_every_prompt_lists_all_tools_in_another_order():
    for prompt in SUITE.prompts.values():
        assert set(prompt.tools) == CATALOGUE.entries.keys() == SUITE.tools.keys()
        assert {prompt.template, prompt.tool_format, prompt.reply_format} == {"native"}
        assert prompt.language == "en"
    assert len({prompt.tools for prompt in SUITE.prompts.values()}) == len(SUITE.prompts)
    assert set(Counter(task.prompt for task in TASKS).values()) == {P.tasks_per_prompt}


def test_every_gold_fits_the_schema_of_its_tool():
    assert find_misfits(SUITE) == []


def test_every_tool_is_called():
    called = {call.name for task in of_kind("call") for call in task.golds[0].calls}
    assert called == CATALOGUE.entries.keys()
    assert {call.name for task in of_kind("follow_up") for call in task.golds[0].calls} == called


def test_a_value_was_said_or_observed_before():
    for task in TASKS:
        said = "\n".join(turn.text for turn in task.turns if isinstance(turn, User))
        said += str([turn.content for turn in task.turns if isinstance(turn, ToolResult)])
        for call in task.golds[0].calls:
            for name, (value,) in call.arguments.items():
                for text in value if isinstance(value, list) else [value]:
                    if not isinstance(text, bool):  # "with a receipt" is true
                        assert str(text) in said, f"{task.id}: {name}"


def test_a_chain_is_cut_before_every_one_of_its_calls():
    cuts = {
        (call.name, sum(isinstance(turn, Assistant) for turn in task.turns))
        for task in of_kind("chain")
        for call in task.golds[0].calls
    }
    for tool, scenario in CATALOGUE.cells():
        if scenario.kind == "chain":
            for before, step in enumerate(scenario.steps(tool)):
                assert (step.tool, before) in cuts


def test_a_follow_up_calls_with_what_both_messages_say():
    for task in of_kind("follow_up"):
        opening, ask, answer = task.turns
        assert isinstance(opening, User)
        assert isinstance(answer, User)
        assert isinstance(ask, Assistant)
        assert ask.decision == "ask"
        assert ask.text.endswith("?")
        (call,) = task.golds[0].calls
        missing = CATALOGUE.entries[call.name].missing
        assert missing is not None
        (value,) = call.arguments[missing.argument]
        for text in value if isinstance(value, list) else [value]:
            assert str(text) in answer.text
            assert str(text) not in opening.text


def test_what_no_tool_can_do_comes_from_other_domains():
    assert not set(OTHER_DOMAINS) & set(DOMAINS)
    for task in of_kind("tool_unavailable"):
        assert task.golds == (suites.Gold("no_call"),)


def test_both_sides_of_the_axis_are_asked_for():
    for kind in ("call", "multi", "chain", "missing_argument", "follow_up"):
        sides = Counter(task.axes["query"] for task in of_kind(kind))
        assert min(sides["seen"], sides["unseen"]) >= 0.3 * len(of_kind(kind)), kind


def test_no_query_is_asked_twice_here_or_in_the_suite_that_people_wrote():
    written = suites.read(Path("benchmark/suites/shop"))
    queries = [query.casefold() for suite in (SUITE, written) for query in list_queries(suite)]
    assert [query for query, count in Counter(queries).items() if count > 1] == []


def test_only_calls_have_a_thought():
    for task in TASKS:
        for turn in (*task.turns, *task.golds):
            if isinstance(turn, Assistant | suites.Gold):
                assert bool(turn.thought) == bool(turn.calls), task.id


def test_training_never_says_what_the_suite_asks_back_about():
    """A phrasing without a value to hold out would be the same sentence there and here."""
    teacher = default_data.teacher()
    trained = set()
    for tool, entry in CATALOGUE.entries.items():
        for phrasing in teacher.grammar.phrasings(entry.missing.queries, "en"):
            for number in range(teacher.grammar.count_sentences(phrasing, tool, "en")):
                values = teacher.grammar.values(phrasing, tool, "en", number)
                trained.add(fill_slots(phrasing, values))
    assert not trained & set(list_queries(SUITE))


def test_drafting_again_writes_the_same_suite(tmp_path, capsys):
    draft_specialist.main(tmp_path / FOLDER.name)
    for file in ("tools.jsonl", "prompts.jsonl", "tasks.jsonl", "version.json"):
        assert (tmp_path / FOLDER.name / file).read_bytes() == (FOLDER / file).read_bytes()
    assert read_version(FOLDER, SUITE).version == P.version
    assert "left out: scenario get_product_price.price_in_own_currency" in capsys.readouterr().out


def test_the_house_suite_keeps_its_bytes(tmp_path):
    (tmp_path / "house-2").symlink_to(Path("benchmark/suites/house-2").absolute())
    draft_house.main(tmp_path / "house")
    for file in ("tools.jsonl", "prompts.jsonl", "tasks.jsonl", "version.json"):
        path = Path("benchmark/suites/house", file)
        assert (tmp_path / "house" / file).read_bytes() == path.read_bytes()


def test_the_suite_check_finds_no_problem():
    assert list(suite_check.find_problems(rewrite_as_hermes(SUITE), SETTINGS)) == []


def test_there_are_no_more_tasks_of_a_kind_than_the_grammar_has_and_it_says_so(capsys):
    greedy = msgspec.structs.replace(P.tasks, on_topic_chat=14)  # one remark of a tool is held out
    p = msgspec.structs.replace(P, tasks=greedy)
    sources = read_sources(HeldOut((), (), ()), DOMAINS)
    others = Catalogue(Path("data/catalogue"), OTHER_DOMAINS)
    groups = list(SpecialistDrafter(sources, others, p).groups("mine"))
    kinds = Counter(task.kind for group in groups for task in group.tasks)
    assert kinds == Counter(task.kind for task in TASKS) + Counter(on_topic_chat=1)
    assert capsys.readouterr().out == (
        "on_topic_chat: 13 of 14 tasks: the held-out grammar has no more\n"
    )
