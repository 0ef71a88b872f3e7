"""Let the base model answer everyday questions: general data that costs it nothing to keep.

Conversations of others may stand beside them; with the default parameters there are none.

reads   data/general.yaml      Everyday
        data/base/             the model before tuning
writes  data/general.jsonl     Group without tools
"""

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

import msgspec

from agent_tuning.converters import load
from agent_tuning.files import jsonl, yaml_records
from agent_tuning.inference import generate
from agent_tuning.inference.generate import Prompt
from agent_tuning.prompts import system_prompt
from agent_tuning.records import Assistant, Group, Record, Trajectory, User
from agent_tuning.runtime import cli, config
from agent_tuning.runtime.cpu import configure_threads
from agent_tuning.synthesis.general_questions import GeneralQuestions
from agent_tuning.tokens.chat_template import ChatTokenizer


class Imported(Record, frozen=True):
    """At most `take` conversations out of a source in a format of agent_tuning/converters."""

    format: str
    source: str
    take: int


class SelfRepliesConfig(Record, frozen=True):
    max_new_tokens: int
    rows: int
    group: int
    threads: int
    imported: tuple[Imported, ...]


def group_replies(replies: Sequence[Trajectory], size: int) -> Iterator[Group]:
    """Groups of at most `size`; one language each, all under the general prompt."""
    for language in sorted({one.language for one in replies}):
        some = [one for one in replies if one.language == language]
        for start in range(0, len(some), size):
            members = tuple(some[start : start + size])
            number = f"general.{language}{start // size:03}"
            yield Group(number, system_prompt.general_prompt(language), members)


def import_groups(sources: Sequence[Imported]) -> Iterator[Group]:
    for one in sources:
        general = (group for group in load.read_groups(one.format, one.source) if not group.tools)
        yield from islice(general, one.take)


def main(questions: Path, base: Path, target: Path) -> None:
    p = config.load("rehearse", SelfRepliesConfig)
    configure_threads(p.threads)
    asked = yaml_records.read(questions, GeneralQuestions).asked("train")
    chat = ChatTokenizer(base / "tokenizer.json")
    model = generate.load_model(base)
    prefix = chat.prefix(system_prompt.build(system_prompt.general_prompt("en")))
    replies = []
    for start in range(0, len(asked), p.rows):
        batch = asked[start : start + p.rows]
        prompt = Prompt(prefix, [chat.question([User(one.query)], "") for one in batch])
        (answers,) = generate.decode_greedily(model, [prompt], chat.end, p.max_new_tokens)
        for one, ids in zip(batch, answers, strict=True):
            # A reply that was cut short would teach the model to stop in mid-sentence.
            if ids and len(ids) < p.max_new_tokens:
                reply = Assistant("no_call", text=chat.text(ids).strip())
                replies.append(msgspec.structs.replace(one, turns=(User(one.query), reply)))
        print(f"{len(replies)} whole replies to {start + len(batch)} of {len(asked)} questions")
    jsonl.write(target, chain(group_replies(replies, p.group), import_groups(p.imported)))


if __name__ == "__main__":
    cli.run(main)
