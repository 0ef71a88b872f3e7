"""What an answer decided, before anyone asks whether it was right."""

from enum import StrEnum

from agent_tuning.prompts.formats import REPLY_FORMATS, MalformedReply
from agent_tuning.records import Assistant, PromptSpec, Record
from benchmark.engines.answer import Answer


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


def parse_answer(prompt: PromptSpec, answer: Answer | None) -> ParsedAnswer:
    """Read the answer in the prompt's reply format; a call of an unknown tool is still a call.

    Any prose is a reply to a native prompt, so there a cut answer is malformed whatever it says.
    """
    if answer is None:
        return ParsedAnswer(Verdict.ERROR, reason="no answer")
    if answer.error:
        return ParsedAnswer(Verdict.ERROR, reason=answer.error)
    if prompt.native and answer.cut:
        return ParsedAnswer(Verdict.MALFORMED, reason="cut at the limit of tokens")
    try:
        turn = REPLY_FORMATS[prompt.reply_format].read(answer.text, prompt.tools)
    except MalformedReply as error:
        return ParsedAnswer(Verdict.MALFORMED, reason=str(error))
    return ParsedAnswer(Verdict(turn.decision), turn)
