"""General conversation for training: the base model's own replies, and conversations of others.

The model keeps its general ability at no cost if it is trained on what it says anyway.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec

from agent_tuning.converters import load
from agent_tuning.inference import generate
from agent_tuning.inference.generate import Prompt
from agent_tuning.prompts import system_prompt
from agent_tuning.records import Assistant, Group, Record, Trajectory, User
from agent_tuning.tokens.chat_template import ChatTokenizer


class ImportedSource(Record, frozen=True):
    """At most `take` conversations of `source`, in a format of agent_tuning/converters."""

    format: str
    source: str
    take: int


class SelfRepliesConfig(Record, frozen=True):
    max_new_tokens: int
    batch_size: int
    group: int
    threads: int
    imported: tuple[ImportedSource, ...]


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
    replies = []
    for start in range(0, len(questions), config.batch_size):
        batch = questions[start : start + config.batch_size]
        prompt = Prompt(prefix, [chat.question([User(item.query)], spec) for item in batch])
        (answers,) = generate.decode_greedily(model, [prompt], chat.end, config.max_new_tokens)
        for question, ids in zip(batch, answers, strict=True):
            if ids and len(ids) < config.max_new_tokens:
                reply = Assistant("no_call", text=chat.text(ids).strip())
                turns = (User(question.query), reply)
                replies.append(msgspec.structs.replace(question, turns=turns))
        done = start + len(batch)
        print(f"{len(replies)} complete replies to {done} of {len(questions)} questions")
    return replies


def group_replies(replies: Sequence[Trajectory], size: int) -> Iterator[Group]:
    """Groups of at most `size` replies in one language, all under the general prompt."""
    for language in sorted({reply.language for reply in replies}):
        in_language = [reply for reply in replies if reply.language == language]
        for start in range(0, len(in_language), size):
            group_id = f"general.{language}{start // size:03}"
            members = tuple(in_language[start : start + size])
            yield Group(group_id, system_prompt.general_prompt(language), members)


def import_groups(sources: Sequence[ImportedSource]) -> Iterator[Group]:
    """The first groups without tools of each source, `take` at most."""
    for source in sources:
        groups = load.read_groups(source.format, source.source)
        yield from islice((group for group in groups if not group.tools), source.take)
