"""transformers in this process, on a CPU or a GPU: the shared prompt of a group is read once."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from transformers import PreTrainedModel

from agent_tuning.inference import generate
from agent_tuning.inference.generate import Prompt, StopCondition
from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.records import BadInput
from agent_tuning.runtime.cpu import configure_threads
from agent_tuning.runtime.progress import ReportPart, ignore_part
from agent_tuning.tokens.chat_template import ChatTokenizer
from benchmark.engines.answer import Answer
from benchmark.engines.config import PredictConfig


class TransformersEngine:
    def __init__(
        self, folder: Path, _: str, settings: PredictConfig, __: Path | None = None
    ) -> None:
        self.folder = folder
        self.settings = settings

    def answers(
        self,
        groups: Sequence[QuestionGroup],
        done: Collection[str],
        report: ReportPart = ignore_part,
    ) -> Iterator[list[Answer]]:
        # Groups of one length decode together: no prompt is padded to a much longer one.
        ordered = sorted(groups, key=lambda group: (len(group.prefix), group.group))
        prompts = [Prompt(list(g.prefix), list(map(list, g.questions.values()))) for g in ordered]
        configure_threads(self.settings.threads)
        chat = ChatTokenizer(self.folder / "tokenizer.json")
        model = None
        for batch in generate.plan_batches(prompts, self.settings.batch_size):
            tasks = [task for index in batch for task in ordered[index].questions]
            if all(task in done for task in tasks):
                continue
            model = model or self._load_model(groups)
            stop = self._build_stop([ordered[index] for index in batch], chat)
            limit = self.settings.max_new_tokens
            replies = generate.decode_greedily(
                model,
                [prompts[index] for index in batch],
                chat.end,
                limit,
                stop,
                report,
            )
            answers = [ids for group in replies for ids in group]
            yield [
                Answer(task, chat.text(ids), cut=len(ids) == limit)
                for task, ids in zip(tasks, answers, strict=True)
            ]

    def _load_model(self, groups: Sequence[QuestionGroup]) -> PreTrainedModel:
        """Raises BadInput if a question has a token that the model does not know."""
        model = generate.load_model(self.folder)
        vocabulary = model.get_input_embeddings().num_embeddings
        for group in groups:
            if group.largest_id >= vocabulary:
                raise BadInput(
                    f"{group.group}: token {group.largest_id} is none of the {vocabulary} of "
                    f"{self.folder}; run `dvc repro build_requests`"
                )
        return model

    def _build_stop(self, groups: Sequence[QuestionGroup], chat: ChatTokenizer) -> StopCondition:
        """Stop an answer after `malformed_stop_tokens` tokens that no reply can begin with."""

        def stop(group: int, ids: list[int]) -> bool:
            is_due = len(ids) == self.settings.malformed_stop_tokens
            return is_due and groups[group].can_never_parse(chat.text(ids))

        return stop
