"""The section `predict`: which engine answers, and how."""

from typing import Literal

import msgspec

from agent_tuning.chat_model.messages import Service
from agent_tuning.records import Json, Record
from agent_tuning.runtime.ranges import AtLeastOne, Threads


class ServerConfig(Record, frozen=True):
    """An OpenAI-compatible server. `names` maps a row, such as `base`, to the server's model."""

    names: dict[str, str]
    limit: Literal["max_tokens", "max_completion_tokens"]
    sampling: dict[str, Json]


class PredictConfig(Record, frozen=True):
    """`batch_size` is the number of questions in a batch.

    An answer that can never parse is cut off after `malformed_stop_tokens` tokens. Only the engines
    `openai` and `served` read `server` and `service`.
    """

    engine: Literal["transformers", "vllm", "openai", "served"]
    max_new_tokens: AtLeastOne
    malformed_stop_tokens: AtLeastOne
    batch_size: AtLeastOne
    threads: Threads
    server: ServerConfig
    service: Service

    @property
    def without_pacing(self) -> "PredictConfig":
        """The settings that change an answer.

        A run resumes from a run with other concurrency, timeouts or retries.
        """
        neutral = Service(
            "", 1, timeout=0, retries=0, initial_backoff_s=0, max_backoff_s=0, poll_interval_s=0
        )
        return msgspec.structs.replace(self, service=neutral)
