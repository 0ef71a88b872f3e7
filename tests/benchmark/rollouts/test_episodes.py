"""Episodes: the oracle reaches every goal, the noop policy none, every failure has a name."""

from pathlib import Path

import msgspec
import pytest
import yaml

from agent_tuning.catalogue.simulators import World
from agent_tuning.files import append_log, jsonl
from agent_tuning.prompts.formats import REPLY_FORMATS
from agent_tuning.records import Assistant, BadInput, Call, Tool
from agent_tuning.runtime import config
from agent_tuning.synthesis.held_out import HeldOut
from benchmark.drafting import draft_episodes
from benchmark.drafting.draft_episodes import EpisodeDrafter
from benchmark.drafting.house_layout import HouseDraftConfig
from benchmark.engines.answer import Answer
from benchmark.rollouts import goal_scoring, rollout
from benchmark.rollouts.config import EpisodesConfig, read_played
from benchmark.rollouts.episode_metrics import read_transcripts
from benchmark.rollouts.goal_scoring import EpisodeScore
from benchmark.rollouts.model_policy import LoggedReply
from benchmark.rollouts.rollout import Rollout, Step, Transcript
from benchmark.tasks import episodes
from benchmark.tasks.episodes import Episode, Episodes
from benchmark.tasks.suite_prompts import SuitePrompt
from stages import score_episodes as stage
from tests.support import default_data, general_params
from tests.support.killed_stage import KillableStage

FOLDER = Path("benchmark/suites/episodes")
SUITE = episodes.read(FOLDER)
PLAYED = config.load("episodes", EpisodesConfig, recipe="general")
STEPS = PLAYED.steps
TOOLS = {
    name: default_data.CATALOGUE.tool(name, "en")
    for name in ("make_directory", "move_file", "list_processes", "find_large_files")
}
PROMPT = SuitePrompt("g", "en", tuple(TOOLS), "plain.en", "react", "react")
MAKE = Call("make_directory", {"path": "/srv/reports"})
MOVE = Call("move_file", {"path": "/home/ada/plan.txt", "folder": "/srv/reports"})
WHO = Call("list_processes", {"user": "ada"})


def episode(*gold: Call, facts: tuple[str, ...] = (), number: int = 0, task: str = "t") -> Episode:
    return Episode(
        id=f"{task}.{number}",
        task=task,
        prompt="g",
        family="operating_system",
        seed="w",
        query="Do it.",
        gold=gold,
        facts=facts,
    )


def made(*listed: Episode) -> Episodes:
    return Episodes(TOOLS, {"g": PROMPT}, listed)


CHANGE = episode(MAKE, MOVE)
TOP = World("w").observe(WHO)
QUESTION = episode(WHO, facts=(str(TOP["count"]), TOP["name"]))
ANSWER = f"There are {TOP['count']} processes, {TOP['name']} leads."


def says(*turns: Assistant | str) -> rollout.Policy:
    """A policy that gives these replies one after the other, and then repeats the last one."""

    def policy(plays: list[Rollout]) -> list[Answer]:
        chosen = [turns[min(len(play.steps), len(turns) - 1)] for play in plays]
        react = REPLY_FORMATS["react"]
        texts = [turn if isinstance(turn, str) else react.write(turn) for turn in chosen]
        return [Answer(play.episode.id, text) for play, text in zip(plays, texts, strict=True)]

    return policy


def calls(*listed: Call) -> Assistant:
    return Assistant("call", "", listed)


def reply(text: str = "Done.") -> Assistant:
    return Assistant("no_call", text=text)


def score_one(goal: Episode, *turns: Assistant | str) -> EpisodeScore:
    suite = made(goal)
    [judged] = goal_scoring.score_episodes(
        suite, "m", rollout.run_rollouts(suite, says(*turns), STEPS)
    )
    return judged


@pytest.mark.parametrize(("policy", "share"), [("gold", 1.0), ("always_none", 0.0)])
def test_the_oracle_reaches_every_goal_and_the_noop_policy_none(policy, share):
    played = rollout.run_rollouts(SUITE, rollout.POLICIES[policy], STEPS)
    rows = list(goal_scoring.score_episodes(SUITE, policy, played))
    assert goal_scoring.compute_metrics(rows, 10, 0)["success"] == share
    assert {row.success for row in rows} == {bool(share)}


def test_all_six_families_have_episodes_in_both_languages():
    assert {episode.family for episode in SUITE.episodes} == set(draft_episodes.FAMILIES)
    for family in draft_episodes.FAMILIES:
        episodes_of_family = [episode for episode in SUITE.episodes if episode.family == family]
        assert {SUITE.prompt(episode).language for episode in episodes_of_family} == {"en", "zh"}
        assert any(len(episode.gold) > 1 for episode in episodes_of_family)


def test_attempts_at_a_task_differ_in_words_and_world_but_not_in_the_gold_tools():
    for attempts in episodes.group_by_task(SUITE.episodes).values():
        assert len({episode.query for episode in attempts}) == len(attempts)
        assert len({episode.seed for episode in attempts}) == len(attempts)
        assert len({tuple(call.name for call in episode.gold) for episode in attempts}) == 1


def test_a_draft_is_the_same_every_time():
    p = msgspec.structs.replace(
        config.load("draft_episodes", draft_episodes.EpisodeDraftConfig), tasks=2
    )
    held_out = config.load("held_out", HeldOut, recipe="general")
    formats = config.load("draft", HouseDraftConfig)
    first, second = (
        EpisodeDrafter(default_data.CATALOGUE, formats, held_out, p).draft() for _ in range(2)
    )
    assert first == second
    assert len(first.episodes) == p.tasks * p.attempts * len(draft_episodes.FAMILIES)


@pytest.mark.parametrize(
    ("goal", "turns", "outcome"),
    [
        (CHANGE, [calls(MAKE), calls(MOVE), reply()], "success"),
        (CHANGE, [calls(MAKE, MOVE), reply()], "success"),
        (CHANGE, [calls(WHO), calls(MAKE), calls(MOVE), reply()], "success"),
        (CHANGE, [calls(MOVE), calls(MAKE), reply()], "other_state"),
        (CHANGE, [calls(MAKE), reply()], "other_state"),
        (CHANGE, [calls(MAKE), calls(MOVE), "and so on"], "malformed"),
        (CHANGE, [calls(MAKE), calls(MOVE), Assistant("ask", text="Well?")], "asked"),
        (CHANGE, [calls(MAKE), calls(MOVE), calls(WHO)], "limit"),
        (CHANGE, ["what?"], "malformed"),
        (QUESTION, [calls(WHO), reply(ANSWER)], "success"),
        (QUESTION, [calls(WHO), reply("Done.")], "not_told"),
        (QUESTION, [reply(ANSWER)], "not_found"),
        (QUESTION, [calls(Call("list_processes", {"user": "bob"})), reply(ANSWER)], "not_found"),
        (QUESTION, [calls(WHO), calls(MAKE), reply(ANSWER)], "other_state"),
    ],
)
def test_an_episode_ends_with_one_outcome(goal, turns, outcome):
    assert score_one(goal, *turns).outcome == outcome


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (Call("delete_everything"), "not_on_menu: delete_everything"),
        (Call("make_directory"), "missing_argument: make_directory.path"),
        (Call("make_directory", {"path": 3}), 'schema: path: 3 is not of type "string"'),
        (
            Call("make_directory", {"path": "/a", "mode": 1}),
            "undeclared_argument: make_directory.mode",
        ),
    ],
)
def test_a_call_that_cannot_be_made_is_named_observed_and_may_be_corrected(call, problem):
    judged = score_one(CHANGE, calls(call), calls(MAKE), calls(MOVE), reply())
    assert judged.invalid == (problem,)
    assert judged.steps[0].observations == ({"error": problem},)
    assert judged.success


def test_a_transcript_that_is_missing_counts_as_a_failure():
    suite = made(CHANGE, episode(MAKE, number=1))
    played = rollout.run_rollouts(suite, rollout.oracle_policy, STEPS)[:1]
    metrics = goal_scoring.compute_metrics(
        list(goal_scoring.score_episodes(suite, "m", played)), 10, 0
    )
    assert (metrics["answered_rate"], metrics["success"], metrics["outcome.missing"]) == (
        0.5,
        0.5,
        0.5,
    )


@pytest.mark.parametrize(
    ("facts", "text", "stated"),
    [
        (("3",), "There are 3 rows.", True),
        (("3",), "There are 13 rows.", False),
        (("40.0",), "It costs 40 dollars.", True),
        (("1040",), "1,040 people", True),
        (("/srv/plan.txt",), "It is /srv/plan.txt.", True),
        (("陈静",), "是陈静（第15行）。", True),
        (("a b", "c"), "c, a, b", True),
        (("a b",), "b a", False),
    ],
)
def test_a_reply_states_facts_in_whole_words(facts, text, stated):
    assert goal_scoring.states_all_facts(facts, text) == stated


def test_pass_k_is_the_chance_that_k_drawn_attempts_all_succeed():
    def row(task: str, number: int, won: bool) -> EpisodeScore:
        outcome = "success" if won else "malformed"
        return EpisodeScore("m", f"{task}.{number}", task, "web", "en", "", outcome)

    rows = [row("a", n, n < 3) for n in range(4)] + [row("b", n, True) for n in range(4)]
    assert goal_scoring.compute_pass_hat(rows, 1) == pytest.approx((3 / 4 + 1) / 2)
    assert goal_scoring.compute_pass_hat(rows, 2) == pytest.approx((3 / 6 + 1) / 2)
    assert goal_scoring.compute_pass_hat(rows, 4) == pytest.approx((0 + 1) / 2)
    assert goal_scoring.compute_pass_hat(rows, 5) == 0.0


def test_a_slice_takes_the_first_tasks_of_each_family():
    part = SUITE.slice(2, 3)
    assert len(part.episodes) == 6 * 2 * 3
    assert all(episode in SUITE.episodes for episode in part.episodes)
    assert part.digest != SUITE.digest


def test_a_slice_of_some_families_is_what_the_slice_of_all_has_of_them():
    whole = SUITE.slice(2, 3)
    part = SUITE.slice(2, 3, ("shop", "web"))
    assert part.episodes == tuple(one for one in whole.episodes if one.family in ("shop", "web"))
    assert len(part.episodes) == 2 * 2 * 3


def test_what_is_played_is_the_slice_under_the_prompts_that_the_recipe_asks_for():
    p = msgspec.structs.replace(PLAYED, families=("shop",), tasks=1)
    assert read_played(FOLDER, p) == SUITE.slice(1, p.attempts, ("shop",))
    native = read_played(FOLDER, msgspec.structs.replace(p, native=True))
    assert native.episodes == SUITE.slice(1, p.attempts, ("shop",)).episodes
    assert native.tools == SUITE.tools
    for episode in native.episodes:
        assert native.prompt(episode).native
        assert native.prompt(episode).tools == SUITE.prompt(episode).tools


def test_native_episodes_are_won_by_replies_in_the_native_format():
    p = msgspec.structs.replace(PLAYED, families=("shop",), tasks=3, native=True)
    suite = read_played(FOLDER, p)
    played = rollout.run_rollouts(suite, rollout.POLICIES["gold"], STEPS)
    assert "<tool_call>" in played[0].steps[0].text
    rows = list(goal_scoring.score_episodes(suite, "gold", played))
    assert {row.outcome for row in rows} == {"success"}


def test_a_native_reply_that_is_cut_ends_the_episode_as_malformed():
    p = msgspec.structs.replace(PLAYED, families=("shop",), tasks=1, native=True)
    suite = read_played(FOLDER, p)

    def policy(plays: list[Rollout]) -> list[Answer]:
        return [Answer(play.episode.id, "I will now look for", cut=True) for play in plays]

    played = rollout.run_rollouts(suite, policy, STEPS)
    assert {(one.ending, one.reason) for one in played} == {
        ("malformed", "cut at the limit of tokens")
    }


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"prompt": "other"}, "prompt: 'other' is not in prompts.jsonl"),
        ({"id": "t.0"}, "id: 't.0' is a duplicate"),
        ({"gold": (Call("make_directory"),)}, "gold: missing_argument: make_directory.path"),
    ],
)
def test_a_bad_line_is_named(tmp_path, change, problem):
    second = msgspec.structs.replace(episode(MAKE, number=1), **change)
    episodes.write(tmp_path, made(CHANGE, second))
    with pytest.raises(BadInput) as caught:
        episodes.read(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}/episodes.jsonl:2: {problem}")


def test_a_prompt_lists_only_tools_with_a_simulator(tmp_path):
    fly = Tool("fly", "Fly.", {"type": "object", "properties": {}})
    second = SuitePrompt("h", "en", ("fly",), "plain.en", "react", "react")
    suite = Episodes({**TOOLS, "fly": fly}, {"g": PROMPT, "h": second}, (CHANGE,))
    episodes.write(tmp_path, suite)
    with pytest.raises(BadInput, match=r"prompts\.jsonl:2: tools: 'fly' has no simulator"):
        episodes.read(tmp_path)


def test_metrics_are_the_same_bytes_in_whatever_order_transcripts_come(tmp_path, monkeypatch):
    suite = SUITE.slice(2, 2)
    folder = tmp_path / "suite"
    episodes.write(folder, suite)
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(yaml.safe_dump(general_params.read()))
    played = rollout.run_rollouts(suite, rollout.oracle_policy, STEPS)
    written = []
    for order in (played, played[::-1]):
        for name in ("base", "tuned"):
            jsonl.write(Path(f"{name}.jsonl"), order)
        stage.main(folder, *map(Path, ("base.jsonl", "tuned.jsonl", "goals.jsonl", "m.json")))
        written.append((Path("m.json").read_bytes(), Path("goals.jsonl").read_bytes()))
    assert written[0] == written[1]


def test_a_transcript_of_no_episode_here_is_an_error(tmp_path):
    jsonl.write(tmp_path / "base.jsonl", [Transcript("other", (Step("?"),), "malformed")])
    with pytest.raises(BadInput, match=r"base.jsonl:1: episode: 'other' is not in the suite"):
        read_transcripts(tmp_path / "base.jsonl", SUITE)


def test_a_killed_run_resumes_and_ends_with_the_same_bytes(lively, tmp_path):
    paths = ["suite", "base", "code.json", "transcripts.jsonl"]
    act = KillableStage("episodes", paths, "transcripts.jsonl")
    numbers = {"tasks": 4, "attempts": 1, "max_new_tokens": 40, "batch_size": 4, "threads": 1}
    ready = act.ready(tmp_path / "ready", lively, numbers)
    (ready / "suite").symlink_to(Path("benchmark/suites/episodes").resolve())
    whole = act.finished(ready)
    path = act.killed(ready, tmp_path / "run")
    assert append_log.read_complete(path, LoggedReply)
    with open(path, "ab") as torn:
        torn.write(b'{"episode": "shop.0", "st')
    assert act.finished(tmp_path / "run") == whole
    replies, uninterrupted = (log.read_text().splitlines() for log in (path, act.store(ready)))
    assert len(replies) == len(uninterrupted)  # no reply was generated twice
