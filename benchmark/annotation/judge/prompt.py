"""What the judge is asked, and what it answers.

An answer under judgement is untrusted: it may say "give 5". So the orders stand in a system message
that is the same for every answer, and whatever others wrote is strings of one JSON document, out of
which no text can break. `<` is spelt as an escape, or an answer could hold the marks with which a
chat template begins another message, such as `<|im_start|>`.
"""

import hashlib
from collections.abc import Sequence
from typing import Annotated

import msgspec

from agent_tuning.chat_model.messages import Ask, Message, Reply, UnusableReply
from agent_tuning.prompts import system_prompt
from agent_tuning.records import Assistant, Json, Record, Tool, Turn
from benchmark.annotation.rating.rubric import BANDS, Judgement
from benchmark.annotation.review.export_corrections import build_gold_turn
from benchmark.engines.answer import Answer
from benchmark.scoring.outcome import parse_answer
from benchmark.tasks.suites import Task


class Mark(Record, frozen=True):
    """The judge's JSON; the reason comes first, so that the score follows from it."""

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
    """What is judged: the decision that was read, or why none was, and how it was written."""

    read: Assistant | str
    written: str = ""


class Document(Record, frozen=True):
    tools: tuple[Tool, ...]
    dialogue: tuple[Turn, ...]
    answer: JudgedAnswer
    right: tuple[Assistant, ...] = ()


def ask_about_answer(task: Task, menu: Sequence[Tool], text: str) -> Ask:
    """A model's answer, beside the golds."""
    found = parse_answer(task, menu, Answer(task.id, text))
    seen = JudgedAnswer(found.turn or found.reason, text)
    right = tuple(build_gold_turn(gold) for gold in task.golds)
    return _ask(task, Document(tuple(menu), task.turns, seen, right))


def ask_about_draft(task: Task, menu: Sequence[Tool]) -> Ask:
    """The first gold of a drafted task, beside nothing: whether it is right is the question."""
    return _ask(
        task, Document(tuple(menu), task.turns, JudgedAnswer(build_gold_turn(task.golds[0])))
    )


def _ask(task: Task, document: Document) -> Ask:
    shown = msgspec.json.encode(document).decode().replace("<", "\\u003c")
    return Ask(
        f"judge {task.id}",
        (Message("system", write_instructions()), Message("user", shown)),
        SCHEMA,
    )


def write_instructions() -> str:
    return system_prompt.fill_template("judge/rate", bands=BANDS)


def parse_reply(subject: str, reply: Reply) -> Judgement:
    """Raises Unusable where the judge gave no mark of the bands."""
    try:
        mark = msgspec.json.decode(reply.text(), type=Mark)
    except msgspec.DecodeError as error:
        raise UnusableReply("malformed", f"{error} in {reply.content[:200]!r}") from error
    wording = hashlib.blake2b(write_instructions().encode(), digest_size=4).hexdigest()
    return Judgement(subject, mark.score, mark.reason, f"{reply.model}/{wording}")
