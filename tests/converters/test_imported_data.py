"""Trajectories of others reach training, or are counted with the reason against them."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from agent_tuning.converters import load
from agent_tuning.converters.imported_data import ImportConfig, ImportReject, cut_turns
from agent_tuning.files import jsonl
from agent_tuning.quality.decontamination import ProtectedQuery
from agent_tuning.records import NATIVE, Assistant, BadInput, Call, Group, ToolResult, User
from agent_tuning.synthesis.hard_negatives import KINDS
from stages import diversify, import_data, mix
from tests.converters import (
    test_deepexi,
    test_general_sets,
    test_hermes,
    test_toolace,
    test_toucan,
    test_when2call,
)
from tests.support import general_params

INSTRUCTIONS = Path("data/instructions.yaml").resolve()

TOOL = {
    "name": "next_ferry",
    "description": "Next ferry from a quay.",
    "parameters": {
        "type": "object",
        "properties": {"quay": {"type": "string"}, "day": {"enum": ["today", "tomorrow"]}},
        "required": ["quay"],
    },
}
PROTECTED = ProtectedQuery("Which ferry leaves West quay after the concert tonight", "t/1")


def asks(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def says(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def calls(name: str = "next_ferry", **arguments: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"role": "assistant", "tool_calls": [{"id": "c", "function": function}]}


def row(*messages: dict[str, Any], tools: Any = (TOOL,), **fields: Any) -> dict[str, Any]:
    return {"messages": messages, "tools": list(tools), **fields}


RESULT = {"role": "tool", "tool_call_id": "c", "content": "9"}
GOOD = [
    row(asks(f"Ferry from quay {n}?"), calls(quay=str(n)), RESULT, says("At 9.")) for n in range(5)
]
GENERAL = [row(asks(f"Name {n} knots."), says("Reef, bowline."), tools=()) for n in range(4)]
BAD = {
    "undeclared_argument": row(asks("Ferry to where?"), calls(quay="N", to="S")),
    "missing_argument": row(asks("Ferry today?"), calls(day="today")),
    "schema": row(asks("Ferry from N in May?"), calls(quay="N", day="in May")),
    "not_on_menu": row(asks("Hire a boat."), calls("hire_boat")),
    "no_query": row(asks("…"), calls(quay="N")),
    "benchmark_overlap": row(asks(PROTECTED.query), calls(quay="West")),
    "menu_schema": row(asks("Dock at N."), says("No."), tools=[
        {"name": "dock", "parameters": {"type": "object", "required": ["at"]}}]),
    "menu_name": row(asks("Dock at S."), says("No."), tools=[TOOL, TOOL]),
    "untrained": row(asks("Ferry from S?"), {**says("At 9."), "weight": 0}),
    "unreadable": row(asks("Ferry?"), {**says("At 9."), "reward": 1}),
    "duplicate": GOOD[0],
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    jsonl.write(Path("protected.jsonl"), [PROTECTED])
    return tmp_path


def run(rows: list[dict[str, Any]], max_rejected: float = 1.0, **changes: Any) -> dict[str, Any]:
    """The stage on these rows; its metrics."""
    Path("rows.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in rows))
    source = {"name": "chats", "format": "openai", "source": "rows.jsonl", **changes}
    section = {"sources": [source], "max_rejected": max_rejected}
    params = general_params.read() | {"import_data": section}
    Path("params.yaml").write_text(yaml.safe_dump(params))
    names = ("protected", "groups", "general", "rejects")
    import_data.main(*(Path(f"{name}.jsonl") for name in names), Path("import_data.json"))
    metrics: dict[str, Any] = json.loads(Path("import_data.json").read_text())
    return metrics


@pytest.mark.usefixtures("folder")
def test_every_row_is_kept_or_counted_by_its_reason():
    rows = [*GOOD, *BAD.values(), *GENERAL]
    metrics = run(rows)
    assert (metrics["agent"], metrics["general"]) == (len(GOOD), len(GENERAL))
    assert metrics["agent"] + metrics["general"] + metrics["rejected"] == len(rows)
    rejects = list(jsonl.read(Path("rejects.jsonl"), ImportReject))
    assert Counter(reject.reason for reject in rejects) == dict.fromkeys(BAD, 1)
    assert all(metrics[f"rejected_{reason}"] == 1 for reason in BAD)
    assert metrics["rejected_from_chats"] == len(BAD)
    (unreadable,) = (reject for reject in rejects if reject.reason == "unreadable")
    assert "rows.jsonl:15: messages.1: unknown field `reward`" in unreadable.detail


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "line", [b'{"messages": [', b'{"messages": NaN}', b'{"messages": "\xe9"}', b'{"a": 1, "a": 2}']
)
def test_a_line_that_no_record_can_hold_is_a_row_that_is_counted(line):
    lines = [json.dumps(GOOD[0]).encode(), line, json.dumps(GOOD[1]).encode()]
    Path("broken.jsonl").write_bytes(b"\n".join(lines))
    metrics = run([], source="broken.jsonl")
    assert (metrics["agent"], metrics["rejected_unreadable"]) == (2, 1)
    (reject,) = jsonl.read(Path("rejects.jsonl"), ImportReject)
    assert reject.detail.startswith("broken.jsonl:2: ")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("before", [True, False])
def test_a_system_prompt_hides_no_query_of_a_benchmark(before):
    short = ProtectedQuery("Ferry to the isle, please", "t/2")
    jsonl.write(Path("protected.jsonl"), [PROTECTED, short])
    prompt = {"role": "system", "content": "You sell tickets.\n\n" + "Mind the tide. " * 40}
    said = [prompt, asks(short.query)] if before else [asks(short.query), prompt]
    metrics = run([row(*said, calls(quay="N")), row(*said, says("No."), tools=())])
    assert metrics["rejected_benchmark_overlap"] == 2


@pytest.mark.usefixtures("folder")
def test_rows_with_tools_become_packs_of_agent_data_and_the_others_general_data():
    run([*GOOD, *GENERAL])
    for name in ("with_negatives", "written", "held_back", "own_general"):
        jsonl.write(Path(f"{name}.jsonl"), [])
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["mix"]["agent_per_general"] = len(GOOD) / len(GENERAL)
    Path("params.yaml").write_text(yaml.safe_dump(params))
    names = ("with_negatives", "written", "groups", "held_back")
    read = [Path(f"{name}.jsonl") for name in names]
    diversify.main(*read, INSTRUCTIONS, Path("diverse.jsonl"), Path("validation.jsonl"))
    names = ("diverse", "own_general", "general", "protected", "mixed")
    mix.main(*(Path(f"{name}.jsonl") for name in names), Path("mix.json"))
    mixed = list(jsonl.read(Path("mixed.jsonl"), Group))
    agent = [group for group in mixed if group.tools]
    assert len(agent) == len(GOOD)
    assert all(group.prompt.template and group.trajectories for group in agent)
    assert len(mixed) - len(agent) == len(GENERAL)


@pytest.mark.usefixtures("folder")
def test_an_answer_that_asks_back_is_an_ask_where_there_are_tools():
    run([row(asks("A ferry!"), says("From which quay? ")), *GENERAL])
    (group,) = jsonl.read(Path("groups.jsonl"), Group)
    assert group.trajectories[0].turns[-1] == Assistant("ask", text="From which quay?")
    assert NATIVE not in group.prompt.template
    assert group.trajectories[0].kind not in KINDS


@pytest.mark.usefixtures("folder")
def test_take_counts_what_is_kept():
    assert run([BAD["schema"], *GOOD], take=2)["agent"] == 2


@pytest.mark.usefixtures("folder")
def test_a_named_field_is_ignored():
    assert run([BAD["unreadable"]], ignore=["messages.reward"])["agent"] == 1


@pytest.mark.usefixtures("folder")
def test_too_many_rejects_stop_the_stage_after_its_files_are_written():
    with pytest.raises(BadInput, match=r"2 of 7 rows rejected, more than import_data\.max_re"):
        run([*GOOD, BAD["schema"], BAD["untrained"]], max_rejected=0.25)
    assert len(list(jsonl.read(Path("rejects.jsonl"), ImportReject))) == 2


@pytest.mark.usefixtures("folder")
def test_two_sources_of_one_name_are_bad_input():
    Path("params.yaml").write_text(
        "import_data: {max_rejected: 1, sources: [{name: chats, format: xlam, source: a},"
        " {name: chats, format: xlam, source: b}]}\ndecontamination: {near_benchmark: 0.7}\n"
    )
    with pytest.raises(BadInput, match="two are named chats"):
        import_data.main(*map(Path, ("protected.jsonl", "a", "b", "c", "d")))


def test_a_source_without_a_permissive_license_is_used_only_by_name():
    def load(**more: object) -> ImportConfig:
        source = {"name": "chats", "format": "openai", "source": "a", **more}
        section = {"sources": [source], "max_rejected": 1, "permissive": ["MIT", "Apache-2.0"]}
        return msgspec.convert(section, ImportConfig)

    load(license="MIT")
    load(license="CC-BY-NC-4.0", opt_in=True)
    for given in ({}, {"license": "CC-BY-NC-4.0"}):
        with pytest.raises(msgspec.ValidationError, match=r"chats: license .*opt_in: true"):
            load(**given)


# A row of each set that params.yaml names in comments, with all fields of the published rows.
PUBLISHED = {
    "nemotron": {
        "uuid": "5a1",
        "messages": [
            {"role": "system", "content": "You run a quay."},
            asks("Ferry from quay 1?"),
            {**calls(quay="1"), "content": "", "reasoning_content": "I look."},
            {"role": "tool", "tool_call_id": "c", "content": {"at": 9}},
            {**says("At 9."), "reasoning_content": "It is at 9."},
        ],
        "license": "cc-by-4.0",
        "used_in": ["nano_v3"],
        "tools": [{"type": "function", "function": TOOL}],
        "reasoning": "on",
    },
    "xlam": {
        "id": 0,
        "query": "Ferry from quay 1?",
        "answers": '[{"name": "next_ferry", "arguments": {"quay": "1"}}]',
        "tools": '[{"name": "next_ferry", "description": "Next ferry.", "parameters": '
        '{"quay": {"description": "Which.", "type": "str", "default": "1"}, '
        '"day": {"description": "When.", "type": "str, optional", "default": "today"}}}]',
    },
    "smoltalk": {
        "messages": [asks("Name three knots."), says("Reef, bowline, hitch.")],
        "category": "information-seeking",
        "difficulty": "easy",
        "quality": "good",
        "reward_model_score": 0.25,
        "conversation_tokens": 40,
    },
    "agent_instruct": {
        "id": "os_0",
        "conversations": [
            {"from": "human", "loss": None, "value": "You act in a shell."},
            {"from": "gpt", "loss": False, "value": "Ok."},
            {"from": "human", "loss": None, "value": "How many boats are in boats.txt?"},
            {"from": "gpt", "loss": True, "value": "Think: I count.\n\nAct: bash\n\nwc boats.txt"},
        ],
    },
    "toucan": test_toucan.GOOD,
    "toolace": test_toolace.GOOD,
    "when2call": test_when2call.ASKS,
    "deepexi": test_deepexi.GOOD,
    "hermes": test_hermes.GOOD,
    "aya": test_general_sets.pair("Name three knots.", "Reef, bowline, hitch."),
    "oasst2": test_general_sets.TREE,
}


def list_sources_in_comments() -> list[dict[str, Any]]:
    text = (general_params.ROOT / "params.yaml").read_text()
    block = text.partition("    #   sources:\n")[2].partition("    import_data:\n")[0]
    lines = (line.removeprefix("    #").removeprefix("   ") for line in block.splitlines())
    sources: list[dict[str, Any]] = yaml.safe_load("\n".join(lines))
    return sources


@pytest.mark.parametrize("source", list_sources_in_comments(), ids=lambda one: one["name"])
def test_a_public_set_is_read_as_params_yaml_names_it(source, folder):
    published = PUBLISHED[source["name"]]
    rows = published if isinstance(published, list) else [published]
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in rows))
    section = {"sources": [source], "max_rejected": 1, "permissive": ["CC-BY-4.0", "Apache-2.0"]}
    (named,) = msgspec.convert(section, ImportConfig).sources
    path = str(folder / "rows.jsonl")
    (group,) = load.read_rows(named.format, path, named.ignore, where=named.where)
    assert isinstance(group, Group), group
    assert cut_turns(group.trajectories[0].turns) == group.trajectories[0].turns
    general = ("smoltalk", "agent_instruct", "aya", "oasst2")
    assert bool(group.tools) == (source["name"] not in general)


CALL = Assistant("call", calls=(Call("next_ferry", {"quay": "N"}),))
ANSWER = Assistant("no_call", text="At 9.")
SEEN = ToolResult("next_ferry", 9)
ASKED = User("Ferry?")


@pytest.mark.parametrize(
    ("turns", "kept"),
    [
        ((ASKED, CALL, SEEN, ANSWER), 4),
        ((ASKED, CALL, SEEN), 2),
        ((ASKED, CALL, ASKED, ANSWER), 2),
        ((ASKED, CALL, ANSWER), 2),
        ((ASKED, Assistant("no_call", text="No.", trained=False)), 0),
    ],
)
def test_a_trajectory_ends_with_its_last_reply_that_can_be_trained(turns, kept):
    assert len(cut_turns(turns)) == kept
