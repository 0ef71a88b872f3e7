"""Mixing: as much general conversation among the agent data as the ratio asks for."""

import json
from pathlib import Path

import msgspec
import pytest
import yaml

from agent_tuning.files import jsonl
from agent_tuning.quality.decontamination import (
    ContaminationFilter,
    ProtectedQuery,
    RewordedLimits,
)
from agent_tuning.records import (
    NATIVE,
    Assistant,
    BadInput,
    Group,
    PromptSpec,
    Tool,
    Trajectory,
    User,
)
from agent_tuning.runtime import config
from agent_tuning.synthesis import mixing
from agent_tuning.synthesis.hard_negatives import KINDS
from stages import mix


def group(id: str, size: int, tools: tuple[Tool, ...] = ()) -> Group:
    turns = (User("Hello"), Assistant("no_call", text="Hi."))
    members = (Trajectory(f"{id}.{n}", turns, "general", "en") for n in range(size))
    return Group(id, PromptSpec(id, "en", tools), tuple(members))


GENERAL = [group(f"general{number}", 4) for number in range(6)]


def ids(groups: list[Group]) -> list[str]:
    return [trajectory.id for group in groups for trajectory in group.trajectories]


@pytest.mark.parametrize(("wanted", "kept"), [(0, 0), (1, 1), (7, 7), (8, 8), (24, 24), (99, 24)])
def test_exactly_as_many_as_wanted_while_there_are_some(wanted, kept):
    drawn = ids(mixing.draw_general(GENERAL, wanted, seed=1))
    assert len(drawn) == len(set(drawn)) == kept


def test_no_group_is_left_empty():
    assert all(group.trajectories for group in mixing.draw_general(GENERAL, 5, seed=1))


def test_the_order_of_groups_changes_nothing():
    assert mixing.draw_general(GENERAL[::-1], 9, seed=1) == mixing.draw_general(GENERAL, 9, seed=1)


def test_another_seed_takes_others():
    assert len({tuple(ids(mixing.draw_general(GENERAL, 9, seed))) for seed in range(5)}) > 1


@pytest.mark.parametrize(("per_general", "generals"), [(2, 10), (5, 4), (100, 0)])
def test_the_ratio_is_the_parameter(per_general, generals, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    section = {"seed": 1, "agent_per_general": per_general, "native": False}
    limits = {"near_benchmark": 0.7, "reworded": {"words": 0.7, "characters": 0.7}}
    Path("params.yaml").write_text(yaml.safe_dump({"mix": section, "decontamination": limits}))
    agent = [group(f"g{number}", 5, (Tool("f", "", {}),)) for number in range(4)]
    jsonl.write(Path("agent"), agent)
    jsonl.write(Path("general"), GENERAL[:5])
    jsonl.write(Path("imported"), GENERAL[5:])
    jsonl.write(Path("protected"), [])
    names = ("agent", "general", "imported", "protected", "mixed", "metrics")
    mix.main(*map(Path, names))
    mixed = list(jsonl.read(Path("mixed"), Group))
    assert mixed[:4] == agent
    assert len(ids(mixed[4:])) == generals
    counts = json.loads(Path("metrics").read_text())
    ratio = per_general if generals else 0
    assert counts.pop("general_leaks") == 0
    assert counts == {"agent": 20, "agent_per_general": ratio, "general": generals}


def test_a_ratio_of_bytes_counts_what_is_said_and_a_prompt_once():
    p = mixing.MixConfig(1, agent_per_general=4, native=False, unit="bytes")
    tool = (Tool("f", "x" * 4000, {}),)
    one = group("g0", 5, tool)
    prompt = one.prompt
    agent = [
        one,
        *(msgspec.structs.replace(group(f"g{n}", 5, tool), prompt=prompt) for n in (1, 2)),
    ]
    general = [group(f"general{number}", 4) for number in range(40)]
    mixed = list(mixing.mix_groups(agent, general, p))
    sizes = [mixing.measure(one, known) for known in [set()] for one in mixed]
    assert sizes[0] > 4000 > sizes[1]
    assert sum(sizes[3:]) == pytest.approx(sum(sizes[:3]) / 4, abs=max(sizes[3:]))
    assert mixing.count_trajectories(mixed, p) == (15, 4 * (len(mixed) - 3))
    with pytest.raises(BadInput, match=r"general bytes; mix\.agent_per_general = 4 requires"):
        mixing.count_trajectories(mixed[:4], p)


ANSWER = Assistant("no_call", text="Well.")


def test_general_conversations_that_a_benchmark_has_are_left_out_with_its_task():
    asked = ["What is the capital of Norway?", "Name four kinds of bread, please."]
    trajectories = tuple(
        Trajectory(
            f"g.{number}", (User(query), Assistant("no_call", text="Well.")), "general", "en"
        )
        for number, query in enumerate(asked)
    )
    groups = [Group("g", PromptSpec("g", "en", ()), trajectories)]
    protected = [ProtectedQuery("What is the capital of Norwey?", "suite/7")]
    limits = RewordedLimits(0.7, 0.7)
    kept, leaks = mixing.drop_leaks(groups, ContaminationFilter(protected, 0.7, limits))
    assert ids(kept) == ["g.1"]
    assert leaks == ["g.0: reworded: suite/7: What is the capital of Norway?"]


@pytest.mark.parametrize(("agents", "fails"), [(24, False), (25, True)])
def test_too_few_general_conversations_fail_by_name(agents, fails):
    p = mixing.MixConfig(seed=1, agent_per_general=1, native=False)
    groups = [group("g", agents, (Tool("f", "", {}),)), *GENERAL]
    if fails:
        problem = r"mix: 25 agent to 24 general .*mix\.agent_per_general = 1 requires 25"
        with pytest.raises(BadInput, match=problem):
            mixing.count_trajectories(groups, p)
    else:
        assert mixing.count_trajectories(groups, p) == (24, 24)


def test_native_puts_the_same_general_conversations_under_the_models_own_template():
    agent = [group("g", 20, (Tool("f", "", {}),))]
    plain, native = (
        list(mixing.mix_groups(agent, GENERAL, mixing.MixConfig(1, 2, native=native)))
        for native in (False, True)
    )
    assert native[0] == plain[0] == agent[0]
    assert not plain[1].prompt.native
    assert {member.prompt.reply_format for member in native[1:]} == {NATIVE}
    assert all(member.prompt.native for member in native[1:])
    restored = [
        msgspec.structs.replace(member, prompt=before.prompt)
        for member, before in zip(native[1:], plain[1:], strict=True)
    ]
    assert restored == plain[1:]


def of_kinds(id: str, *kinds: str) -> Group:
    turns = (User("Hello"), Assistant("no_call", text="Hi."))
    members = (Trajectory(f"{id}.{n}", turns, kind, "en") for n, kind in enumerate(kinds))
    return Group(id, PromptSpec(id, "en", (Tool("f", "", {}),)), tuple(members))


def test_kinds_that_are_left_out_are_gone_and_count_in_no_ratio():
    agent = [of_kinds("a", "call", "off_topic", "multi"), of_kinds("b", "off_topic", "off_topic")]
    p = mixing.MixConfig(1, agent_per_general=2, native=False, leave_out=("off_topic",))
    mixed = list(mixing.mix_groups(agent, GENERAL, p))
    assert ids(mixed[:1]) == ["a.0", "a.2"]
    assert [one.kind for group in mixed[1:] for one in group.trajectories] == ["general"]
    assert mixing.count_trajectories(mixed, p) == (2, 1)


def test_without_kinds_to_leave_out_every_group_is_as_it_was():
    agent = [of_kinds("a", "call", "off_topic")]
    p = mixing.MixConfig(1, agent_per_general=100, native=False)
    assert list(mixing.mix_groups(agent, GENERAL, p)) == agent


def test_a_kind_that_does_not_exist_is_refused(tmp_path):
    path = tmp_path / "params.yaml"
    section = {"seed": 1, "agent_per_general": 2, "native": True, "leave_out": ["offtopic"]}
    path.write_text(yaml.safe_dump({"mix": section}))
    with pytest.raises(BadInput, match=r"params.yaml:\d+: mix: .*offtopic.*leave_out"):
        config.load("mix", mixing.MixConfig, path)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_hard_negative_can_be_left_out(kind):
    section = {"seed": 1, "agent_per_general": 2, "native": True, "leave_out": [kind]}
    assert msgspec.convert(section, mixing.MixConfig).leave_out == (kind,)
