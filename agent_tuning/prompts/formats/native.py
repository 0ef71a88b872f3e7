"""Native: what a chat template makes of a message, as an OpenAI-compatible server reads it back.

A call has its thought as content before it, then one block of JSON between <tool_call> tags for
each call, and ends the reply. All other replies are plain text for the user, without a thought.
The decision is read by one rule: calls are a call; without a call, a text whose last sentence is a
question is `ask`; any other text is `no_call`.
"""

import re
import unicodedata
from collections.abc import Sequence

from agent_tuning.prompts.formats.reading import MalformedReply, expect_end, format_json
from agent_tuning.prompts.formats.segments import ReplyFormat, Segment, join_lines
from agent_tuning.prompts.formats.tool_call_blocks import OPEN, read_blocks, write_blocks
from agent_tuning.records import Assistant, Tool, ToolResult

VALID_PREFIXES = ("",)  # any prose may be a reply
MARKUP = re.compile(r"</?tool_(?:call|response)>")
QUESTION_MARKS = ("?", "？")
# After a question mark: closing brackets and quotes, emoji with their joiners and skin colours.
CLOSERS = {"Pe", "Pf", "So", "Sk", "Cf", "Mn"}
PLAIN_CLOSERS = "\"'*_~"


def is_question(text: str) -> bool:
    """True if the last sentence ends with a question mark, whatever closes the text after it."""
    end = len(text)
    while end and _closes(text[end - 1]):
        end -= 1
    return text[:end].endswith(QUESTION_MARKS)


def _closes(character: str) -> bool:
    return (
        character.isspace()
        or character in PLAIN_CLOSERS
        or unicodedata.category(character) in CLOSERS
    )


def find_problem(turn: Assistant) -> str | None:
    """Why a turn cannot be written so that it is read back; None if it can."""
    if turn.decision == "call":
        return f"the thought has the markup {m[0]}" if (m := MARKUP.search(turn.thought)) else None
    if turn.text != turn.text.strip() or not turn.text:
        return "the text is empty or begins or ends with a blank"
    if markup := MARKUP.search(turn.text):
        return f"the text has the markup {markup[0]}"
    if turn.decision == "ask" and not is_question(turn.text):
        return "the text of an ask does not end with a question"
    if turn.decision == "no_call" and is_question(turn.text):
        return "the text of a no_call ends with a question, and would be read as an ask"
    return None


def segments(turn: Assistant) -> list[Segment]:
    """Raises ValueError for a turn that could not be read back."""
    if problem := find_problem(turn):
        raise ValueError(f"native: {problem}: {turn.text or turn.thought!r}")
    if turn.decision != "call":
        return [Segment(turn.text)]
    lines = [[Segment(turn.thought, "thought")]] if turn.thought else []
    return join_lines([*lines, *write_blocks(turn.calls)])


def read(text: str, _: Sequence[Tool] = ()) -> Assistant:
    if not text.strip():
        raise MalformedReply("a text or a call", text, 0)
    start = text.find(OPEN)
    content = text if start < 0 else text[:start]
    if markup := MARKUP.search(content):
        raise MalformedReply(f"text without {markup[0]}", text, markup.start())
    if start < 0:
        content = content.strip()
        return Assistant("ask" if is_question(content) else "no_call", text=content)
    calls, position = read_blocks(text, start)
    expect_end(text, position)
    return Assistant("call", _join_thought(content), calls)


def _join_thought(content: str) -> str:
    """A thought is one line; a model may write several."""
    return " ".join(content.split()) if "\n" in content.strip() else content.strip()


def write_observations(results: Sequence[ToolResult]) -> str:
    return "\n".join(
        f"<tool_response>\n{format_json(result.content)}\n</tool_response>" for result in results
    )


FORMAT = ReplyFormat(VALID_PREFIXES, segments, read, write_observations, find_problem)
