"""Mixing: as much general conversation among the agent data as the ratio asks for."""

import json
from pathlib import Path

import msgspec
import pytest
import yaml

from agent_tuning.files import jsonl
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
from agent_tuning.synthesis import mixing
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
    Path("params.yaml").write_text(yaml.safe_dump({"mix": section}))
    agent = [group(f"g{number}", 5, (Tool("f", "", {}),)) for number in range(4)]
    jsonl.write(Path("agent"), agent)
    jsonl.write(Path("general"), GENERAL)
    mix.main(Path("agent"), Path("general"), Path("mixed"), Path("metrics"))
    mixed = list(jsonl.read(Path("mixed"), Group))
    assert mixed[:4] == agent
    assert len(ids(mixed[4:])) == generals
    counts = json.loads(Path("metrics").read_text())
    ratio = per_general if generals else 0
    assert counts == {"agent": 20, "agent_per_general": ratio, "general": generals}


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
