"""Playing episodes: what a policy says is read, its calls are made, and it sees what came of them.

All episodes under way advance a step together, so that a model can answer them in batches.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from agent_tuning.catalogue import schema
from agent_tuning.catalogue.simulators import World
from agent_tuning.prompts.formats import REPLY_FORMATS, MalformedReply
from agent_tuning.records import Assistant, Call, Json, Record, Tool, ToolResult, Turn, User
from benchmark.tasks.episodes import Episode, Episodes

# How an episode ended: by a reply or a question to the user, by a text that does not parse, or
# because all its steps were used up.
Ending = Literal["no_call", "ask", "malformed", "limit"]


class Step(Record, frozen=True):
    """What was said, the decision that it is (none if it does not parse), what its calls gave."""

    text: str
    turn: Assistant | None = None
    observations: tuple[Json, ...] = ()


class Transcript(Record, frozen=True):
    episode: str
    steps: tuple[Step, ...]
    ending: Ending
    reason: str = ""  # where a text stopped to parse


class Rollout:
    """One episode under way."""

    def __init__(self, episode: Episode, tools: Sequence[Tool]) -> None:
        self.episode = episode
        self.tools = tools
        self.world = World(episode.seed)
        self.turns: list[Turn] = [User(episode.query)]
        self.steps: list[Step] = []
        self.ending: Ending | None = None
        self.reason = ""

    def step(self, text: str, limit: int) -> None:
        """Take the next step; the last one of `limit` ends the episode whatever it is."""
        try:
            turn = REPLY_FORMATS[self.episode.reply_format].read(text, self.tools)
        except MalformedReply as error:
            self.steps.append(Step(text))
            self.ending, self.reason = "malformed", str(error)
            return
        seen = tuple(make_call(call, self.tools, self.world) for call in turn.calls)
        results = [ToolResult(c.name, content) for c, content in zip(turn.calls, seen, strict=True)]
        self.steps.append(Step(text, turn, seen))
        self.turns += [turn, *results]
        if turn.decision != "call":
            self.ending = turn.decision
        elif len(self.steps) == limit:
            self.ending = "limit"

    @property
    def transcript(self) -> Transcript:
        assert self.ending is not None, "under way"
        return Transcript(self.episode.id, tuple(self.steps), self.ending, self.reason)


Policy = Callable[[Sequence[Rollout]], Sequence[str]]  # what is said next in each of some episodes


def run_rollouts(suite: Episodes, policy: Policy, limit: int) -> list[Transcript]:
    """The transcripts of a policy, in the order of the suite; at most `limit` steps each."""
    plays = [Rollout(episode, suite.tools_of(episode)) for episode in suite.episodes]
    while active := [one for one in plays if one.ending is None]:
        for one, text in zip(active, policy(active), strict=True):
            one.step(text, limit)
    return [one.transcript for one in plays]


def make_call(call: Call, tools: Sequence[Tool], world: World) -> Json:
    """The simulator's result; of a call that cannot be made `{"error": reason}`, and no change."""
    if problem := schema.find_call_problem(call, tools):
        return {"error": problem}
    try:
        return world.observe(call)
    except (ArithmeticError, LookupError, ValueError) as error:  # such as the 30th of February
        return {"error": f"impossible: {error}"}


def oracle_policy(plays: Sequence[Rollout]) -> list[str]:
    """The policy that makes the gold calls and then says what they gave."""
    return [_said(one, _golden(one)) for one in plays]


def noop_policy(plays: Sequence[Rollout]) -> list[str]:
    """The policy that never calls anything."""
    return [_said(one, Assistant("no_call", text="No.")) for one in plays]


POLICIES: dict[str, Policy] = {"gold": oracle_policy, "always_none": noop_policy}


def _golden(one: Rollout) -> Assistant:
    done = len(one.steps)
    if done < len(one.episode.gold):
        return Assistant("call", calls=(one.episode.gold[done],))
    return Assistant("no_call", text="\n".join(one.episode.facts) or "Done.")


def _said(one: Rollout, turn: Assistant) -> str:
    return REPLY_FORMATS[one.episode.reply_format].write(turn)


def replay_calls(calls: Iterable[Call], tools: Sequence[Tool], seed: str) -> World:
    """A world in which these calls were made."""
    world = World(seed)
    for call in calls:
        make_call(call, tools, world)
    return world
