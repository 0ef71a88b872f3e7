"""General conversation for training: the base model's own replies.

The model keeps its general ability at no cost if it is trained on what it says anyway.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from agent_tuning.inference import generate
from agent_tuning.inference.generate import Prompt
from agent_tuning.prompts import system_prompt
from agent_tuning.records import Assistant, Group, Record, Trajectory, User
from agent_tuning.runtime.progress import Progress
from agent_tuning.runtime.ranges import AtLeastOne, Threads
from agent_tuning.tokens.chat_template import ChatTokenizer


class SelfRepliesConfig(Record, frozen=True):
    max_new_tokens: AtLeastOne
    batch_size: AtLeastOne
    group: AtLeastOne
    threads: Threads


def generate_replies(
    questions: Sequence[Trajectory], base: Path, config: SelfRepliesConfig
) -> list[Trajectory]:
    """The questions with the replies of the model in the folder `base`.

    A question is left out if its reply is empty or not finished after `max_new_tokens`: an
    incomplete reply would teach the model to stop in mid-sentence.
    """
    chat = ChatTokenizer(base / "tokenizer.json")
    model = generate.load_model(base)
    spec = system_prompt.general_prompt("en")
    prefix = chat.prefix(spec)
    replies: list[Trajectory] = []
    progress = Progress("self_replies", len(questions))
    for start in range(0, len(questions), config.batch_size):
        batch = questions[start : start + config.batch_size]
        prompt = Prompt(prefix, [chat.question([User(item.query)], spec) for item in batch])
        (answers,) = generate.decode_greedily(
            model,
            [prompt],
            chat.end,
            config.max_new_tokens,
            report=progress.show_part,
        )
        for question, ids in zip(batch, answers, strict=True):
            if ids and len(ids) < config.max_new_tokens:
                reply = Assistant("no_call", text=chat.text(ids).strip())
                turns = (User(question.query), reply)
                replies.append(msgspec.structs.replace(question, turns=turns))
        progress.show(start + len(batch), f"{len(replies)} complete replies")
    return replies


def group_replies(replies: Sequence[Trajectory], size: int) -> Iterator[Group]:
    """Groups of at most `size` replies in one language, all under the general prompt."""
    for language in sorted({reply.language for reply in replies}):
        in_language = [reply for reply in replies if reply.language == language]
        for start in range(0, len(in_language), size):
            group_id = f"general.{language}{start // size:03}"
            members = tuple(in_language[start : start + size])
            yield Group(group_id, system_prompt.general_prompt(language), members)
