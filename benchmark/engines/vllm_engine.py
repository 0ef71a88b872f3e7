"""vLLM in this process, for a GPU: token ids in, token ids out, prompts shared by its prefix cache.

Written to vLLM's documented interface; no test runs it, since it needs a GPU. vLLM is not a
dependency of this repository: install it yourself where you want to use it.
"""

from collections.abc import Collection, Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import torch

from agent_tuning.inference.requests import QuestionGroup, unanswered
from agent_tuning.records import BadInput
from agent_tuning.runtime.progress import ReportPart, ignore_part
from agent_tuning.tokens.chat_template import ChatTokenizer
from benchmark.engines.answer import Answer
from benchmark.engines.config import PredictConfig

QUESTIONS_PER_CALL = 4096  # vLLM batches them itself; their answers are stored together


class VLLMEngine:
    def __init__(
        self, folder: Path, _: str, settings: PredictConfig, __: Path | None = None
    ) -> None:
        if not find_spec("vllm"):
            raise BadInput(
                "params.yaml: predict.engine: vllm is not installed; "
                "run `pip install vllm` or choose another engine"
            )
        self.folder = folder
        self.settings = settings

    def answers(
        self,
        groups: Sequence[QuestionGroup],
        done: Collection[str],
        report: ReportPart = ignore_part,  # noqa: ARG002 - it answers a batch at once
    ) -> Iterator[list[Answer]]:
        left = list(unanswered(groups, done))
        if not left:
            return
        vllm = import_module("vllm")
        chat = ChatTokenizer(self.folder / "tokenizer.json")
        model = vllm.LLM(
            model=str(self.folder),
            tensor_parallel_size=torch.cuda.device_count(),
            enable_prefix_caching=True,
            seed=0,
        )
        greedy = vllm.SamplingParams(
            temperature=0.0,
            max_tokens=self.settings.max_new_tokens,
            stop_token_ids=[chat.end],
            detokenize=False,
        )
        for start in range(0, len(left), QUESTIONS_PER_CALL):
            questions = left[start : start + QUESTIONS_PER_CALL]
            prompts = [{"prompt_token_ids": ids} for _, ids in questions]
            results = model.generate(prompts, greedy, use_tqdm=False)
            outputs = [result.outputs[0] for result in results]
            yield [
                Answer(task, chat.text(output.token_ids), cut=output.finish_reason == "length")
                for (task, _), output in zip(questions, outputs, strict=True)
            ]
