"""Aya's pairs and OpenAssistant's trees, in their published shape: general conversation."""

from typing import Any

import pytest

from agent_tuning.converters import load, oasst2, row_fields
from agent_tuning.converters.sources import UnreadableRow
from agent_tuning.records import Assistant, Group, User
from tests.support import import_stage


def pair(inputs: str, targets: str, code: str = "eng") -> dict[str, Any]:
    return {
        "inputs": inputs,
        "targets": targets,
        "language": {"eng": "English", "zho": "Simplified Chinese", "swe": "Swedish"}[code],
        "language_code": code,
        "annotation_type": "original-annotations",
        "user_id": "f0ff69",
    }


def test_a_pair_becomes_a_request_and_its_answer():
    group = import_stage.read("aya", pair("说出一个绳结。", "称人结。", "zho"))
    (trajectory,) = group.trajectories
    assert trajectory.turns == (User("说出一个绳结。"), Assistant("no_call", text="称人结。"))
    assert (trajectory.language, group.tools) == ("zh", ())


def test_the_stage_reads_the_languages_that_are_asked_for_and_counts_the_others(workplace):
    rows = [
        pair("Name a knot.", "The bowline."),
        pair("说出一个绳结。", "称人结。", "zho"),
        pair("Nämn en knop.", "Pålstek.", "swe"),
        pair("Name two knots.", " "),
    ]
    hub = import_stage.publish(workplace / "hub", rows, "data/train-00000-of-00001.parquet")
    done = import_stage.run(hub, "aya", splits=["train"], where={"language_code": ["eng", "zho"]})
    assert [group.trajectories[0].language for group in done.general] == ["en", "zh"]
    assert done.reasons == {"unreadable": 1}
    counts = {key: done.metrics[f"{key}_from_aya"] for key in ("read", "kept", "skipped")}
    assert counts == {"read": 3, "kept": 2, "skipped": 1}


def test_a_folder_is_read_as_it_is_today_and_not_as_another_of_its_name_was(workplace):
    for said in ("The bowline.", "The hitch."):
        folder = workplace / said / "hub"
        import_stage.publish(folder, [pair("Name a knot.", said)], "data/train.parquet")
        (group,) = load.read_rows("aya", str(folder))
        assert group.trajectories[0].turns[-1].text == said


def test_a_field_of_where_that_a_row_has_not_is_no_reason_to_skip_it(workplace):
    hub = import_stage.publish(
        workplace / "hub", [pair("Name a knot.", "A hitch.")], "d/train.jsonl"
    )
    done = import_stage.run(hub, "aya", where={"lang": ["en"]})
    (reject,) = done.rejects
    assert "lang: expected one of en, found no such field" in reject.detail


def message(
    name: str, parent: str | None, text: str, rank: int | None = None, **fields: Any
) -> dict[str, Any]:
    """A message of tree T: prompters have names with p, and the assistant with a."""
    return {
        "message_id": name,
        "parent_id": parent,
        "user_id": "u",
        "created_date": "2023-02-05T14:23:50.983374+00:00",
        "text": text,
        "role": "prompter" if name.startswith("p") else "assistant",
        "lang": "en",
        "review_count": 3,
        "review_result": True,
        "deleted": False,
        "rank": rank,
        "synthetic": False,
        "model_name": None,
        "detoxify": {"toxicity": 0.1, "insult": 0.2},
        "message_tree_id": "T",
        "tree_state": "ready_for_export",
        "emojis": {"name": ["+1"], "count": [2]},
        "labels": {"name": ["spam"], "value": [0.0], "count": [3]},
        **fields,
    }


TREE = [
    message("p0", None, "Name a knot."),
    message("a1", "p0", "No.", 1),
    message("a0", "p0", "The bowline.", 0),
    message("a2", "p0", "Hm."),
    message("p1", "a0", "Another?"),
    message("p2", "a0", "And one more?", 0),
    message("p3", "a1", "Why?"),
    message("a3", "p2", "Deleted.", 0, deleted=True),
    message("a4", "p2", "Refused.", 1, review_result=False),
    message("a5", "p2", "The hitch.", 2),
    message("p4", "a5", "Thanks."),
]


def read_tree(*messages: dict[str, Any]) -> Group:
    return oasst2.read([row_fields.convert(one, oasst2.Row) for one in messages])


def test_a_tree_becomes_the_conversation_of_its_best_replies():
    group = read_tree(*TREE)
    assert group.trajectories[0].turns == (
        User("Name a knot."),
        Assistant("no_call", text="The bowline."),
        User("And one more?"),
        Assistant("no_call", text="The hitch."),
    )


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        (TREE[1:], "parent_id: 0 messages without one, expected 1"),
        ([*TREE, message("p9", None, "Hi.")], "parent_id: 2 messages without one"),
        ([*TREE, TREE[1]], "message_id: two messages of the tree have the same"),
        ([TREE[0], message("p5", "p0", "Hello?")], "role: message p5: expected assistant"),
        (TREE[:1], "expected at least one turn of the model"),
        ([message("p0", "p0", "Me.")], "parent_id: 0 messages"),
    ],
)
def test_messages_that_are_no_tree_are_one_line(messages, problem):
    with pytest.raises(ValueError, match=f"^{problem}"):
        read_tree(*messages)


def test_the_stage_joins_the_rows_of_a_tree_wherever_they_stand(workplace):
    other = [
        message("pa", None, "Qué hora es?", message_tree_id="S", lang="es"),
        message("ab", "pa", "Las dos.", message_tree_id="S", lang="es"),
        message("pc", None, "How deep?", message_tree_id="U"),
        message("ad", "pc", "Five metres.", 0, message_tree_id="U"),
        message("pe", None, "Nobody answers.", message_tree_id="V"),
    ]
    rows = [*other[:3], *TREE[::-1], *other[3:]]
    hub = import_stage.publish(workplace / "hub", rows, "data/train-00000-of-00001.parquet")
    done = import_stage.run(hub, "oasst2", splits=["train"], where={"lang": ["en", "zh"]})
    asked = [group.trajectories[0].turns[0] for group in done.general]
    assert asked == [User("How deep?"), User("Name a knot.")]
    assert done.reasons == {"unreadable": 1}
    counts = {key: done.metrics[f"{key}_from_oasst2"] for key in ("read", "kept", "skipped")}
    assert counts == {"read": 3, "kept": 2, "skipped": 2}


def test_a_message_that_cannot_be_read_is_named_by_its_own_place(workplace):
    path = import_stage.publish(
        workplace / "hub", [TREE[0], {**TREE[1], "role": "system"}, TREE[2]], "rows/t.jsonl"
    )
    first, second = load.read_rows("oasst2", str(path / "rows/t.jsonl"))
    assert isinstance(first, UnreadableRow)
    assert first.place.endswith("t.jsonl:2")
    assert isinstance(second, Group)
