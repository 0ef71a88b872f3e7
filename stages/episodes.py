"""Let one model act in the simulated worlds; a killed run goes on where it stopped.

reads   benchmark/suites/episodes/     tools and episodes
        data/base/ or models/tuned/
        data/fingerprint/episodes.json this code
writes  data/episodes/{base,tuned}.jsonl  Transcript, in the order of the suite

What the model says is appended to scratch/episodes/, batch by batch; the worlds are made anew from
it, so a resumed run ends with the bytes of an uninterrupted one.
"""

import os
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import msgspec
from transformers import PreTrainedModel

from agent_tuning.files import jsonl
from agent_tuning.inference import generate
from agent_tuning.inference.generate import Prompt
from agent_tuning.prompts import system_prompt
from agent_tuning.records import PromptSpec, Record
from agent_tuning.runtime import cli, config
from agent_tuning.runtime.cache_key import compute_run_key
from agent_tuning.runtime.cpu import configure_threads
from agent_tuning.tokens.chat_template import ChatTokenizer
from benchmark.rollouts import rollout
from benchmark.rollouts.rollout import Rollout
from benchmark.tasks import episodes as suites

SCRATCH = Path("scratch/episodes")


class EpisodesConfig(Record, frozen=True):
    tasks: int
    attempts: int
    steps: int
    max_new_tokens: int
    rows: int
    threads: int


class StoredReply(Record, frozen=True):
    episode: str
    step: int
    text: str


class ModelPolicy:
    """A model as a policy; what it said already, in `store`, it is not asked again."""

    def __init__(self, folder: Path, store: Path, p: EpisodesConfig) -> None:
        self.folder = folder
        self.store = store
        self.p = p
        self.chat = ChatTokenizer(folder / "tokenizer.json")
        self.said = stored(store)
        self.model: PreTrainedModel | None = None

    def __call__(self, plays: Sequence[Rollout]) -> list[str]:
        groups = list(_groups(plays))
        asked = [self._prompt(group) for group in groups]
        for batch in generate.plan_batches(asked, self.p.rows):
            some = [one for index in batch for one in groups[index]]
            if any(_key(one) not in self.said for one in some):
                self._ask(some, [asked[index] for index in batch])
        print(f"{self.store.stem}: step {len(plays[0].steps) + 1}, {len(plays)} episodes")
        return [self.said[_key(one)] for one in plays]

    def _ask(self, plays: Sequence[Rollout], asked: Sequence[Prompt]) -> None:
        self.model = self.model or generate.load_model(self.folder)
        replies = generate.decode_greedily(self.model, asked, self.chat.end, self.p.max_new_tokens)
        texts = [self.chat.text(ids) for group in replies for ids in group]
        said = [StoredReply(*_key(one), text) for one, text in zip(plays, texts, strict=True)]
        with open(self.store, "ab") as out:
            out.write(b"".join(msgspec.json.encode(line) + b"\n" for line in said))
            out.flush()
            os.fsync(out.fileno())
        self.said.update(((line.episode, line.step), line.text) for line in said)

    def _prompt(self, group: Sequence[Rollout]) -> Prompt:
        first = group[0]
        one = first.episode
        spec = PromptSpec(
            one.group,
            one.language,
            tuple(first.tools),
            one.template,
            one.tool_format,
            one.reply_format,
        )
        system = system_prompt.build(spec)
        questions = [self.chat.question(play.turns, one.reply_format) for play in group]
        return Prompt(self.chat.prefix(system), questions)


def _groups(plays: Sequence[Rollout]) -> Iterator[list[Rollout]]:
    ordered = sorted(plays, key=lambda play: (play.episode.group, play.episode.id))
    for _, group in groupby(ordered, key=lambda play: play.episode.group):
        yield list(group)


def _key(play: Rollout) -> tuple[str, int]:
    return play.episode.id, len(play.steps)


def stored(path: Path) -> dict[tuple[str, int], str]:
    """What was said in an earlier run; the last line may be torn, and is cut off."""
    if not path.exists():
        return {}
    whole = path.read_bytes().rpartition(b"\n")[0]
    path.write_bytes(whole + b"\n" * bool(whole))
    return {(line.episode, line.step): line.text for line in jsonl.read(path, StoredReply)}


def main(suite: Path, folder: Path, fingerprint: Path, target: Path) -> None:
    p = config.load("episodes", EpisodesConfig)
    configure_threads(p.threads)
    chosen = suites.read(suite).slice(p.tasks, p.attempts)
    inputs = [suite / "tools.jsonl", suite / "episodes.jsonl", folder, fingerprint]
    store = SCRATCH / f"{target.stem}-{compute_run_key(p, inputs)}.jsonl"
    store.parent.mkdir(parents=True, exist_ok=True)
    count = jsonl.write(
        target, rollout.run_rollouts(chosen, ModelPolicy(folder, store, p), p.steps)
    )
    print(f"{target}: {count} episodes")


if __name__ == "__main__":
    cli.run(main)
