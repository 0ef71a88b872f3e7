"""Rollouts: a policy's answers are parsed, its calls are made, and it sees their results.

All episodes advance a step together, so that a model can answer them in batches.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from agent_tuning.catalogue.simulators import World
from agent_tuning.prompts.formats import REPLY_FORMATS
from agent_tuning.records import (
    Assistant,
    Call,
    Json,
    PromptSpec,
    Record,
    Tool,
    ToolResult,
    Turn,
    User,
)
from benchmark.engines.answer import Answer
from benchmark.scoring.outcome import parse_answer
from benchmark.tasks.episodes import Episode, Episodes

# How an episode ended: by a reply or a question to the user, by a reply that does not parse, or
# because all its steps were used up.
Ending = Literal["no_call", "ask", "malformed", "limit"]


class Step(Record, frozen=True):
    """A policy's answer, the decision in it (None if it does not parse), its calls' results."""

    text: str
    turn: Assistant | None = None
    observations: tuple[Json, ...] = ()


class Transcript(Record, frozen=True):
    episode: str
    steps: tuple[Step, ...]
    ending: Ending
    reason: str = ""  # where the parser stopped


class Rollout:
    """One episode that has not ended, or its result."""

    def __init__(self, episode: Episode, prompt: PromptSpec) -> None:
        self.episode = episode
        self.prompt = prompt
        self.world = World(episode.seed)
        self.turns: list[Turn] = [User(episode.query)]
        self.steps: list[Step] = []
        self.ending: Ending | None = None
        self.reason = ""

    def step(self, answer: Answer, limit: int) -> None:
        """Take the next step with a policy's answer. Step number `limit` ends the episode."""
        parsed = parse_answer(self.prompt, answer)
        turn = parsed.turn
        if turn is None:
            self.steps.append(Step(answer.text))
            self.ending, self.reason = "malformed", parsed.reason
            return
        contents = tuple(self.world.make_call(call, self.prompt.tools) for call in turn.calls)
        self.steps.append(Step(answer.text, turn, contents))
        self.turns.append(turn)
        for call, content in zip(turn.calls, contents, strict=True):
            self.turns.append(ToolResult(call.name, content))
        if turn.decision != "call":
            self.ending = turn.decision
        elif len(self.steps) == limit:
            self.ending = "limit"

    @property
    def transcript(self) -> Transcript:
        assert self.ending is not None, "the episode has not ended"
        return Transcript(self.episode.id, tuple(self.steps), self.ending, self.reason)


Policy = Callable[[Sequence[Rollout]], Sequence[Answer]]  # the next one in each of the rollouts


def run_rollouts(suite: Episodes, policy: Policy, limit: int) -> list[Transcript]:
    """The transcripts of a policy, in the order of the suite; at most `limit` steps each."""
    rollouts = [Rollout(episode, suite.prompt(episode)) for episode in suite.episodes]
    while active := [rollout for rollout in rollouts if rollout.ending is None]:
        for rollout, answer in zip(active, policy(active), strict=True):
            rollout.step(answer, limit)
    return [rollout.transcript for rollout in rollouts]


def oracle_policy(rollouts: Sequence[Rollout]) -> list[Answer]:
    """Make the gold calls, and then state the facts that they give."""
    return [_write_answer(rollout, _next_gold_turn(rollout)) for rollout in rollouts]


def noop_policy(rollouts: Sequence[Rollout]) -> list[Answer]:
    """Never call anything."""
    return [_write_answer(rollout, Assistant("no_call", text="No.")) for rollout in rollouts]


POLICIES: dict[str, Policy] = {"gold": oracle_policy, "always_none": noop_policy}


def _next_gold_turn(rollout: Rollout) -> Assistant:
    gold, done = rollout.episode.gold, len(rollout.steps)
    if done < len(gold):
        return Assistant("call", calls=(gold[done],))
    return Assistant("no_call", text="\n".join(rollout.episode.facts) or "Done.")


def _write_answer(rollout: Rollout, turn: Assistant) -> Answer:
    text = REPLY_FORMATS[rollout.prompt.reply_format].write(turn)
    return Answer(rollout.episode.id, text)


def replay_calls(calls: Iterable[Call], tools: Sequence[Tool], seed: str) -> World:
    """A world in which these calls were made."""
    world = World(seed)
    for call in calls:
        world.make_call(call, tools)
    return world
