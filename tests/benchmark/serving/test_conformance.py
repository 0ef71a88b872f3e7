"""Conformance: through `transformers serve` the model decides as in `predict`, call for call."""

from pathlib import Path

import msgspec
import pytest

from agent_tuning.files import csv_records
from agent_tuning.records import NATIVE, Assistant, BadInput, User
from agent_tuning.runtime import config
from benchmark.engines.answer import Answer
from benchmark.engines.config import PredictConfig
from benchmark.serving import conformance
from benchmark.serving.ask_server import ServedAnswer, Server
from benchmark.serving.cases import WITHOUT, ConformanceConfig, choose_cases
from benchmark.serving.comparison import Comparison, Difference
from benchmark.serving.conformance import ConformanceRow, find_problems, summarize
from benchmark.tasks.suite_prompts import SuitePrompt
from benchmark.tasks.suites import Gold, GoldCall, Suite, Task
from tests.support.overfitted_model import CONVERSATIONS, TOOLS

# A tiny model trained for seconds is less sure than a real one: on some processors two cities are a
# near-tie. A server with another prompt or parser differs by far more, or without a gap.
SETTINGS = ConformanceConfig({"s": None}, 20, 8, 4, 0.1)
NAMES = ("transformers", "5", "no")


def gold(turn: Assistant) -> Gold:
    calls = (GoldCall(c.name, {k: (v,) for k, v in c.arguments.items()}) for c in turn.calls)
    return Gold(turn.decision, turn.thought, tuple(calls))


def suite() -> Suite:
    """Every decision of the conversations that the model was overfitted on."""
    prompt = SuitePrompt("s/p", "en", tuple(tool.name for tool in TOOLS), NATIVE, NATIVE, NATIVE)
    tasks = [
        Task(f"s/{number}.{place}", "s/p", turns[:place], (gold(turn),), "call")
        for number, turns in enumerate(CONVERSATIONS)
        for place, turn in enumerate(turns)
        if isinstance(turn, Assistant)
    ]
    return Suite("s", {tool.name: tool for tool in TOOLS}, {"s/p": prompt}, tuple(tasks))


@pytest.fixture(scope="module")
def compared(overfitted: Path, url: str) -> Comparison:
    predict = msgspec.structs.replace(config.load("predict", PredictConfig), max_new_tokens=300)
    comparison = Comparison(list(choose_cases([suite()], SETTINGS)), overfitted, predict)
    comparison.ask(Server(url, 300), SETTINGS.streamed)
    return comparison


def test_every_decision_of_the_server_is_the_one_that_predict_reads(compared):
    differences = list(compared.find_differences())
    row = summarize(compared, differences, NAMES, SETTINGS.near_tie)
    assert not list(find_problems(row, SETTINGS)), differences
    assert row.equal + row.near_ties == row.requests
    assert row.em == row.em_predict > 0.9  # the model was overfitted on these tasks


def test_later_steps_are_asked_with_and_without_thoughts_and_this_server_keeps_them(compared):
    later = [case for case in compared.cases if case.is_later_step]
    assert {case.id + WITHOUT for case in later if case.is_task} == {
        case.id for case in later if not case.is_task
    }
    assert not any(map(compared.drops_thoughts, later))
    assert all(map(compared.has_same_prompt, compared.cases))


def test_a_server_that_drops_thoughts_is_compared_with_the_prompt_without_them(compared):
    case = next(case for case in compared.cases if case.is_later_step and case.is_task)
    served, other = compared.served[case.id], case.id + WITHOUT
    answer = msgspec.structs.replace(compared.ours[other], task=case.id)
    compared.served[case.id] = ServedAnswer(answer, len(compared.prompts[other]))
    assert compared.drops_thoughts(case)
    assert compared.is_equal(case)
    assert compared.has_same_prompt(case)
    assert summarize(compared, [], NAMES, 0.0).thoughts == "dropped"
    compared.served[case.id] = served


def test_another_decision_is_a_difference_with_the_gap_of_its_logits(compared):
    case = next(case for case in compared.cases if compared.count_calls(case))
    right = compared.served[case.id]
    for text, problem in [("Sing?", "not by a near-tie"), ("", "not by a near-tie")]:
        compared.served[case.id] = ServedAnswer(Answer(case.id, text), right.prompt_tokens)
        difference = find_difference(compared, case.id)
        assert difference.gap is not None
        assert difference.gap > SETTINGS.near_tie
        row = summarize(compared, [difference], NAMES, SETTINGS.near_tie)
        assert [line for line in find_problems(row, SETTINGS) if problem in line]
    compared.served[case.id] = ServedAnswer(Answer(case.id, "", error="HTTP 500"), 0)
    difference = find_difference(compared, case.id)
    assert (difference.gap, difference.served) == (None, "HTTP 500")
    compared.served[case.id] = right


def find_difference(compared: Comparison, case: str) -> Difference:
    """That of one case; others may be near-ties."""
    (found,) = (one for one in compared.find_differences() if one.case == case)
    return found


def row(**changes: object) -> ConformanceRow:
    whole = ConformanceRow("e", "1", "no", 40, 30, 8, "kept", 40, 40, 0, 4, 4, 20, 0.5, 0.5, "w")
    return msgspec.structs.replace(whole, **changes)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"calls": 0}, "0 calls; expected 20"),
        ({"later_steps": 0}, "0 later steps"),
        ({"prompts": 39}, "1 prompts have another number"),
        ({"equal": 38, "near_ties": 1}, "1 decisions differ"),
        ({"streamed_equal": 3}, "1 streams say something else"),
        ({"streamed": 0, "streamed_equal": 0}, "0 streams; expected 4"),
    ],
)
def test_too_little_and_anything_else_than_a_near_tie_fails(changes, problem):
    assert not list(find_problems(row(), SETTINGS))
    (found,) = find_problems(row(**changes), SETTINGS)
    assert problem in found


def test_guided_decoding_may_decide_otherwise_and_stands_apart(tmp_path):
    table = tmp_path / "t.csv"
    for one in (row(), row(guided="yes", equal=3), row(equal=39, near_ties=1)):
        conformance.write_row(table, one)
    assert not list(find_problems(row(guided="yes", equal=3), SETTINGS))
    written = list(csv_records.read(table, ConformanceRow))
    assert [(one.guided, one.equal) for one in written] == [("no", 39), ("yes", 3)]


def test_a_url_without_a_server_is_one_line():
    with pytest.raises(
        BadInput, match=r"URL=http://127\.0\.0\.1:9/v1: no OpenAI-compatible server"
    ):
        Server("http://127.0.0.1:9/v1", 8)


def test_the_committed_section_asks_for_a_hundred_calls_and_thirty_later_steps():
    p = config.load("conformance", ConformanceConfig)
    assert p.minimum_calls >= 100
    assert p.minimum_later_steps >= 30


def test_a_task_without_calls_in_its_history_is_asked_once():
    cases = list(choose_cases([suite()], SETTINGS))
    first = [case for case in cases if len(case.turns) == 1]
    assert len(first) == len(CONVERSATIONS)
    assert all(case.is_task and isinstance(case.turns[0], User) for case in first)
