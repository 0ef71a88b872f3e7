"""The suite of freely worded tasks: what people wrote, checked as strictly as the grammar."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from agent_tuning.files import jsonl
from agent_tuning.records import BadInput, User
from agent_tuning.runtime import config
from agent_tuning.synthesis import written_examples
from benchmark.drafting import written_suite
from benchmark.drafting.accepted_values import AcceptedValuesConfig, list_accepted
from benchmark.drafting.written_suite import WrittenSuiteConfig
from benchmark.reports import suite_check
from benchmark.tasks import suites
from benchmark.tasks.suite_version import read_version
from benchmark.tasks.suites import Erratum, Gold
from tests.support.native_suites import (
    SETTINGS,
    find_misfits,
    list_queries,
    rewrite_as_hermes,
)

FOLDER = Path("benchmark/suites/shop")
SUITE = suites.read(FOLDER)
EXAMPLES = {
    f"shop/{id}": example for id, example in written_examples.read_folder(FOLDER / "written")
}
P = config.load("written_suite", WrittenSuiteConfig)
CONVERTED = {"time"}  # half past two becomes 14:30


def test_every_example_is_a_task_of_its_kind():
    assert {task.id: task.kind for task in SUITE.tasks} == {
        id: example.kind for id, example in EXAMPLES.items()
    }
    assert len(SUITE.tasks) >= 320
    kinds = Counter(task.kind for task in SUITE.tasks)
    assert kinds["missing_argument"] >= 60
    assert kinds["multi"] >= 40
    assert min(kinds.values()) >= 4
    assert len(kinds) == 9


def test_all_tools_are_asked_for_and_all_are_in_every_prompt():
    called = {c.name for task in SUITE.tasks for gold in task.golds for c in gold.calls}
    assert called == SUITE.tools.keys()
    assert len(called) == 13
    for prompt in SUITE.prompts.values():
        assert set(prompt.tools) == called
        assert {prompt.template, prompt.tool_format, prompt.reply_format} == {"native"}
    assert len({prompt.tools for prompt in SUITE.prompts.values()}) == len(SUITE.prompts)


def test_prompts_have_about_as_many_tasks_as_the_section_says():
    sizes = Counter(task.prompt for task in SUITE.tasks).values()
    assert max(sizes) == P.tasks_per_prompt
    assert min(sizes) >= P.tasks_per_prompt - 1


def test_every_accepted_value_fits_the_schema_of_its_tool():
    assert find_misfits(SUITE) == []


def test_what_a_gold_calls_with_was_said():
    """Text is copied from the user's messages, so that copying is always right."""
    for id, example in EXAMPLES.items():
        said = "\n".join(turn.text for turn in example.before if isinstance(turn, User))
        for call in (call for calls in (example.calls, *example.also_right) for call in calls):
            for name, value in call.arguments.items():
                schema = SUITE.tools[call.name].parameters["properties"][name]
                for text in value if isinstance(value, list) else [value]:
                    if isinstance(text, str) and name not in CONVERTED and "enum" not in schema:
                        assert text in said, f"{id}: {name}"


def test_a_time_is_written_with_24_hours():
    for task in SUITE.tasks:
        for call in (call for gold in task.golds for call in gold.calls):
            for time in call.arguments.get("time", ()):
                assert re.fullmatch(r"(?:[01]\d|2[0-3]):[0-5]\d", time), task.id


def test_no_query_is_asked_twice():
    queries = [query.casefold() for query in list_queries(SUITE)]
    assert len(set(queries)) == len(queries)


def test_a_reply_that_asks_ends_with_a_question_and_no_other_reply_does():
    """A native reply is read by that."""
    for id, example in EXAMPLES.items():
        if example.decision != "call":
            assert example.text.endswith("?") == (example.decision == "ask"), id
        assert all(m.content.endswith("?") for m in example.history if m.role == "assistant"), id


def test_only_calls_have_a_thought():
    for task in SUITE.tasks:
        for gold in task.golds:
            assert bool(gold.thought) == bool(gold.calls), task.id


def test_it_is_built_again_from_what_was_written(tmp_path):
    written_suite.main(FOLDER / "written", tmp_path / "shop")
    for file in ("tools.jsonl", "prompts.jsonl", "tasks.jsonl", "version.json"):
        assert (tmp_path / "shop" / file).read_bytes() == (FOLDER / file).read_bytes()
    assert read_version(FOLDER, SUITE).version == P.version


def test_the_suite_check_finds_no_problem():
    assert list(suite_check.find_problems(rewrite_as_hermes(SUITE), SETTINGS)) == []


def test_other_right_calls_become_golds_of_their_own(tmp_path):
    call = {"name": "check_stock", "arguments": {"product": "Larkfield kettle"}}
    other = {"name": "get_product_price", "arguments": {"product": "Larkfield kettle"}}
    example = {
        "query": "What about the Larkfield kettle?",
        "kind": "call",
        "decision": "call",
        "thought": "I should check the stock of the Larkfield kettle.",
        "calls": [call],
        "also_right": [[other], [call, other]],
    }
    (tmp_path / "mine.jsonl").write_text(json.dumps(example) + "\n")
    written_suite.main(tmp_path, tmp_path / "suite")
    (task,) = suites.read(tmp_path / "suite").tasks
    names = [[call.name for call in gold.calls] for gold in task.golds]
    assert names == [
        ["check_stock"],
        ["get_product_price"],
        ["check_stock", "get_product_price"],
    ]
    assert (task.id, task.axes) == ("suite/mine.1", {"wording": "free", "voice": "mine"})


def test_a_call_that_no_tool_takes_is_named_with_file_and_line(tmp_path):
    example = {
        "query": "Where is it?",
        "kind": "call",
        "decision": "call",
        "calls": [{"name": "track_order", "arguments": {"number": "7"}}],
    }
    (tmp_path / "mine.jsonl").write_text(json.dumps(example) + "\n")
    with pytest.raises(BadInput, match=r"mine\.jsonl:1: calls: undeclared_argument: track_order"):
        written_suite.main(tmp_path, tmp_path / "suite")


def write_questions(folder: Path, *queries: str) -> None:
    asked = {"kind": "missing_argument", "decision": "ask", "text": "Which one?"}
    lines = [json.dumps(asked | {"query": query}) + "\n" for query in queries]
    folder.mkdir(exist_ok=True)
    (folder / "mine.jsonl").write_text("".join(lines))


def test_a_correction_never_moves_to_another_task(tmp_path):
    """Ids come from lines: without the first question, mine.2 is the third."""
    written, folder = tmp_path / "written", tmp_path / "suite"
    write_questions(written, "Is it here?", "Is it there?", "Is it gone?")
    written_suite.main(written, folder)
    overlay = folder / "overlays/1.jsonl"
    overlay.parent.mkdir()
    jsonl.write(overlay, [Erratum("suite/mine.2", (Gold("no_call"),), "a greeting")])
    made = (folder / "tasks.jsonl").read_bytes()
    for left in (["Is it there?", "Is it gone?"], ["Is it here?"]):
        write_questions(written, *left)
        with pytest.raises(
            BadInput, match=r"overlays/1\.jsonl:1: task: 'suite/mine\.2' is gone or"
        ):
            written_suite.main(written, folder)
        assert (folder / "tasks.jsonl").read_bytes() == made
    write_questions(written, "Was it here?", "Is it there?", "Is it gone?", "Is it new?")
    written_suite.main(written, folder)
    suite = suites.read(folder)
    assert [task.decision for task in suite.tasks] == ["ask", "no_call", "ask", "ask"]
    (folder / "tasks.jsonl").unlink()
    with pytest.raises(BadInput, match="is gone or another task now"):
        written_suite.main(written, folder)  # nobody can tell any more


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("product", "Larkfield kettle", ["the Larkfield kettle", "Larkfield kettles"]),
        ("product", "The Larkfield kettle", ["Larkfield kettle"]),
        ("keyword", "garden shears", ["garden shear", "the garden shears"]),
        ("keyword", "wine glasses", ["wine glass", "a wine glass"]),
        ("keyword", "tea caddy", ["tea caddies"]),
        ("keyword", "umbrella", ["an umbrella"]),
        ("store", "Leeds", ["Leeds store", "the Leeds branch"]),
        ("store", "Leeds store", ["Leeds", "Leeds branch"]),
        ("attendees", ["Ann", "Bo"], [["Bo", "Ann"]]),
    ],
)
def test_another_way_to_write_a_value_is_right_too(name, value, right):
    accepted = list_accepted(name, value, P.accepted)
    assert accepted[0] == value
    for other in right:
        assert other in accepted


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("code", "SPRING15"),
        ("address", "14b Kestrel Rise, Hull"),
        ("name", "Maria Lopez"),
        ("quantity", 3),
        ("order_id", "A10428"),
    ],
)
def test_a_name_or_a_code_is_right_as_it_was_written_and_no_other_way(name, value):
    assert list_accepted(name, value, P.accepted) == (value,)


def test_a_section_without_rules_accepts_the_value_alone():
    assert list_accepted("product", "kettle", AcceptedValuesConfig()) == ("kettle",)
