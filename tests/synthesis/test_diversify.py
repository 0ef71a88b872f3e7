"""Templates, formats and names: varied, never held out, the same in tool list and calls."""

import random
from collections import Counter
from typing import Any

import msgspec
import pytest

from agent_tuning.catalogue import schema
from agent_tuning.prompts.formats import TOOL_FORMATS
from agent_tuning.prompts.system_prompt import template_names
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
from agent_tuning.synthesis import renaming
from agent_tuning.synthesis.diversify import WrittenDiversity, diversify, diversify_written
from tests.support import default_data

GROUPS = default_data.groups_with_negatives()
DIVERSE = default_data.diversified_groups()
HELD_OUT = default_data.HELD_OUT
STYLES = pytest.mark.parametrize("style", renaming.NAMING_STYLES)


def calls(group: Group) -> list[Call]:
    turns = [turn for trajectory in group.trajectories for turn in trajectory.turns]
    return [call for turn in turns if isinstance(turn, Assistant) for call in turn.calls]


def test_held_out_templates_and_tool_formats_are_never_used():
    for group in DIVERSE:
        assert group.prompt.template not in HELD_OUT.templates
        assert group.prompt.tool_format not in HELD_OUT.tool_formats


def test_there_is_something_held_out_in_every_language():
    assert set(HELD_OUT.tool_formats) & TOOL_FORMATS.keys()
    for language in default_data.PLAN.groups:
        assert set(HELD_OUT.templates) & set(template_names(language))


@pytest.mark.parametrize("language", default_data.PLAN.groups)
def test_all_the_rest_is_used_in_about_its_share(language):
    many = [
        Group(f"{language}{number}.0", PromptSpec(f"{language}{number}", language, ()), ())
        for number in range(600)
    ]
    groups = list(diversify(many, default_data.DIVERSIFY, HELD_OUT))
    used = Counter(group.prompt.template for group in groups)
    assert used.keys() == set(template_names(language)) - set(HELD_OUT.templates)
    assert max(used.values()) < 3 * min(used.values())
    for field in ("tool_format", "reply_format"):
        weights = getattr(default_data.DIVERSIFY, f"{field}s")
        count = Counter(getattr(group.prompt, field) for group in groups)
        for name, weight in weights.items():
            share = weight / sum(weights.values())
            assert count[name] / len(groups) == pytest.approx(share, abs=0.06)
        assert count.keys() <= weights.keys()


def test_a_native_prompt_is_native_throughout():
    p = msgspec.structs.replace(default_data.DIVERSIFY, reply_formats={"react": 1.0, "native": 1.0})
    groups = list(diversify(GROUPS, p, HELD_OUT))
    assert {group.prompt.native for group in groups} == {True, False}
    assert not [group.prompt.native_problem for group in groups if group.prompt.native_problem]


def test_a_share_of_the_native_prompts_gets_instructions_and_nothing_else_changes():
    p = default_data.DIVERSIFY
    half = msgspec.structs.replace(p, reply_formats={"react": 1.0, "native": 3.0}, instructions=0.5)
    texts = {"en": ("Be brief.", "Be kind.")}
    groups = list(diversify(GROUPS, half, HELD_OUT, texts))
    english = [group for group in groups if group.prompt.native and group.language == "en"]
    told = {group.prompt.id: group.prompt.instructions for group in english}
    assert set(told.values()) == {"", *texts["en"]}
    assert all(told[group.prompt.id] == group.prompt.instructions for group in english)
    others = [group for group in groups if group not in english]
    assert others
    assert not [group for group in others if group.prompt.instructions]
    assert list(map(forget_instructions, groups)) == list(diversify(GROUPS, half, HELD_OUT))
    assert list(diversify(GROUPS[::-1], half, HELD_OUT, texts)) == groups[::-1]


def forget_instructions(group: Group) -> Group:
    prompt = msgspec.structs.replace(group.prompt, instructions="")
    return msgspec.structs.replace(group, prompt=prompt)


def test_the_recipe_general_has_no_instructions_and_its_lines_do_not_name_them():
    assert default_data.DIVERSIFY.instructions == 0
    assert not [group for group in DIVERSE if b"instructions" in msgspec.json.encode(group.prompt)]


def test_what_a_reply_format_cannot_say_is_left_out_and_counted(capsys):
    reply = Assistant("no_call", text="Is that so?")  # a native prompt would read it as an ask
    trajectories = (
        Trajectory("odd", (User("Nice shop."), reply), "on_topic_chat", "en"),
        Trajectory("context", (User("Nice shop."), msgspec.structs.replace(reply, trained=False),
                               User("Yes."), Assistant("no_call", text="Good.")),
                   "on_topic_chat", "en"),
    )  # fmt: skip
    group = Group("g.0", PromptSpec("g", "en", GROUPS[0].tools), trajectories)
    for name, ids in (("native", ["context"]), ("react", ["odd", "context"])):
        p = msgspec.structs.replace(default_data.DIVERSIFY, reply_formats={name: 1.0})
        (diverse,) = diversify([group], p, HELD_OUT)
        assert [one.id.partition(".")[0] for one in diverse.trajectories] == ids
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("diversify: left out 1 trajectories: native: the text of a no_call")


def test_a_format_of_weight_zero_is_known_and_not_used():
    p = msgspec.structs.replace(default_data.DIVERSIFY, reply_formats={"react": 1.0, "yaml": 0.0})
    assert {group.prompt.reply_format for group in diversify(GROUPS, p, HELD_OUT)} == {"react"}


def test_a_template_is_in_the_language_of_its_group():
    assert {group.prompt.template.endswith(f".{group.language}") for group in DIVERSE} == {True}


def test_groups_of_one_prompt_id_share_one_prompt():
    prompts: dict[str, set[tuple[object, ...]]] = {}
    for group in DIVERSE:
        prompt = (group.tools and tuple(tool.name for tool in group.tools), group.prompt.template,
                  group.prompt.tool_format, group.prompt.reply_format)  # fmt: skip
        prompts.setdefault(group.prompt.id, set()).add(prompt)
    assert {len(of_id) for of_id in prompts.values()} == {1}


def test_the_order_of_groups_changes_nothing():
    assert list(diversify(GROUPS[::-1], default_data.DIVERSIFY, HELD_OUT)) == DIVERSE[::-1]


def test_every_call_still_fits_the_renamed_tools():
    for group in DIVERSE:
        assert [schema.find_call_problem(call, group.tools) for call in calls(group)] == [
            None
        ] * len(calls(group))


@STYLES
def test_renaming_changes_names_only_and_the_same_everywhere(style):
    for group in GROUPS[::10]:
        assert undo_renaming(renaming.rename_tools(group, style, random.Random(1)), group) == group


def undo_renaming(renamed: Group, group: Group) -> Group:
    """`renamed` with the old names, looked up by their places in the tool list of `group`."""
    raw, tools = msgspec.to_builtins(renamed), msgspec.to_builtins(group)["prompt"]["tools"]
    pairs = zip(raw["prompt"]["tools"], tools, strict=True)
    back = {new["name"]: (old["name"], fields(new, old)) for new, old in pairs}
    assert len(back) == len(tools)
    for tool in raw["prompt"]["tools"]:
        name, own = back[tool["name"]]
        schema = tool["parameters"]
        schema["properties"] = {own[key]: value for key, value in schema["properties"].items()}
        schema["required"] = [own[key] for key in schema["required"]]
        tool["name"] = name
    for turn in (turn for trajectory in raw["trajectories"] for turn in trajectory["turns"]):
        for named in turn.get("calls", ()) if turn["role"] == "assistant" else [turn]:
            if turn["role"] != "user":
                named["name"], own = back[named["name"]]
                if "arguments" in named:
                    named["arguments"] = {own[k]: v for k, v in named["arguments"].items()}
    return msgspec.convert(raw, Group)


def fields(new: dict[str, Any], old: dict[str, Any]) -> dict[str, str]:
    """The old name of each parameter, in the order of the schema."""
    names = [list(tool["parameters"]["properties"]) for tool in (new, old)]
    assert len(set(names[0])) == len(names[1])
    return dict(zip(*names, strict=True))


def test_rewording_gives_parameters_other_names_and_leaves_plain_ones():
    tool = Tool("get_weather", "", {"properties": {"city": {}, "qux": {}}, "required": ["city"]})
    seen = set()
    for seed in range(40):
        (renamed,) = renaming.rename_tools(
            Group("g", PromptSpec("g", "en", (tool,)), ()), "paraphrased", random.Random(seed)
        ).tools
        city, qux = renamed.parameters["properties"]
        assert renamed.parameters["required"] == [city]
        seen |= {city, qux}
    assert {"city", "town", "qux"} < seen


def test_an_observation_keeps_the_name_of_its_call():
    for group in DIVERSE:
        for trajectory in group.trajectories:
            pending: list[str] = []
            for turn in trajectory.turns:
                if isinstance(turn, ToolResult):
                    assert turn.name == pending.pop(0)
                else:
                    assert not pending
                    pending = [call.name for call in getattr(turn, "calls", ())]


def test_parameters_that_other_keywords_name_keep_their_names():
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "dependentRequired": {"days": ["city"]},
    }
    tool = Tool("get_weather", "Weather of a city.", schema)
    for seed in range(5):
        renamed = renaming.rename_tools(
            Group("g", PromptSpec("g", "en", (tool,)), ()), "masked", random.Random(seed)
        )
        assert renamed.tools[0].parameters == schema


def test_names_that_would_collide_are_kept():
    tools = tuple(Tool(name, "", {}) for name in ("get.time", "get_time", "get-time"))
    for seed in range(20):
        renamed = renaming.rename_tools(
            Group("g", PromptSpec("g", "en", tools), ()), "paraphrased", random.Random(seed)
        )
        assert len({tool.name for tool in renamed.tools}) == len(tools)


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("tool_formats", HELD_OUT.tool_formats[0]),
        ("reply_formats", "morse"),
        ("names", "snail"),
    ],
    ids=["held out", "unknown format", "unknown names"],
)
def test_a_weight_of_what_may_not_be_used_is_bad_input(field, name):
    p = msgspec.structs.replace(default_data.DIVERSIFY, **{field: {name: 1.0}})
    with pytest.raises(BadInput, match=rf"diversify\.{field}: \['{name}'\] .*available: "):
        next(diversify(GROUPS, p, HELD_OUT))


@pytest.mark.parametrize("field", ["tool_formats", "names"])
def test_native_is_a_weight_of_reply_formats_alone(field):
    p = msgspec.structs.replace(default_data.DIVERSIFY, **{field: {"native": 1.0}})
    with pytest.raises(BadInput, match=rf"diversify\.{field}: native .*weight in reply_formats"):
        next(diversify(GROUPS, p, HELD_OUT))


@pytest.mark.parametrize("weights", [{}, {"plain": 0.0}, {"plain": 2.0, "masked": -1.0}])
def test_weights_that_draw_nothing_are_bad_input(weights):
    p = msgspec.structs.replace(default_data.DIVERSIFY, names=weights)
    with pytest.raises(
        BadInput, match=r"diversify\.names: expected weights of at least 0, with one above 0"
    ):
        next(diversify(GROUPS, p, HELD_OUT))


def test_a_misspelt_held_out_template_is_bad_input():
    """It would hold nothing out, and training would see what the benchmark calls unseen."""
    held_out = msgspec.structs.replace(HELD_OUT, templates=("duty.em",))
    with pytest.raises(
        BadInput, match=r"held_out\.templates: unknown: \['duty\.em'\]; available: "
    ):
        next(diversify(GROUPS, default_data.DIVERSIFY, held_out))


def test_written_groups_get_formats_and_keep_their_names_and_values():
    written = default_data.DIVERSIFY.written
    assert (written.names, written.value_randomization) == ({"plain": 1}, 0)
    for old, new in zip(
        GROUPS, diversify_written(GROUPS, default_data.DIVERSIFY, HELD_OUT), strict=True
    ):
        assert (new.tools, new.trajectories) == (old.tools, old.trajectories)
        assert new.prompt.template
        assert new.prompt.tool_format


def test_written_groups_may_have_other_names_and_values():
    own = WrittenDiversity(names={"masked": 1.0}, value_randomization=1.0)
    p = msgspec.structs.replace(default_data.DIVERSIFY, written=own)
    groups = list(diversify_written(GROUPS[:20], p, HELD_OUT))
    assert {tool.name[:5] for group in groups for tool in group.tools} == {"tool_"}
    p = msgspec.structs.replace(p, written=WrittenDiversity({"snail": 1.0}, 0.0))
    with pytest.raises(BadInput, match=r"diversify\.written\.names: \['snail'\]"):
        next(diversify(GROUPS, p, HELD_OUT))


@pytest.mark.parametrize("field", ["value_randomization", "dropped_thoughts", "instructions"])
def test_a_share_is_a_share(field):
    p = msgspec.structs.replace(default_data.DIVERSIFY, **{field: 1.5})
    with pytest.raises(BadInput, match=rf"diversify.{field}: expected a share of 0-1, got 1.5"):
        list(diversify(GROUPS, p, HELD_OUT))


def test_instructions_without_native_prompts_are_one_clear_line():
    p = msgspec.structs.replace(default_data.DIVERSIFY, instructions=0.5)
    with pytest.raises(BadInput, match=r"diversify\.instructions: expected 0: only native prompts"):
        list(diversify(GROUPS, p, HELD_OUT))


def test_without_thoughts_no_turn_has_one_and_nothing_else_changes():
    native = msgspec.structs.replace(default_data.DIVERSIFY, reply_formats={"native": 1.0})
    silent = msgspec.structs.replace(native, thoughts=False)
    pairs = zip(
        diversify(GROUPS, native, HELD_OUT), diversify(GROUPS, silent, HELD_OUT), strict=True
    )
    thoughts = 0
    for told, untold in pairs:
        assert (told.id, told.prompt) == (untold.id, untold.prompt)
        for one, other in zip(told.trajectories, untold.trajectories, strict=True):
            for turn, without in zip(one.turns, other.turns, strict=True):
                if isinstance(turn, Assistant):
                    thoughts += bool(turn.thought)
                    assert without == msgspec.structs.replace(turn, thought="")
                else:
                    assert without == turn
    assert thoughts


def test_other_formats_than_native_need_thoughts():
    p = msgspec.structs.replace(default_data.DIVERSIFY, thoughts=False)
    with pytest.raises(BadInput, match=r"params.yaml: diversify.thoughts: expected true"):
        next(diversify(GROUPS, p, HELD_OUT))
