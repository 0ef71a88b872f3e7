"""The tasks of a suite as token ids: the prompt that a group shares, and a question per task."""

from collections.abc import Iterator
from itertools import groupby

from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.prompts.formats import REPLY_FORMATS
from agent_tuning.records import Record
from agent_tuning.tokens.chat_template import ChatTokenizer
from benchmark.tasks.suites import Suite


class RequestsConfig(Record, frozen=True):
    """How many groups of each suite are asked; None asks them all.

    `native` asks every task under the model's own chat template.
    """

    groups: dict[str, int | None]
    native: bool


def build_requests(suite: Suite, chat: ChatTokenizer) -> Iterator[QuestionGroup]:
    """In order of the prompts' ids, and under a prompt of its tasks'."""
    ordered = sorted(suite.tasks, key=lambda task: (task.prompt, task.id))
    for prompt, tasks in groupby(ordered, key=lambda task: task.prompt):
        spec = suite.specs[prompt]
        yield QuestionGroup(
            prompt,
            REPLY_FORMATS[spec.reply_format].VALID_PREFIXES,
            tuple(chat.prefix(spec)),
            {task.id: tuple(chat.question(task.turns, spec)) for task in tasks},
        )
