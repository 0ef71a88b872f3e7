"""vLLM in this process, for a GPU: token ids in, token ids out, prompts shared by its prefix cache.

Written to vLLM's documented interface and not run by any test: it needs a GPU. It is no dependency
of this repository; install it beside it where it is wanted.
"""

from collections.abc import Collection, Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import torch

from agent_tuning.inference.requests import QuestionGroup, unanswered
from agent_tuning.records import BadInput
from agent_tuning.tokens.chat_template import ChatTokenizer
from benchmark.engines.answer import Answer
from benchmark.engines.config import PredictConfig

QUESTIONS_PER_CALL = 4096  # questions handed over and kept together; vLLM batches them itself


class VLLMEngine:
    def __init__(self, folder: Path, _: str, settings: PredictConfig) -> None:
        if not find_spec("vllm"):
            raise BadInput("params.yaml: predict.engine: vllm is not installed here")
        self.folder = folder
        self.settings = settings

    def answers(
        self, groups: Sequence[QuestionGroup], done: Collection[str]
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
            some = left[start : start + QUESTIONS_PER_CALL]
            asked = [{"prompt_token_ids": ids} for _, ids in some]
            said = model.generate(asked, greedy, use_tqdm=False)
            yield [
                Answer(task, chat.text(one.outputs[0].token_ids))
                for (task, _), one in zip(some, said, strict=True)
            ]
