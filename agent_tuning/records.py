"""What a conversation with tools is. Everything else in the repository speaks these types."""

from collections.abc import Iterator, Sequence
from typing import Any, Generic, Literal, Self, TypeVar

import msgspec

Json = Any  # a JSON value: str, int, float, bool, None, list or dict
Language = Literal["en", "zh"]
Decision = Literal["call", "no_call", "ask"]
NATIVE = "native"
T = TypeVar("T")


class BadInput(ValueError):
    """Input that the user can correct; the message is one line: place, field, what was expected."""


class Unfinished(Exception):
    """A run that stopped early and kept its work: the same command resumes it (exit status 75)."""


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An immutable value that reads and writes itself as one line of JSON."""


class Tool(Record, frozen=True):
    """A function the model may call; `parameters` is a JSON Schema of type object."""

    name: str
    description: str
    parameters: dict[str, Json]


class Call(Record, frozen=True):
    name: str
    arguments: dict[str, Json] = {}


class User(Record, frozen=True, tag="user", tag_field="role"):
    text: str


class Assistant(Record, frozen=True, tag="assistant", tag_field="role"):
    """One decision of the model.

    `thought` is the task description: what the model is about to do, in one line.
    `calls` belongs to the decision `call`, `text` (what the user reads) to `no_call` and `ask`.
    A turn that is not `trained` is context only: imported data marks such replies.
    """

    decision: Decision
    thought: str = ""
    calls: tuple[Call, ...] = ()
    text: str = ""
    trained: bool = True

    def __post_init__(self) -> None:
        if (self.decision == "call") != bool(self.calls):
            raise ValueError(f"decision {self.decision} with {len(self.calls)} calls")
        if self.decision == "call" and self.text:
            raise ValueError("a call has no text: what the model is about to do is its thought")
        if "\n" in self.thought or self.thought != self.thought.strip():
            raise ValueError("a thought is one line without outer spaces")


class ToolResult(Record, frozen=True, tag="tool", tag_field="role"):
    """What a tool gave back: the observation."""

    name: str
    content: Json


Turn = User | Assistant | ToolResult


def find_trained(turns: Sequence[Turn]) -> Iterator[tuple[int, Assistant]]:
    """The trained decisions, each after its place in `turns` (from 0)."""
    for position, turn in enumerate(turns):
        if isinstance(turn, Assistant) and turn.trained:
            yield position, turn


class Trajectory(Record, frozen=True):
    """One whole exchange. The facets say what it was made for; they never reach a prompt."""

    id: str
    turns: tuple[Turn, ...]
    kind: str  # call, chain, multi, a kind of hard negative, or general
    language: Language
    tool: str = ""
    scenario: str = ""

    @property
    def query(self) -> str:
        """The first user turn."""
        return next(turn.text for turn in self.turns if isinstance(turn, User))


class AnyPrompt(Record, Generic[T], frozen=True):
    """A prompt whose tools are a `T`: the tools themselves, or keys that stand for them."""

    id: str
    language: Language
    tools: tuple[T, ...]  # in prompt order
    template: str = ""
    tool_format: str = ""
    reply_format: str = ""
    instructions: str = ""

    @property
    def native(self) -> bool:
        """True if the model's own chat template writes the prompt and all turns."""
        return {self.template, self.tool_format, self.reply_format} == {NATIVE}

    @property
    def native_problem(self) -> str:
        """What is wrong if only a part of the prompt is native; "" if nothing is."""
        names = (self.template, self.tool_format, self.reply_format)
        if self.native:
            return ""
        if NATIVE in names:
            return (
                f"template, tool_format, reply_format: expected native for all three or for none, "
                f"got {', '.join(names)}"
            )
        return "instructions: expected a native prompt" if self.instructions else ""

    def make_native(self) -> Self:
        """The same prompt as the model's own chat template writes it."""
        return msgspec.structs.replace(
            self, template=NATIVE, tool_format=NATIVE, reply_format=NATIVE
        )


class PromptSpec(AnyPrompt[Tool], frozen=True):
    """All that decides a system prompt; `prompts/system_prompt.py` writes the prompt from it.

    `template`, `tool_format` and `reply_format` are empty until `diversify` chooses them.
    A prompt without tools is general conversation and has no formats. In a native prompt all three
    are "native": the model's own chat template writes it (`tokens/native_template.py`), beside the
    `instructions` that a client sends as its system message. No other prompt has instructions.
    """


class Group(Record, frozen=True):
    """Trajectories that are planned and kept together, under one prompt.

    Groups whose prompts are equal share that prompt's tokens in a pack.
    """

    id: str
    prompt: PromptSpec
    trajectories: tuple[Trajectory, ...]

    @property
    def language(self) -> Language:
        return self.prompt.language

    @property
    def tools(self) -> tuple[Tool, ...]:
        return self.prompt.tools
