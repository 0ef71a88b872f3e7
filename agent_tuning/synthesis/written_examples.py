"""Examples that people or a chat model wrote by hand: what a user says, and the right decision.

One line of JSON is one example. `history` holds what was said before the query, as messages:

    {"query": "Is the Larkfield kettle in stock?", "kind": "call", "decision": "call",
     "thought": "I should check the stock of the Larkfield kettle.",
     "calls": [{"name": "check_stock", "arguments": {"product": "Larkfield kettle"}}]}

The grammar of the catalogue cannot word things as freely as people do: a model that saw only the
grammar fails on people's wordings (docs/own-tools.md has the numbers).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from agent_tuning.files import jsonl
from agent_tuning.records import Assistant, BadInput, Call, Decision, Record, Turn, User

Kind = Literal[
    "call",
    "multi",
    "chain",
    "follow_up",
    "missing_argument",
    "tool_unavailable",
    "not_requested",
    "on_topic_chat",
    "off_topic",
]


class SpokenMessage(Record, frozen=True):
    """What was said before: a request, or the model's question back."""

    role: Literal["user", "assistant"]
    content: str


class WrittenExample(Record, frozen=True):
    """One example. Of a `chain`, `calls` are the first step; `also_right` are other right calls.

    `text` is what the user reads: the question back, or the reply without a call.
    """

    query: str
    kind: Kind
    decision: Decision
    thought: str = ""
    calls: tuple[Call, ...] = ()
    text: str = ""
    history: tuple[SpokenMessage, ...] = ()
    also_right: tuple[tuple[Call, ...], ...] = ()

    def __post_init__(self) -> None:
        if self.history and [message.role for message in self.history[:2]] != ["user", "assistant"]:
            raise ValueError("history: expected a user's message, then the assistant's")
        if (self.decision != "call") != bool(self.text):
            raise ValueError("text: a question or a reply needs one, and a call has none")
        if self.also_right and self.decision != "call":
            raise ValueError("also_right: only a call has other right calls")
        self.answer  # noqa: B018 - raises ValueError if the decision and its calls do not fit

    @property
    def before(self) -> tuple[Turn, ...]:
        """The turns up to the decision."""
        spoken = (
            User(message.content)
            if message.role == "user"
            else Assistant("ask", text=message.content)
            for message in self.history
        )
        return (*spoken, User(self.query))

    @property
    def answer(self) -> Assistant:
        """The decision itself."""
        if self.decision == "call":
            return Assistant("call", self.thought, self.calls)
        return Assistant(self.decision, self.thought, text=self.text)


class NumberedExample(NamedTuple):
    id: str  # the file's name and the line's number
    example: WrittenExample


def read_folder(folder: Path) -> Iterator[NumberedExample]:
    """All examples of a folder's `.jsonl` files, in the order of their names, or of one file.

    Raises BadInput with file, line and field of the first bad line, and if there is no file.
    """
    files = [folder] if folder.is_file() else sorted(folder.glob("*.jsonl"))
    if not files:
        raise BadInput(f"{folder}: no written examples: expected files *.jsonl")
    for path in files:
        for number, example in enumerate(jsonl.read(path, WrittenExample), 1):
            yield NumberedExample(f"{path.stem}.{number}", example)
