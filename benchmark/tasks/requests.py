"""The tasks of a suite as token ids: the prompt that a group shares, and a question per task."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

import msgspec

from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.prompts.formats import REPLY_FORMATS
from agent_tuning.prompts.instructions import Texts, draw_instructions
from agent_tuning.records import BadInput, Record
from agent_tuning.runtime.ranges import Count, Share
from agent_tuning.tokens.chat_template import ChatTokenizer
from benchmark.tasks.suites import Suite


class RequestsConfig(Record, frozen=True):
    """How many groups of each suite are asked; None asks them all.

    `native` asks every task under the model's own chat template. `instructions` is the share (0-1)
    of the prompts of a suite that get some, by the suite's name.
    """

    groups: dict[str, Count | None]
    native: bool
    instructions: dict[str, Share]

    def __post_init__(self) -> None:
        if unknown := self.instructions.keys() - self.groups.keys():
            raise ValueError(f"instructions: no suites: {', '.join(sorted(unknown))}")


def choose_prompts(suite: Suite, p: RequestsConfig, texts: Texts) -> Suite:
    """The suite under the prompts that models get."""
    share = p.instructions.get(suite.name, 0)
    prompts = {}
    for id, prompt in suite.prompts.items():
        chosen = prompt.make_native() if p.native else prompt
        if share and not chosen.native:
            raise BadInput(
                f"params.yaml: build_requests.instructions: {suite.name}: expected native prompts; "
                "set native: true"
            )
        drawn = draw_instructions(chosen, texts, share, seed=0)
        prompts[id] = msgspec.structs.replace(chosen, instructions=drawn or chosen.instructions)
    return replace(suite, prompts=prompts)


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
