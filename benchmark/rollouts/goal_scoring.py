"""Did an episode reach its goal? Judged from its transcript alone; no model is run.

The goal is a state: every stateful simulator of the world has to be as the gold calls leave it,
whatever the way there. If the gold calls change nothing, the request is a question: then the policy
must have seen the last gold result, and its final reply must state the facts. In both cases the
policy has to end the episode itself, by a reply.

`pass^k` is tau-bench's (Yao et al. 2024): the chance that k attempts at a task, drawn without
replacement from its n, all succeed, C(c, k) / C(n, k) with c successes; the mean over tasks.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import comb
from typing import Literal

from agent_tuning.catalogue import schema
from agent_tuning.quality.near_duplicates import normalize_tokens
from agent_tuning.records import Assistant, Call, Json, Record, Tool
from benchmark.rollouts.rollout import Step, Transcript, replay_calls
from benchmark.scoring import significance
from benchmark.tasks.episodes import Episode, Episodes

# In the order in which they are checked: the first one that holds is the outcome.
Outcome = Literal[
    "missing",  # no transcript
    "malformed",
    "limit",
    "asked",
    "other_state",
    "not_found",  # the policy never saw the result that answers the question
    "not_told",  # it saw the result, and its reply does not state the facts
    "success",
]
OUTCOMES: tuple[Outcome, ...] = Outcome.__args__  # type: ignore[attr-defined]
ENDINGS: dict[str, Outcome] = {"malformed": "malformed", "limit": "limit", "ask": "asked"}


class EpisodeScore(Record, frozen=True):
    """The outcome of one episode with one policy; `model` is the policy's name."""

    model: str
    episode: str
    task: str
    family: str
    language: str
    query: str
    outcome: Outcome
    steps: tuple[Step, ...] = ()
    invalid: tuple[str, ...] = ()  # calls that could not be made, as `reason: detail`
    reason: str = ""
    gold: tuple[Call, ...] = ()

    @property
    def success(self) -> bool:
        return self.outcome == "success"


def score_episodes(
    suite: Episodes, model: str, transcripts: Iterable[Transcript]
) -> Iterator[EpisodeScore]:
    """The score of every episode of the suite, in its order."""
    by_episode = {transcript.episode: transcript for transcript in transcripts}
    for episode in suite.episodes:
        prompt, transcript = suite.prompt(episode), by_episode.get(episode.id)
        steps = transcript.steps if transcript else ()
        calls = [call for step in steps if step.turn for call in step.turn.calls]
        problems = (schema.find_call_problem(call, prompt.tools) for call in calls)
        yield EpisodeScore(
            model=model,
            episode=episode.id,
            task=episode.task,
            family=episode.family,
            language=prompt.language,
            query=episode.query,
            outcome=find_outcome(episode, prompt.tools, transcript),
            steps=steps,
            invalid=tuple(problem for problem in problems if problem),
            reason=transcript.reason if transcript else "",
            gold=episode.gold,
        )


def find_outcome(episode: Episode, tools: Sequence[Tool], transcript: Transcript | None) -> Outcome:
    if transcript is None:
        return "missing"
    if transcript.ending in ENDINGS:
        return ENDINGS[transcript.ending]
    calls = [call for step in transcript.steps if step.turn for call in step.turn.calls]
    goal = replay_calls(episode.gold, tools, episode.seed).state()
    if replay_calls(calls, tools, episode.seed).state() != goal:
        return "other_state"
    if goal != replay_calls((), tools, episode.seed).state():
        return "success"
    if compute_needed_result(episode, tools) not in list_results(transcript.steps):
        return "not_found"
    last = transcript.steps[-1].turn
    assert isinstance(last, Assistant)
    return "success" if states_all_facts(episode.facts, last.text) else "not_told"


def compute_needed_result(episode: Episode, tools: Sequence[Tool]) -> tuple[str, Json]:
    """The tool and the result that answer a question: those of the last gold call."""
    *earlier, last = episode.gold
    return last.name, replay_calls(earlier, tools, episode.seed).observe(last)


def list_results(steps: Iterable[Step]) -> list[tuple[str, Json]]:
    """The tool and the result of every call, in order."""
    return [
        (call.name, content)
        for step in steps
        if step.turn
        for call, content in zip(step.turn.calls, step.observations, strict=True)
    ]


def states_all_facts(facts: Iterable[str], reply: str) -> bool:
    """Does the reply contain every fact, as whole words in order? Chinese characters are words."""
    text = f" {_join_words(reply)} "
    return all(f" {_join_words(fact)} " in text for fact in facts)


def _join_words(text: str) -> str:
    # 40.0 becomes 40, and 1,040 becomes 1040.
    numbers = re.sub(r"(\d)\.0+(?!\d)|(?<=\d),(?=\d{3})", r"\1", text)
    return " ".join(normalize_tokens(numbers))


def compute_pass_hat(rows: Iterable[EpisodeScore], k: int) -> float:
    """pass^k, 0-1. Tasks with fewer than k attempts are left out; without any task it is 0."""
    attempts: dict[str, list[bool]] = {}
    for row in rows:
        attempts.setdefault(row.task, []).append(row.success)
    chances = [comb(sum(a), k) / comb(len(a), k) for a in attempts.values() if len(a) >= k]
    return math.fsum(chances) / len(chances) if chances else 0.0


def compute_metrics(rows: Sequence[EpisodeScore], resamples: int, seed: int) -> dict[str, float]:
    """A flat dict, empty where no episode was played. Shares are 0-1, `steps` is a mean.

    The interval resamples tasks, since the attempts at one task are not independent.
    """
    if not rows:
        return {}
    rows = sorted(rows, key=lambda row: row.episode)
    won = [float(row.success) for row in rows]
    low, high = significance.mean_interval(won, [row.task for row in rows], resamples, seed)
    most_attempts = max(Counter(row.task for row in rows).values())
    metrics: dict[str, float] = {
        "n": len(rows),
        "success": _mean(won),
        "success.low": low,
        "success.high": high,
        "answered_rate": _mean(row.outcome != "missing" for row in rows),
        "invalid": _mean(bool(row.invalid) for row in rows),
        "steps": _mean(len(row.steps) for row in rows),
    }
    metrics |= {f"pass^{k}": compute_pass_hat(rows, k) for k in range(1, most_attempts + 1)}
    for name in OUTCOMES:
        metrics[f"outcome.{name}"] = _mean(row.outcome == name for row in rows)
    for family, of_family in group_by_family(rows).items():
        metrics[f"family.{family}"] = _mean(row.success for row in of_family)
    return metrics


def group_by_family(rows: Iterable[EpisodeScore]) -> Mapping[str, list[EpisodeScore]]:
    groups: dict[str, list[EpisodeScore]] = {}
    for row in rows:
        groups.setdefault(row.family, []).append(row)
    return dict(sorted(groups.items()))


def _mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return math.fsum(numbers) / len(numbers)
