"""transformers in this process, on a CPU or a GPU: the shared prompt of a group is read once."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from agent_tuning.inference import generate
from agent_tuning.inference.generate import Prompt, Stop
from agent_tuning.inference.requests import Questions
from agent_tuning.runtime.cpu import prepare
from agent_tuning.tokens.chat_template import Chat
from benchmark.engines.answer import Answer
from benchmark.engines.config import Settings


class InProcess:
    def __init__(self, folder: Path, _: str, settings: Settings) -> None:
        self.folder = folder
        self.settings = settings

    def answers(self, groups: Sequence[Questions], done: Collection[str]) -> Iterator[list[Answer]]:
        # Groups of one length decode together: no prompt is padded to a much longer one.
        ordered = sorted(groups, key=lambda group: (len(group.prefix), group.group))
        asked = [Prompt(list(g.prefix), list(map(list, g.questions.values()))) for g in ordered]
        prepare(self.settings.threads)
        chat = Chat(self.folder / "tokenizer.json")
        model = None
        for batch in generate.batches(asked, self.settings.rows):
            tasks = [task for index in batch for task in ordered[index].questions]
            if all(task in done for task in tasks):
                continue
            model = model or generate.load(self.folder)
            stop = self._unreadable([ordered[index] for index in batch], chat)
            most = self.settings.max_new_tokens
            replies = generate.greedy(model, [asked[i] for i in batch], chat.end, most, stop)
            texts = [chat.text(ids) for group in replies for ids in group]
            yield [Answer(task, text) for task, text in zip(tasks, texts, strict=True)]

    def _unreadable(self, groups: Sequence[Questions], chat: Chat) -> Stop:
        def stop(group: int, ids: list[int]) -> bool:
            enough = len(ids) == self.settings.unreadable_tokens
            return enough and groups[group].hopeless(chat.text(ids))

        return stop
