"""Written examples as groups: checked, copied, shuffled, split; and the stage itself."""

import json
from collections import Counter
from pathlib import Path

import msgspec
import pytest
import yaml

from agent_tuning.files import jsonl
from agent_tuning.quality.decontamination import ContaminationFilter, ProtectedQuery
from agent_tuning.quality.validation import list_calls, list_queries
from agent_tuning.quality.verify import Reject
from agent_tuning.records import Assistant, BadInput, Group, Trajectory, User
from agent_tuning.synthesis.written_examples import read_folder
from agent_tuning.synthesis.written_groups import WrittenConfig, WrittenGroups, build_groups
from stages import written
from tests.support import default_data
from tests.support.written_data import (
    CONFIG,
    OTHERS,
    TOOLS,
    copies_of_every_kind,
    number_examples,
    price,
    write_example,
)

EXAMPLES = number_examples(
    *OTHERS,
    write_example("the Vela toaster", price("Vela toaster", quantity=2), kind="follow_up",
                  history=["What do 2 cost?", "Which product do you mean?"]),
    write_example("What does it cost?", kind="missing_argument", text="What does what cost?"),
    write_example("Do not track K48213 any more"),
)  # fmt: skip
NOTHING = ContaminationFilter([], 0.7)
SECTION = msgspec.to_builtins(CONFIG)
CATALOGUE = Path("data/catalogue").resolve()


def build(**changes: object) -> WrittenGroups:
    return build_groups(EXAMPLES, TOOLS, NOTHING, msgspec.structs.replace(CONFIG, **changes))


def members(groups: list[Group]) -> list[Trajectory]:
    return [trajectory for group in groups for trajectory in group.trajectories]


def origins(groups: list[Group]) -> set[str]:
    return {trajectory.id.rpartition(".")[0] for trajectory in members(groups)}


def test_the_values_of_every_copy_were_said():
    for trajectory in members(build(copies=copies_of_every_kind(6)).training):
        said = "\n".join(list_queries(trajectory))
        for call in list_calls(trajectory):
            for value in call.arguments.values():
                for item in value if isinstance(value, list) else [value]:
                    if isinstance(item, str) and item != "express":
                        assert item in said


def test_training_and_validation_share_no_example():
    groups = build()
    assert origins(groups.training) | origins(groups.validation) == {id for id, _ in EXAMPLES}
    assert not origins(groups.training) & origins(groups.validation)
    assert groups.validation


def test_validation_is_as_written_and_more_examples_move_none():
    groups = build()
    assert {one.id.rpartition(".")[2] for one in members(groups.validation)} == {"0"}
    more = [*EXAMPLES, *number_examples(write_example("Hello?", kind="off_topic"), voice="z")]
    others = build_groups(more, TOOLS, NOTHING, CONFIG)
    assert origins(others.validation) - {"z.1"} == origins(groups.validation)


def test_training_takes_no_value_from_validation():
    groups = build(copies=copies_of_every_kind(20))
    held = {id: example for id, example in EXAMPLES if id in origins(groups.validation)}
    said = "\n".join(query for one in members(groups.training) for query in list_queries(one))
    products = {call.arguments["product"] for example in held.values() for call in example.calls
                if "product" in call.arguments}  # fmt: skip
    assert products
    assert not [product for product in products if product in said]


def test_without_copies_and_validation_all_is_as_written():
    groups = build(copies=copies_of_every_kind(1), validation=0.0)
    turns = {one.id: one.turns for one in members(groups.training)}
    assert turns == {f"{id}.0": (*one.before, one.answer) for id, one in EXAMPLES}
    assert groups.metrics["copies"] == groups.metrics["copies_unchanged"] == 0


def test_copies_say_something_new_or_are_the_example_again():
    trajectories = {one.id: one for one in members(build(copies=copies_of_every_kind(8)).training)}
    assert len(trajectories) % 8 == 0
    originals = {id: one for id, one in trajectories.items() if id.endswith(".0")}
    same = [id for id, one in trajectories.items() if id not in originals
            and one.turns == trajectories[f"{id.rpartition('.')[0]}.0"].turns]  # fmt: skip
    new = [list_queries(one) for id, one in trajectories.items() if id not in same]
    assert len(new) == len(set(new)) > 40
    assert same


def test_kinds_have_as_many_copies_as_they_are_given():
    copies = copies_of_every_kind(1) | {"follow_up": 4}
    kinds = Counter(one.kind for one in members(build(copies=copies, validation=0.0).training))
    assert kinds["follow_up"] == 4 * sum(one.kind == "follow_up" for _, one in EXAMPLES)
    assert kinds["call"] == sum(one.kind == "call" for _, one in EXAMPLES)


def test_a_kind_without_a_number_of_copies_is_named():
    copies = {kind: 1 for kind in CONFIG.copies if kind not in ("chain", "off_topic")}
    with pytest.raises(ValueError, match="every kind needs a number; missing: chain, off_topic"):
        msgspec.convert(SECTION | {"copies": copies}, WrittenConfig)


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others():
    assert build() == build()
    assert build() != build(seed=2)


def test_a_prompt_lists_all_tools_and_their_order_differs():
    groups = build().training
    assert [group.id for group in groups[:2]] == ["written/0001", "written/0002"]
    orders = {tuple(tool.name for tool in group.tools) for group in groups}
    assert {frozenset(order) for order in orders} == {frozenset(tool.name for tool in TOOLS)}
    assert len(orders) > len(groups) / 2
    assert {len(group.trajectories) for group in groups[:-1]} == {4}
    assert {group.prompt.template for group in groups} == {""}


def test_voices_and_kinds_are_mixed():
    ids = [one.id for one in members(build(validation=0.0).training)]
    assert ids != sorted(ids)


def test_a_question_back_is_trained_with_its_answer():
    (one,) = (one for one in members(build(copies=copies_of_every_kind(1), validation=0.0).training)
              if one.kind == "follow_up")  # fmt: skip
    user, ask, answer, call = one.turns
    assert isinstance(user, User)
    assert isinstance(answer, User)
    assert ask == Assistant("ask", text="Which product do you mean?")
    assert isinstance(ask, Assistant)
    assert ask.trained
    assert isinstance(call, Assistant)
    assert call.calls[0].arguments == {"product": "Vela toaster", "quantity": 2}
    assert one.tool == "get_price"


def test_a_copy_that_a_benchmark_asks_is_the_example_again():
    example = number_examples(*OTHERS[:2])[:2]
    config = msgspec.structs.replace(CONFIG, validation=0.0, copies=copies_of_every_kind(2))
    free = build_groups(example, TOOLS, NOTHING, config)
    copy = next(one.query for one in members(free.training) if one.id == "plain.1.1")
    asked = ContaminationFilter([ProtectedQuery(copy, "t")], 0.9)
    kept = build_groups(example, TOOLS, asked, config)
    turns = {one.id: one.turns for one in members(kept.training)}
    assert turns["plain.1.1"] == turns["plain.1.0"]
    assert kept.metrics["copies_unchanged"] == 1


def test_the_metrics_count_kinds_decisions_voices_and_reasons():
    bad = number_examples(write_example("Price?", price("Vela")), voice="odd")
    groups = build_groups([*EXAMPLES, *bad], TOOLS, NOTHING, CONFIG)
    assert groups.metrics["examples"] == len(EXAMPLES) + 1
    assert groups.metrics["rejected"] == groups.metrics["rejected_unsaid_value"] == 1
    assert groups.metrics["voice_plain"] == len(EXAMPLES)
    assert groups.metrics["decision_ask"] == groups.metrics["kind_missing_argument"] == 1
    (reject,) = groups.rejects
    assert (reject.group, reject.reason) == ("odd.1", "unsaid_value")
    assert reject.trajectory.query == "Price?"


DOMAINS = ["shop", "cart", "messaging"]


def run_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **changes: object) -> None:
    monkeypatch.chdir(tmp_path)
    sections = {
        "catalogue": {"domains": DOMAINS},
        "written": SECTION | changes,
        "decontamination": {"near_benchmark": 0.7},
    }
    Path("params.yaml").write_text(yaml.safe_dump(sections))
    jsonl.write(Path("protected"), [])
    written.main(CATALOGUE, *map(Path, ("protected", "groups", "validation", "rejects", "metrics")))


def test_without_a_folder_the_stage_writes_nothing_and_succeeds(tmp_path, monkeypatch):
    run_stage(tmp_path, monkeypatch)
    assert [Path(name).read_bytes() for name in ("groups", "validation", "rejects")] == [b""] * 3
    assert not any(json.loads(Path("metrics").read_text()).values())


LINE = write_example("Where is Z99?", ("track_order", {"order_id": "Z99"}))


def test_the_stage_reads_the_files_of_the_folder(tmp_path, monkeypatch):
    jsonl.write(tmp_path / "own/b.jsonl", [LINE])
    run_stage(tmp_path, monkeypatch, folder="own", validation=0.0)
    (group,) = jsonl.read(Path("groups"), Group)
    assert [one.id for one in group.trajectories] == ["b.1.0", "b.1.1", "b.1.2"]
    offered = sorted(tool.name for tool in group.tools)
    assert offered == sorted(default_data.CATALOGUE.list_tools(DOMAINS))


def test_too_many_rejects_fail_in_one_line_and_are_written_down(tmp_path, monkeypatch):
    bad = write_example("Where is it?", ("track_order", {"order_id": "Z99"}))
    jsonl.write(tmp_path / "own/b.jsonl", [LINE, bad])
    problem = (
        r"^rejects: 1 of 2 examples rejected, more than written\.max_rejected = 0\.1 .*reason$"
    )
    with pytest.raises(BadInput, match=problem):
        run_stage(tmp_path, monkeypatch, folder="own")
    assert [reject.group for reject in jsonl.read(Path("rejects"), Reject)] == ["b.2"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"query": "Hi"', "b.jsonl:2: Input data was truncated"),
        ('{"query": "Hi", "kind": "talk", "decision": "ask"}', r"b\.jsonl:2: .*\$\.kind"),
        ('{"query": "Hi", "kind": "call", "decision": "call"}', r"b\.jsonl:2: .*0 calls"),
        ('{"query": "Hi", "kind": "call", "decision": "ask"}', r"b\.jsonl:2: .*text"),
    ],
)
def test_a_bad_line_is_bad_input_with_its_place(tmp_path, monkeypatch, line, problem):
    jsonl.write(tmp_path / "own/b.jsonl", [LINE])
    with open(tmp_path / "own/b.jsonl", "a") as file:
        file.write(line + "\n")
    with pytest.raises(BadInput, match=problem):
        run_stage(tmp_path, monkeypatch, folder="own")


def test_a_folder_without_examples_is_bad_input(tmp_path, monkeypatch):
    with pytest.raises(BadInput, match=r"own: no written examples: expected files \*\.jsonl"):
        run_stage(tmp_path, monkeypatch, folder="own")


def test_a_share_above_one_is_bad_input(tmp_path, monkeypatch):
    with pytest.raises(BadInput, match="validation"):
        run_stage(tmp_path, monkeypatch, validation=1.5)


def test_few_of_the_shipped_examples_are_rejected():
    shipped = list(read_folder(Path("data/written/shop")))
    catalogue = default_data.CATALOGUE
    tools = [catalogue.tool(name, "en") for name in catalogue.list_tools(DOMAINS)]
    groups = build_groups(
        shipped,
        tools,
        default_data.contamination_filter(),
        msgspec.structs.replace(CONFIG, copies=copies_of_every_kind(1)),
    )
    assert len(groups.rejects) <= 0.01 * len(shipped)
