"""Engines answer questions: a model in this process, in vLLM, or behind a server.

An engine is one module and its line in ENGINES. It answers greedily and yields batch by batch, so
that a caller can store each batch. Questions with a stored answer are not asked again.
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
        """Yield the answers to the tasks that are not in `done` (ids), batch by batch.

        An answer with an error is a failed request, not an answer.
        """


# Arguments: the folder of a model, the name of its row in the tables, the section `predict`.
ENGINES: dict[str, Callable[[Path, str, PredictConfig], Engine]] = {
    "transformers": transformers_engine.TransformersEngine,
    "vllm": vllm_engine.VLLMEngine,
    "openai": openai_engine.OpenAIEngine,
}
