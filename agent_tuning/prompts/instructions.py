"""Texts of `data/instructions.yaml`: what a client may say in a system message beside its tools."""

import random
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from agent_tuning.records import AnyPrompt, Language, Record, T

Texts = Mapping[Language, Sequence[str]]
NO_TEXTS: Texts = MappingProxyType({})


class Instructions(Record, frozen=True):
    """Texts by language: those that training sees, and others to measure with."""

    training: dict[Language, tuple[str, ...]]
    evaluation: dict[Language, tuple[str, ...]]

    def __post_init__(self) -> None:
        texts = [
            text
            for by_language in (self.training, self.evaluation)
            for of_language in by_language.values()
            for text in of_language
        ]
        for text in texts:
            if not text or text != text.strip():
                raise ValueError(f"expected a text without outer spaces, got {text!r}")
            if texts.count(text) > 1:
                raise ValueError(f"expected every text once, got {text!r} again")


def draw_instructions(prompt: AnyPrompt[T], texts: Texts, share: float, seed: int) -> str:
    """A text in the prompt's language for a share (0-1) of the native prompts; "" for the others.

    The id of the prompt alone decides, with the seed.
    """
    known = texts.get(prompt.language)
    rng = random.Random(f"{seed}:{prompt.id}:instructions")
    if not known or not prompt.native or rng.random() >= share:
        return ""
    return rng.choice(known)
