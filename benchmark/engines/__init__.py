"""Who answers the questions: a model in this process, in vLLM, or behind a server.

An engine is one module and its line in ENGINES. It answers greedily, in batches that a caller can
keep one by one; what was kept before is not asked again.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from agent_tuning.inference.requests import QuestionGroup
from benchmark.engines import openai_engine, transformers_engine, vllm_engine
from benchmark.engines.answer import Answer
from benchmark.engines.config import PredictConfig


class Engine(Protocol):
    def answers(
        self, groups: Sequence[QuestionGroup], done: Collection[str]
    ) -> Iterator[list[Answer]]:
        """Batch by batch what `done` (tasks) lacks; an answer with an error was not heard."""


# From the folder of a model, and the row of the table that it fills.
ENGINES: dict[str, Callable[[Path, str, PredictConfig], Engine]] = {
    "transformers": transformers_engine.TransformersEngine,
    "vllm": vllm_engine.VLLMEngine,
    "openai": openai_engine.OpenAIEngine,
}
