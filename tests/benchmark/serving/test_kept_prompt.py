"""A server reads a prompt from where it differs from the last one, and answers the same."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, GenerationConfig
from transformers.generation.streamers import BaseStreamer

from benchmark.serving.kept_prompt import keep_prompts

GREEDY = GenerationConfig(do_sample=False, max_new_tokens=6, pad_token_id=0)
FIRST = list(range(40, 80))


class Stopped(Exception):
    """What stops an answer whose client is gone."""


class Stopping(BaseStreamer):
    def __init__(self) -> None:
        self.seen = 0

    def put(self, _: torch.Tensor) -> None:
        self.seen += 1
        if self.seen == 3:
            raise Stopped

    def end(self) -> None: ...


@pytest.fixture
def models(lively: Path) -> tuple:
    """One that keeps prompts, and one that does not."""
    pair = [AutoModelForCausalLM.from_pretrained(lively).eval() for _ in range(2)]
    keep_prompts(pair[0])
    return tuple(pair)


@pytest.fixture
def read(models: tuple) -> Iterator[list[int]]:
    """How many tokens each step of the model that keeps prompts has read."""
    counts: list[int] = []
    handle = models[0].register_forward_pre_hook(
        lambda _, __, inputs: counts.append(inputs["input_ids"].shape[1]), with_kwargs=True
    )
    yield counts
    handle.remove()


def ask(model, ids: list[int], settings: GenerationConfig = GREEDY, **options) -> list[int]:
    prompt = torch.tensor([ids])
    inputs = {"input_ids": prompt, "attention_mask": torch.ones_like(prompt)}
    return model.generate(**inputs, generation_config=settings, **options)[0].tolist()


def test_only_what_is_new_is_read_and_the_answers_are_the_same(models, read):
    keeping, plain = models
    answered = ask(keeping, FIRST)
    assert answered == ask(plain, FIRST)
    conversations = {
        "the same again": (FIRST, 1),
        "its next turn": ([*answered, 41, 42], 3),  # the last token of an answer was not read
        "another question": ([*FIRST[:30], 50, 51], 2),
        "shorter": (FIRST[:20], 1),
        "longer again": (FIRST, 20),
        "nothing shared": ([90, *FIRST], 41),
    }
    for name, (ids, new) in conversations.items():
        read.clear()
        assert ask(keeping, ids) == ask(plain, ids), name
        assert read[0] == new, name


def test_an_answer_that_was_stopped_leaves_nothing(models, read):
    keeping, plain = models
    with pytest.raises(Stopped):
        ask(keeping, FIRST, streamer=Stopping())
    read.clear()
    assert ask(keeping, FIRST) == ask(plain, FIRST)
    assert read[0] == len(FIRST)


def test_beams_are_answered_as_before_and_leave_what_was_kept(models, read):
    keeping, plain = models
    ask(keeping, FIRST)
    beams = GenerationConfig(num_beams=2, max_new_tokens=3, pad_token_id=0)
    assert ask(keeping, FIRST, beams) == ask(plain, FIRST, beams)
    read.clear()
    assert ask(keeping, FIRST) == ask(plain, FIRST)
    assert read[0] == 1
