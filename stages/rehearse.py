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

from trajectory import command, decoding, jsonl, params, prompts, yamlfile
from trajectory.chat import Chat
from trajectory.decoding import Prompt
from trajectory.everyday import Everyday
from trajectory.exchange import load
from trajectory.machine import prepare
from trajectory.records import Assistant, Group, Record, Trajectory, User


class Imported(Record, frozen=True):
    """At most `take` conversations out of a source in a format of trajectory/exchange."""

    format: str
    source: str
    take: int


class Params(Record, frozen=True):
    max_new_tokens: int
    rows: int
    group: int
    threads: int
    imported: tuple[Imported, ...]


def grouped(replies: Sequence[Trajectory], size: int) -> Iterator[Group]:
    """Groups of at most `size`; one language each, all under the general prompt."""
    for language in sorted({one.language for one in replies}):
        some = [one for one in replies if one.language == language]
        for start in range(0, len(some), size):
            members = tuple(some[start : start + size])
            number = f"general.{language}{start // size:03}"
            yield Group(number, language, (), members, template=prompts.GENERAL)


def imported(sources: Sequence[Imported]) -> Iterator[Group]:
    for one in sources:
        general = (group for group in load.groups(one.format, one.source) if not group.tools)
        yield from islice(general, one.take)


def main(questions: Path, base: Path, target: Path) -> None:
    p = params.load("rehearse", Params)
    prepare(p.threads)
    asked = yamlfile.read(questions, Everyday).asked("train")
    chat = Chat(base / "tokenizer.json")
    model = decoding.load(base)
    prefix = chat.prefix(prompts.system(prompts.GENERAL, (), "", ""))
    replies = []
    for start in range(0, len(asked), p.rows):
        batch = asked[start : start + p.rows]
        prompt = Prompt(prefix, [chat.question([User(one.query)], "") for one in batch])
        (answers,) = decoding.greedy(model, [prompt], chat.end, p.max_new_tokens)
        for one, ids in zip(batch, answers, strict=True):
            # A reply that was cut short would teach the model to stop in mid-sentence.
            if ids and len(ids) < p.max_new_tokens:
                reply = Assistant("no_call", text=chat.text(ids).strip())
                replies.append(msgspec.structs.replace(one, turns=(User(one.query), reply)))
        print(f"{len(replies)} whole replies to {start + len(batch)} of {len(asked)} questions")
    jsonl.write(target, chain(grouped(replies, p.group), imported(p.imported)))


if __name__ == "__main__":
    command.run(main)
