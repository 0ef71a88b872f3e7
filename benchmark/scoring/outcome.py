"""What an answer decided, before anyone asks whether it was right."""

from collections.abc import Sequence
from enum import StrEnum

from agent_tuning.prompts.formats import REPLY_FORMATS, MalformedReply
from agent_tuning.records import Assistant, BadInput, Record, Tool
from benchmark.engines.answer import Answer
from benchmark.tasks.suites import Task


class Verdict(StrEnum):
    CALL = "call"
    NO_CALL = "no_call"
    ASK = "ask"
    MALFORMED = "malformed"  # does not parse: always wrong, never a refusal
    ERROR = "error"  # infrastructure: the model was not heard


class ParsedAnswer(Record, frozen=True):
    verdict: Verdict
    turn: Assistant | None = None
    reason: str = ""


def parse_answer(task: Task, tools: Sequence[Tool], answer: Answer | None) -> ParsedAnswer:
    """Read the answer in the task's reply format; a call of an unknown tool is still a call."""
    if answer is None:
        return ParsedAnswer(Verdict.ERROR, reason="no answer")
    if answer.error:
        return ParsedAnswer(Verdict.ERROR, reason=answer.error)
    if task.reply_format not in REPLY_FORMATS:
        known = ", ".join(sorted(REPLY_FORMATS))
        raise BadInput(f"{task.id}: reply_format: {task.reply_format!r} is none of {known}")
    try:
        turn = REPLY_FORMATS[task.reply_format].read(answer.text, tools)
    except MalformedReply as error:
        return ParsedAnswer(Verdict.MALFORMED, reason=str(error))
    return ParsedAnswer(Verdict(turn.decision), turn)
