"""The engines by name. Importing this module imports torch, transformers and openai.

An engine is one module and its line in ENGINES. It answers greedily and yields batch by batch, so
that a caller can store each batch. Questions with a stored answer are not asked again.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.runtime.progress import ReportPart, ignore_part
from benchmark.engines import openai_engine, served_engine, transformers_engine, vllm_engine
from benchmark.engines.answer import Answer
from benchmark.engines.config import PredictConfig


class Engine(Protocol):
    def answers(
        self,
        groups: Sequence[QuestionGroup],
        done: Collection[str],
        report: ReportPart = ignore_part,
    ) -> Iterator[list[Answer]]:
        """Yield the answers to the tasks that are not in `done` (ids), batch by batch.

        An answer with an error is a failed request, not an answer. `report` gets how many questions
        of the batch in hand are done, as far as the engine can tell.
        """


# Arguments: the folder of a model, the name of its row in the tables, the section `predict`, and
# the folder of the suites that are asked, which only `served` reads.
ENGINES: dict[str, Callable[[Path, str, PredictConfig, Path | None], Engine]] = {
    "transformers": transformers_engine.TransformersEngine,
    "vllm": vllm_engine.VLLMEngine,
    "openai": openai_engine.OpenAIEngine,
    "served": served_engine.ServedEngine,
}
