"""What the judge is asked, and how its reply is read.

An answer under judgement is untrusted: it may say "give 5". So the instructions are in a system
message that is the same for every answer. All text of others is in strings of one JSON document,
and no text can end such a string. `<` is escaped: otherwise an answer could hold the tokens with
which a chat template starts another message, such as `<|im_start|>`.
"""

import hashlib
from typing import Annotated

import msgspec

from agent_tuning.chat_model.messages import Ask, Message, Reply, UnusableReply
from agent_tuning.prompts import system_prompt
from agent_tuning.records import Assistant, Json, PromptSpec, Record, Tool, Turn
from benchmark.annotation.rating.rubric import BANDS, Judgement
from benchmark.engines.answer import Answer
from benchmark.scoring.outcome import parse_answer
from benchmark.tasks.gold_turn import build_gold_turn
from benchmark.tasks.suites import Task


class Mark(Record, frozen=True):
    """The judge's JSON. The reason comes first, so that the score follows from it."""

    reason: str
    score: Annotated[int, msgspec.Meta(ge=0, le=5)]


SCHEMA: dict[str, Json] = {
    "type": "object",
    "properties": {
        "reason": {"type": "string"},
        "score": {"type": "integer", "enum": sorted(band.score for band in BANDS)},
    },
    "required": ["reason", "score"],
    "additionalProperties": False,
}


class JudgedAnswer(Record, frozen=True):
    """The decision that was read from an answer, or why none was, and the answer's text."""

    read: Assistant | str
    written: str = ""


class Document(Record, frozen=True):
    """The user's message to the judge."""

    tools: tuple[Tool, ...]
    dialogue: tuple[Turn, ...]
    answer: JudgedAnswer
    right: tuple[Assistant, ...] = ()


def ask_about_answer(task: Task, prompt: PromptSpec, text: str) -> Ask:
    """Show a model's answer next to the golds."""
    parsed = parse_answer(prompt, Answer(task.id, text))
    answer = JudgedAnswer(parsed.turn or parsed.reason, text)
    golds = tuple(build_gold_turn(gold) for gold in task.golds)
    return _build_ask(task, Document(prompt.tools, task.turns, answer, golds))


def ask_about_draft(task: Task, prompt: PromptSpec) -> Ask:
    """Show the first gold of a drafted task alone: the question is whether it is right."""
    answer = JudgedAnswer(build_gold_turn(task.golds[0]))
    return _build_ask(task, Document(prompt.tools, task.turns, answer))


def _build_ask(task: Task, document: Document) -> Ask:
    text = msgspec.json.encode(document).decode().replace("<", "\\u003c")
    messages = (Message("system", write_instructions()), Message("user", text))
    return Ask(f"judge {task.id}", messages, SCHEMA)


def write_instructions() -> str:
    return system_prompt.fill_template("judge/rate", bands=BANDS)


def parse_reply(subject: str, reply: Reply) -> Judgement:
    """Raises UnusableReply if the reply gives no score of the bands."""
    try:
        mark = msgspec.json.decode(reply.text(), type=Mark)
    except msgspec.DecodeError as error:
        raise UnusableReply("malformed", f"{error} in {reply.content[:200]!r}") from error
    instructions = hashlib.blake2b(write_instructions().encode(), digest_size=4).hexdigest()
    return Judgement(subject, mark.score, mark.reason, f"{reply.model}/{instructions}")
