"""What a catalogue file holds: tools, what people use them for, and how people ask.

A scenario is one use of a tool: phrasings with `{slots}`, the arguments they lead to, the thought
before the call (`goal`) and the final `reply`, in every language. `{city}` stands for a slot's
value, `{1.price}` for a field of the first step's observation. There are two complex kinds: with
`then`, later calls follow, whose arguments may come from earlier observations; with `also`, other
calls are made in the same turn, and none of them sees what another observes.

A tool without a simulator carries `observations`, and every call gets one of them. A tool without
scenarios is never called: it only makes tool lists harder. A domain may have fewer `languages`.
"""

import re
from typing import Annotated, NamedTuple, get_args

import msgspec

from agent_tuning.records import Json, Language, Record, Tool

LANGUAGES: tuple[Language, ...] = get_args(Language)
SLOT = re.compile(r"\{(\w+(?:\.\w+)?)\}")
OBSERVED_FIELD = re.compile(r"\{(\d+)\.(\w+)\}")
TOOL_NAME = re.compile(r"[A-Za-z_][\w.-]*")


class LocalizedText(Record, frozen=True):
    """The same sentence in every language of its domain."""

    en: str = ""
    zh: str = ""


AtLeastTwo = Annotated[tuple[str, ...], msgspec.Meta(min_length=2)]


class LocalizedTexts(Record, frozen=True):
    """Several ways to say one thing, per language; the last one is held out of training."""

    en: AtLeastTwo = ()
    zh: AtLeastTwo = ()


class NamedValue(Record, frozen=True):
    """A value the tool knows by `value` and people by another word."""

    value: Json
    en: str = ""
    zh: str = ""


class NumberRange(Record, frozen=True):
    """Numbers from `start` to `stop`, both included."""

    start: int | float
    stop: int | float
    step: int | float = 1

    def __post_init__(self) -> None:
        if self.start > self.stop or self.step <= 0:
            raise ValueError("expected start below stop, and a step above 0")


Slot = LocalizedTexts | tuple[NamedValue, ...] | NumberRange


class Step(Record, frozen=True):
    """One call: its arguments as literals or `{references}`."""

    tool: str
    arguments: dict[str, Json] = {}


class FollowUpStep(Step, frozen=True, kw_only=True):
    """A call that follows on others, and what it is for."""

    goal: LocalizedText


class PlannedTurn(NamedTuple):
    """One turn of the model: what it is for, and its calls."""

    goal: LocalizedText
    steps: tuple[Step, ...]


class Scenario(Record, frozen=True):
    name: str
    queries: LocalizedTexts
    goal: LocalizedText
    reply: LocalizedText
    arguments: dict[str, Json] = {}
    then: tuple[FollowUpStep, ...] = ()
    also: tuple[Step, ...] = ()

    @property
    def kind(self) -> str:
        """Of its trajectories: one call, several that follow on each other, several at once."""
        return "chain" if self.then else "multi" if self.also else "call"

    @property
    def complexity(self) -> str:
        return "simple" if self.kind == "call" else "complex"

    def turns(self, tool: str) -> tuple[PlannedTurn, ...]:
        first = PlannedTurn(self.goal, (Step(tool, self.arguments), *self.also))
        return (first, *(PlannedTurn(step.goal, (step,)) for step in self.then))

    def steps(self, tool: str) -> tuple[Step, ...]:
        """Every call, in order."""
        return tuple(step for turn in self.turns(tool) for step in turn.steps)


class MissingArgument(Record, frozen=True):
    """Queries that leave out a required argument, and the question to ask back."""

    argument: str
    queries: LocalizedTexts
    goal: LocalizedText
    ask: LocalizedText


class Remark(Record, frozen=True):
    """Something said about a tool's subject that needs no call, and a fitting answer."""

    query: LocalizedText
    reply: LocalizedText


class ToolEntry(Record, frozen=True):
    name: str
    description: LocalizedText
    parameters: dict[str, Json]
    scenarios: tuple[Scenario, ...]
    remarks: tuple[Remark, ...]
    siblings: tuple[str, ...] = ()
    missing: MissingArgument | None = None
    observations: tuple[dict[str, Json], ...] = ()

    def tool(self, language: Language) -> Tool:
        return Tool(self.name, getattr(self.description, language), self.parameters)


class Domain(Record, frozen=True):
    """Tools about one subject, and the values their slots may take.

    `words` are passed on as the user says them, `names` as the `value` the tool knows.
    """

    domain: str
    tools: tuple[ToolEntry, ...]
    words: dict[str, LocalizedTexts] = {}
    names: dict[str, tuple[NamedValue, ...]] = {}
    numbers: dict[str, NumberRange] = {}
    languages: tuple[Language, ...] = LANGUAGES

    @property
    def slots(self) -> dict[str, Slot]:
        return {**self.words, **self.names, **self.numbers}
