"""Read a prompt from where it differs from the last one.

A client sends its tools and the whole conversation with every request. The keys and values of the
last request are kept, so a request that begins as it did costs its new tokens alone.
"""

from itertools import takewhile
from typing import Any

from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer


class KeptPrompt:
    """`generate` of a model, for one request at a time."""

    def __init__(self, model: Any) -> None:
        self._generate = model.generate
        self._config = model.config
        self._ids: list[int] = []
        self._cache: DynamicCache | None = None

    def generate(self, **inputs: Any) -> Tensor:
        """As the model's: ids of the prompt and the answer, [1, tokens]."""
        sequences: Tensor
        if not writes_one_answer(inputs["generation_config"]):
            sequences = self._generate(**inputs)
            return sequences
        ids = inputs["input_ids"][0].tolist()
        cache, self._cache = self._take(ids), None  # what fails or is stopped leaves nothing
        sequences = self._generate(**inputs, past_key_values=cache)
        self._ids = sequences[0].tolist()[: cache.get_seq_length()]
        self._cache = cache
        return sequences

    def _take(self, ids: list[int]) -> DynamicCache:
        """A cache of the tokens that both prompts begin with; the last token is always read."""
        pairs = zip(self._ids, ids[:-1], strict=False)
        shared = len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))
        if self._cache is None or not shared:
            return DynamicCache(config=self._config)
        self._cache.crop(shared - self._cache.get_seq_length())
        return self._cache


def writes_one_answer(settings: Any) -> bool:
    """False for beams and the like: their caches have other shapes."""
    counts = settings.num_beams, settings.num_return_sequences
    return not settings.cache_implementation and all(count in (None, 1) for count in counts)


def keep_prompts(model: Any) -> None:
    """Let a model read only what is new, if all its layers keep every token."""
    layers = DynamicCache(config=model.config).layers
    if layers and all(type(layer) is DynamicLayer for layer in layers):
        model.generate = KeptPrompt(model).generate
