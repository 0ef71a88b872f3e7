"""Trajectories to other people's formats and back: nothing is lost that is not named."""

import json
import sys
from pathlib import Path

import datasets
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_tuning.converters import FORMATS, load, save, sources
from agent_tuning.files import jsonl
from agent_tuning.prompts import system_prompt
from agent_tuning.prompts.formats import TOOL_FORMATS
from agent_tuning.records import (
    Assistant,
    BadInput,
    Call,
    Group,
    PromptSpec,
    Tool,
    ToolResult,
    Trajectory,
    User,
)
from agent_tuning.runtime import cli
from tests.support import default_data

AWKWARD = st.sampled_from(
    [
        *("12", "true", "null", '"quoted"', "two\nlines", "上海", "</think>", "<think>a</think>"),
        *("[1]", "Ask: x", "Observation: 1", '{"a": 1}', " outer ", "<think>\n", "[" * 5000),
    ]
)
WORDS = AWKWARD | st.text(max_size=20)
SAID = WORDS.filter(bool)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | WORDS
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(["ping", "weather.get", "get-time", "getUserInfo"])
CALLS = st.builds(Call, NAMES, st.dictionaries(WORDS, VALUES, max_size=2))
THOUGHTS = WORDS.map(lambda text: text.replace("\n", " ").strip())
SCHEMAS = st.recursive(
    st.sampled_from(
        [
            {"type": "string", "description": "where", "enum": ["a", "b"]},
            {"type": "integer", "default": 3},
            {"type": ["number", "null"]},
            {"enum": [1, None]},
            {"type": "array", "items": {"type": "integer"}},
            {},
        ]
    ),
    lambda inner: st.builds(
        lambda properties: {"type": "object", "properties": properties},
        st.dictionaries(WORDS, inner, max_size=2),
    ),
    max_leaves=3,
)


@st.composite
def tools(draw) -> Tool:
    properties = draw(st.dictionaries(WORDS, SCHEMAS, max_size=3))
    parameters = {"type": "object", "properties": properties}
    if draw(st.booleans()):
        parameters["required"] = [name for name in properties if draw(st.booleans())]
    return Tool(draw(NAMES), draw(WORDS), parameters)


@st.composite
def turns(draw, with_tools: bool) -> list:
    turns: list = []
    rounds = draw(st.integers(1, 2))
    for number in range(rounds):
        turns.append(User(draw(SAID)))
        for _ in range(draw(st.integers(0, 2)) if with_tools else 0):
            calls = tuple(draw(st.lists(CALLS, min_size=1, max_size=3)))
            turns.append(Assistant("call", draw(THOUGHTS), calls, trained=draw(st.booleans())))
            turns += [ToolResult(call.name, draw(VALUES)) for call in calls]
        if with_tools and number + 1 == rounds and draw(st.booleans()):
            turns.append(Assistant("call", draw(THOUGHTS), (draw(CALLS),)))
        else:
            decision = draw(st.sampled_from(["no_call", "ask"]))
            text = draw(WORDS)
            turns.append(
                Assistant(decision, draw(THOUGHTS), text=text, trained=draw(st.booleans()))
            )
    return turns


@st.composite
def singles(draw) -> Group:
    menu = tuple(draw(st.lists(tools(), max_size=2)))
    language = draw(st.sampled_from(["en", "zh"]))
    trajectory = Trajectory(
        id=draw(WORDS),
        turns=tuple(draw(turns(bool(menu)))),
        kind=draw(st.sampled_from(["call", "missing"])),
        language=language,
        tool=draw(WORDS),
        scenario=draw(WORDS),
    )
    prompt = PromptSpec(
        id=draw(WORDS),
        language=language,
        tools=menu,
        template=draw(st.sampled_from(["", *system_prompt.template_names(language)])),
        tool_format=draw(st.sampled_from(["", *TOOL_FORMATS])),
        reply_format=draw(WORDS),
    )
    if draw(st.booleans()):
        prompt = msgspec.structs.replace(prompt.make_native(), instructions=draw(WORDS))
    return Group(draw(WORDS), prompt, (trajectory,))


def again(name: str, group: Group) -> Group:
    """Written, put in a file, and read."""
    form = FORMATS[name]
    return form.read(msgspec.json.decode(msgspec.json.encode(form.write(group)), type=form.row))


# How long whole groups take to draw says how busy the machine is, and nothing else.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.parametrize("name", FORMATS)
@given(group=singles())
def test_reading_gives_back_what_was_written_but_for_what_the_format_names(name, group):
    kept = FORMATS[name].kept(group)
    read = again(name, group)
    assert read == kept
    assert repr(read) == repr(kept)  # 1, 1.0 and True are equal, but not the same
    assert kept is group or FORMATS[name].loses


@pytest.mark.parametrize("name", [name for name, form in FORMATS.items() if not form.loses])
def test_our_training_data_survives_every_lossless_format(name, tmp_path):
    source, rows, back = (tmp_path / f"{part}.jsonl" for part in ("ours", "theirs", "back"))
    groups = default_data.diversified_groups()[:40]
    jsonl.write(source, groups)
    save.main(Path(name), source, rows)
    load.main(Path(name), rows, back)
    assert back.read_bytes() == source.read_bytes()
    assert len(list(jsonl.read(back, Group))) == len(groups)


WEATHER = {
    "name": "get_weather",
    "description": "Weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city"],
    },
}
TEXT_TOOLS = json.dumps([WEATHER])
WRAPPED = [{"type": "function", "function": WEATHER}]
ASKED, CALLED = User("Weather in Oslo?"), Call("get_weather", {"city": "Oslo"})
SEEN, TOLD = ToolResult("get_weather", {"sky": "clear"}), Assistant("no_call", text="Clear.")
OSLO = '{"name": "get_weather", "arguments": {"city": "Oslo"}}'
ROME = OSLO.replace("Oslo", "Rome")
EXCHANGE = (ASKED, Assistant("call", calls=(CALLED,)), SEEN, TOLD)
# Rows as others publish them, and what they hold.
SAMPLES = {
    "agent_instruct": (
        "sharegpt",
        {
            "id": "os_0",
            "conversations": [
                {"from": "human", "loss": None, "value": "You are an agent."},
                {"from": "gpt", "loss": False, "value": "OK."},
                {"from": "human", "loss": None, "value": "How many files?"},
                {"from": "gpt", "loss": True, "value": "Think: count.\n\nAct: finish"},
            ],
        },
        (
            User("You are an agent."),
            Assistant("no_call", text="OK.", trained=False),
            User("How many files?"),
            Assistant("no_call", text="Think: count.\n\nAct: finish"),
        ),
    ),
    "sharegpt": (
        "sharegpt",
        {
            "id": "x1",
            "conversations": [
                {"from": "system", "value": "Be brief."},
                {"from": "human", "value": "你好"},
                {"from": "gpt", "value": "您好。"},
                {"from": "human", "value": "再见"},
            ],
        },
        (User("Be brief.\n\n你好"), Assistant("no_call", text="您好。")),
    ),
    "xlam": (
        "xlam",
        {
            "id": 3,
            "query": "Weather in Oslo?",
            "answers": f"[{OSLO}]",
            "tools": json.dumps(
                [
                    WEATHER
                    | {"parameters": {"city": {"type": "str"}, "days": {"type": "int, optional"}}}
                ]
            ),
        },
        (ASKED, Assistant("call", calls=(CALLED,))),
    ),
    "xlam_unified": (
        "xlam_unified",
        {
            "unique_trajectory_id": "t1",
            "task_instruction": "",
            "few_shot_examples": [],
            "query": "Weather in Oslo?",
            "tools": [
                WEATHER
                | {"parameters": {"city": {"type": "str"}, "days": {"type": "int, optional"}}}
            ],
            "steps": [
                {
                    "thought": "Look.",
                    "tool_calls": [{"name": "get_weather", "arguments": {"city": "Oslo"}}],
                    "step_id": 1,
                    "next_observation": '{"sky": "clear"}',
                    "user_input": "",
                },
                {"thought": "Clear.", "tool_calls": [], "step_id": 2},
            ],
        },
        (ASKED, Assistant("call", "Look.", (CALLED,)), SEEN, TOLD),
    ),
    "openai": (
        "openai",
        {
            "messages": [
                {"role": "user", "content": "Weather in Oslo?"},
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {
                            "id": "call_abc",
                            "type": "function",
                            "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'},
                        }
                    ],
                },
                {"role": "tool", "tool_call_id": "call_abc", "content": '{"sky": "clear"}'},
                {"role": "assistant", "content": "Clear."},
            ],
            "tools": WRAPPED,
            "parallel_tool_calls": False,
        },
        EXCHANGE,
    ),
    "llama_factory": (
        "llama_factory",
        {
            "conversations": [
                {"from": "human", "value": "Weather in Oslo?"},
                {"from": "function_call", "value": OSLO},
                {"from": "observation", "value": '{"sky": "clear"}'},
                {"from": "gpt", "value": "Clear."},
            ],
            "tools": TEXT_TOOLS,
        },
        EXCHANGE,
    ),
    "ms_swift": (
        "ms_swift",
        {
            "tools": json.dumps(WRAPPED),
            "messages": [
                {"role": "user", "content": "Weather in Oslo?"},
                {"role": "assistant", "content": "<think>\nI look\nit up.\n</think>\n"},
                {"role": "tool_call", "content": OSLO},
                {"role": "tool_call", "content": ROME},
                {"role": "tool_response", "content": '{"sky": "clear"}'},
                {"role": "tool_response", "content": "snow"},
                {"role": "assistant", "content": "Clear."},
            ],
        },
        (
            ASKED,
            Assistant("call", "I look it up.", (CALLED, Call("get_weather", {"city": "Rome"}))),
            SEEN,
            ToolResult("get_weather", "snow"),
            TOLD,
        ),
    ),
}


def read(name: str, row: dict) -> Group:
    return FORMATS[name].read(msgspec.convert(row, FORMATS[name].row))


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_row_as_others_publish_it_is_read(sample):
    name, row, expected = SAMPLES[sample]
    group = read(name, row)
    assert group.trajectories[0].turns == expected
    assert [msgspec.to_builtins(tool) for tool in group.tools] == (
        [] if name == "sharegpt" else [WEATHER]
    )


def test_every_format_has_a_sample():
    assert {name for name, _, _ in SAMPLES.values()} == set(FORMATS)


def test_a_foreign_row_gets_its_facets_from_what_it_holds():
    chinese, call = (read(*SAMPLES[name][:2]) for name in ("sharegpt", "openai"))
    first = chinese.trajectories[0]
    assert (first.kind, first.language, chinese.prompt.template) == (
        "general",
        "zh",
        system_prompt.GENERAL_TEMPLATE,
    )
    second = call.trajectories[0]
    assert (second.kind, second.tool, call.prompt.template) == ("call", "get_weather", "")
    assert first.id != second.id
    assert read(*SAMPLES["openai"][:2]).id == call.id  # by content, not by chance


def test_a_foreign_row_with_several_calls_in_one_turn_is_of_that_kind():
    _, row, _ = SAMPLES["openai"]
    query, decision, result, _ = row["messages"]
    (call,) = decision["tool_calls"]
    calls = [call, call | {"id": "call_def"}]
    results = [result, result | {"tool_call_id": "call_def"}]
    both = {**row, "messages": [query, decision | {"tool_calls": calls}, *results]}
    assert read("openai", both).trajectories[0].kind == "multi"


def test_an_agents_export_shows_the_menu_and_trains_no_prompt():
    row = FORMATS["sharegpt"].write(read(*SAMPLES["openai"][:2]))
    prompt, ready, query, decision = row.conversations[:4]
    assert "get_weather" in prompt.value
    assert (ready.loss, decision.loss) == (False, True)
    assert query.value == ASKED.text
    assert decision.value == 'Action: get_weather\nAction Input: {"city": "Oslo"}'


@pytest.mark.parametrize("name", ["openai", "ms_swift", "llama_factory", "sharegpt"])
def test_instructions_are_seen_by_other_programs(name):
    group = read(*SAMPLES["openai"][:2])
    prompt = msgspec.structs.replace(group.prompt.make_native(), instructions="Be brief.")
    row = FORMATS[name].write(msgspec.structs.replace(group, prompt=prompt))
    if name == "llama_factory":
        assert row.system == "Be brief."
    elif name == "sharegpt":
        assert row.conversations[0].value.startswith("Be brief.\n\n")
    else:
        assert (row.messages[0].role, row.messages[0].content) == ("system", "Be brief.")


@pytest.mark.parametrize(
    "broken",
    [
        (ASKED,),
        (TOLD,),
        (ASKED, Assistant("call", calls=(CALLED,)), TOLD),
        (ASKED, Assistant("call", calls=(CALLED,)), ToolResult("other", 1), TOLD),
        (ASKED, TOLD, SEEN),
        (ASKED, ASKED, TOLD),
        (User(""), TOLD),
        (*EXCHANGE[:3], ASKED, TOLD),
    ],
    ids=[
        *("no model", "no user", "no result", "another result", "result of nothing"),
        *("two users", "silent user", "user before the answer"),
    ],
)
def test_a_trajectory_that_is_no_whole_exchange_is_not_exported(broken):
    group = Group("g", PromptSpec("g", "en", ()), (Trajectory("t7", broken, "call", "en"),))
    with pytest.raises(BadInput, match="trajectory t7: decision"):
        FORMATS["openai"].write(group)


SHAREGPT = SAMPLES["sharegpt"][1]
BROKEN = {
    "field": ("sharegpt", {"conversations": [{"value": "a"}]}, r"`from` - at .*conversations\[0\]"),
    "speaker": ("sharegpt", {"conversations": [{"from": "x", "value": ""}]},
                r"conversations\.0\.from: unknown speaker 'x'"),
    "silent": ("sharegpt", {"conversations": []}, "expected at least one turn of the model"),
    "role": ("openai", {"messages": [{"role": "robot"}]}, r"messages\.0\.role: unknown role 'rob"),
    "id": ("openai", {"messages": [{"role": "tool", "tool_call_id": "9", "content": ""}]},
           r"messages\.0\.tool_call_id: no call '9' before it"),
    "json": ("xlam", {"query": "q", "tools": "[", "answers": "[]"}, r"tools: expected JSON"),
    "arguments": ("xlam", {"query": "q", "tools": "[]", "answers": '[{"name": 3}]'}, "`str`.*name"),
    "counts": ("ms_swift", {"messages": [{"role": "tool_call", "content": OSLO},
                                         *[{"role": "tool", "content": ""}] * 2]},
               "2 observations for 1 calls"),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_a_bad_row_is_one_line_with_file_line_and_field(what, tmp_path):
    name, row, message = BROKEN[what]
    path = tmp_path / "theirs.jsonl"
    path.write_text(json.dumps(SAMPLES[name][1]) + "\n" + json.dumps(row) + "\n")
    with pytest.raises(BadInput, match=rf"theirs\.jsonl:2: .*{message}") as error:
        list(load.read_groups(name, str(path)))
    assert "\n" not in str(error.value)


@pytest.fixture
def no_cache(tmp_path, monkeypatch):
    """Tables are prepared in a folder of the test."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()


@pytest.mark.parametrize("shape", ["jsonl", "json", "parquet", "folder", "folder of parquet"])
@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.usefixtures("no_cache")
def test_a_file_and_a_folder_like_a_hub_set_hold_the_same(sample, shape, tmp_path):
    name, row, expected = SAMPLES[sample]
    folder = tmp_path / "set"
    folder.mkdir()
    table = datasets.Dataset.from_list([row, row])
    match shape:
        case "json":
            source = folder / "rows.json"
            source.write_text(json.dumps([row, row]))
        case "parquet":
            source = folder / "rows.parquet"
            table.to_parquet(source)
        case "folder of parquet":
            source = folder
            table.to_parquet(folder / "train-00000-of-00001.parquet")
        case _:
            (folder / "train.jsonl").write_text(f"{json.dumps(row)}\n" * 2)
            source = folder / "train.jsonl" if shape == "jsonl" else folder
    (group,) = load.read_groups(name, str(source))
    assert [trajectory.turns for trajectory in group.trajectories] == [expected] * 2


@pytest.mark.usefixtures("no_cache")
def test_a_table_gives_a_tool_no_properties_of_another(tmp_path):
    clock = {"name": "clock", "description": "", "parameters": {"type": "object", "properties": {
        "zone": {"type": "string", "enum": ["UTC"]}}}}  # fmt: skip
    row = SAMPLES["openai"][1] | {"tools": [*WRAPPED, {"type": "function", "function": clock}]}
    datasets.Dataset.from_list([row]).to_parquet(tmp_path / "rows.parquet")
    (group,) = load.read_groups("openai", str(tmp_path / "rows.parquet"))
    assert [msgspec.to_builtins(tool) for tool in group.tools] == [WEATHER, clock]


@pytest.mark.usefixtures("no_cache")
def test_a_time_that_a_table_made_of_a_text_is_one_line(tmp_path):
    calls = [{"name": "get_weather", "arguments": {"at": "2025-03-14 09:26:53"}}]
    row = {"query": "q", "tools": "[]", "answers": calls, "created": "2025-03-14 09:26:53"}
    (tmp_path / "rows.jsonl").write_text(f"{json.dumps(row)}\n" * 2)
    with pytest.raises(BadInput, match=r"train 0: answers\.0\.arguments\.at: found a datetime, wh"):
        list(load.read_groups("xlam", str(tmp_path)))
    ((_, read_row), _) = sources.read_rows(str(tmp_path / "rows.jsonl"))
    assert read_row["answers"] == calls


def test_content_in_parts_is_read_as_one_text():
    parts = [{"type": "text", "text": "Cl"}, {"type": "text", "text": "ear."}]
    row = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": parts}]}
    assert read("openai", row).trajectories[0].turns[-1] == TOLD


ANSWERED = [{"role": "assistant", "content": "Clear."}]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("THUDM/AgentInstruct", "expected a pinned revision of the hub set, THUDM/AgentInstruct@"),
        ("THUDM/AgentInstruct@main", "expected a pinned revision"),
        (f"THUDM/AgentInstruct@{'A' * 40}", "expected a pinned revision"),
        ("rows.csv", r"rows\.csv: expected a file, a folder or owner/name@revision"),
        ("rows.jsonl", r"rows\.jsonl: no such file"),
        (f"THUDM/AgentInstruct@{'a' * 40}", "AgentInstruct@a"),  # tests reach no hub
    ],
)
@pytest.mark.usefixtures("no_cache")
def test_a_source_that_cannot_be_read_is_one_line(source, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match=message) as error:
        list(sources.read_rows(source))
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("no_cache")
def test_a_part_of_a_set_is_read_alone(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    for split, text in (("train", "a"), ("test", "b")):
        row = {"messages": [{"role": "user", "content": text}, *ANSWERED]}
        (folder / f"{split}.jsonl").write_text(json.dumps(row) + "\n")
    part = sources.Part(splits=("test",))
    ((place, row),) = sources.read_rows(str(folder), part)
    assert row["messages"][0]["content"] == "b"
    assert place.endswith(": test 0")
    with pytest.raises(BadInput, match=r"no split dev; available: train, test"):
        list(sources.read_rows(str(folder), sources.Part(splits=("dev",))))
    with pytest.raises(BadInput, match="a file has no config and splits"):
        list(sources.read_rows(str(folder / "test.jsonl"), part))


def test_the_configuration_reaches_the_hub_client(monkeypatch):
    loads = []
    monkeypatch.setattr(datasets, "load_dataset", lambda *names, **_: loads.append(names) or {})
    assert list(sources.read_rows(f"a/b@{'0' * 40}", sources.Part("magpie"))) == []
    assert loads == [("a/b", "magpie")]


def test_the_revision_reaches_the_hub_client(monkeypatch):
    loads = []
    monkeypatch.setattr(
        datasets, "load_dataset", lambda name, **options: loads.append((name, options)) or {}
    )
    commit = "0123456789abcdef" * 2 + "01234567"
    assert list(sources.read_rows(f"THUDM/AgentInstruct@{commit}")) == []
    assert loads == [
        ("THUDM/AgentInstruct", {"revision": commit, "data_files": None, "download_mode": None})
    ]


def test_the_commands_name_the_formats_and_the_losses(tmp_path, monkeypatch, capsys):
    rows, ours = tmp_path / "rows.jsonl", tmp_path / "ours.jsonl"
    rows.write_text(json.dumps(SAMPLES["openai"][1]) + "\n")
    for main, arguments in (
        (load.main, ["openai", rows, ours]),
        (save.main, ["xlam", ours, tmp_path / "xlam.jsonl"]),
    ):
        monkeypatch.setattr(sys, "argv", ["x", *map(str, arguments)])
        cli.run(main)
    assert "ours.jsonl: 1 groups" in (output := capsys.readouterr().out)
    assert "xlam.jsonl: 1 rows; it cannot hold thoughts" in output
    monkeypatch.setattr(sys, "argv", ["x", "alpaca", str(rows), str(ours)])
    with pytest.raises(SystemExit, match=r"unknown format alpaca; available: sharegpt, xlam"):
        cli.run(load.main)
