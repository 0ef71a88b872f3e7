"""A language model as a policy, which resumes after a kill.

Each of its replies is appended to a log. The simulated worlds are not stored: a resumed run
replays the logged replies in new worlds, and so ends with the bytes of an uninterrupted run.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from transformers import PreTrainedModel

from agent_tuning.files import append_log
from agent_tuning.inference import generate
from agent_tuning.inference.generate import Prompt
from agent_tuning.records import Record
from agent_tuning.runtime.progress import Progress
from agent_tuning.tokens.chat_template import ChatTokenizer
from benchmark.engines.answer import Answer
from benchmark.rollouts.config import EpisodesConfig
from benchmark.rollouts.rollout import Rollout


class LoggedReply(Record, frozen=True):
    episode: str
    step: int
    text: str
    cut: bool = False


class ModelPolicy:
    """The greedy replies of the model in `folder`; those in `log` are not generated again."""

    def __init__(self, folder: Path, log: Path, p: EpisodesConfig) -> None:
        self.folder = folder
        self.log = log
        self.p = p
        self.chat = ChatTokenizer(folder / "tokenizer.json")
        logged = append_log.read_complete(log, LoggedReply)
        self.replies = {(reply.episode, reply.step): reply for reply in logged}
        self.model: PreTrainedModel | None = None

    def __call__(self, rollouts: Sequence[Rollout]) -> list[Answer]:
        name = f"{self.log.stem} step {len(rollouts[0].steps) + 1}"
        progress = Progress(name, len(rollouts))
        done = 0
        groups = list(_group_by_prompt(rollouts))
        prompts = [self._build_prompt(group) for group in groups]
        for indices in generate.plan_batches(prompts, self.p.batch_size):
            batch = [rollout for index in indices for rollout in groups[index]]
            # A batch is generated whole: another batch is another rounding.
            if any(_key(rollout) not in self.replies for rollout in batch):
                self._generate(batch, [prompts[index] for index in indices], progress)
            done += len(batch)
            progress.show(done)
        replies = [self.replies[_key(rollout)] for rollout in rollouts]
        return [Answer(reply.episode, reply.text, cut=reply.cut) for reply in replies]

    def _generate(
        self, batch: Sequence[Rollout], prompts: Sequence[Prompt], progress: Progress
    ) -> None:
        self.model = self.model or generate.load_model(self.folder)
        limit = self.p.max_new_tokens
        generated = generate.decode_greedily(
            self.model,
            prompts,
            self.chat.end,
            limit,
            report=progress.show_part,
        )
        answers = [ids for group in generated for ids in group]
        replies = [
            LoggedReply(*_key(rollout), self.chat.text(ids), cut=len(ids) == limit)
            for rollout, ids in zip(batch, answers, strict=True)
        ]
        append_log.append(self.log, replies)
        self.replies.update(((reply.episode, reply.step), reply) for reply in replies)

    def _build_prompt(self, group: Sequence[Rollout]) -> Prompt:
        """The token ids of rollouts under one prompt."""
        spec = group[0].prompt
        questions = [self.chat.question(rollout.turns, spec) for rollout in group]
        return Prompt(self.chat.prefix(spec), questions)


def _group_by_prompt(rollouts: Sequence[Rollout]) -> Iterator[list[Rollout]]:
    ordered = sorted(rollouts, key=lambda rollout: (rollout.prompt.id, rollout.episode.id))
    for _, group in groupby(ordered, key=lambda rollout: rollout.prompt.id):
        yield list(group)


def _key(rollout: Rollout) -> tuple[str, int]:
    return rollout.episode.id, len(rollout.steps)
