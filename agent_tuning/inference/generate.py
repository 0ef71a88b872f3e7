"""Greedy decoding; the prompt of a group is read once and shared by its questions."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import torch
from transformers import PreTrainedModel

from agent_tuning.inference.attention_layouts import DecodeLayout, PrefillLayout
from agent_tuning.inference.kv_cache import KVCache
from agent_tuning.model import load_model as models
from agent_tuning.runtime.cpu import release_free_memory
from agent_tuning.runtime.progress import ReportPart, ignore_part
from agent_tuning.tokens.pack_file import Span


class Prompt(NamedTuple):
    """Token ids of one group: the prompt that its questions share, and the questions."""

    prefix: list[int]
    questions: list[list[int]]

    @property
    def span(self) -> Span:
        return Span(len(self.prefix), tuple(map(len, self.questions)))


def load_model(folder: Path) -> PreTrainedModel:
    """Load a model for inference, in bf16 on a GPU and in float32 on a CPU.

    Raises BadInput if there is no model in the folder, or a damaged one.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = models.load_model(folder, torch.bfloat16 if device == "cuda" else torch.float32)
    return model.to(device).eval()


def plan_batches(prompts: Sequence[Prompt], rows: int) -> Iterator[list[int]]:
    """Indices of prompts to decode together: at most `rows` questions, unless one prompt has more.

    The batches depend on the prompts alone, not on what is done already. Another batch rounds
    differently, and after a resume a near-tie could then give another answer.
    """
    batch: list[int] = []
    size = 0
    for index, prompt in enumerate(prompts):
        if batch and size + len(prompt.questions) > rows:
            yield batch
            batch, size = [], 0
        batch.append(index)
        size += len(prompt.questions)
    if batch:
        yield batch


# Index of a prompt and the tokens of an answer so far -> stop this answer?
StopCondition = Callable[[int, list[int]], bool]


def never_stop(_: int, __: list[int]) -> bool:
    return False


@torch.inference_mode()
def decode_greedily(
    model: PreTrainedModel,
    prompts: Sequence[Prompt],
    end: int,
    max_new_tokens: int,
    stop: StopCondition = never_stop,
    report: ReportPart = ignore_part,
) -> list[list[list[int]]]:
    """Continue every question with the most likely token, up to the token `end` (left out).

    Returns the tokens of each prompt's questions, `max_new_tokens` at most. `stop` ends an answer
    early. `report` gets how many questions are done: half of a question is to read it, the other
    half to finish its answer.
    """
    with torch.device(model.device):
        answers = _decode(model, prompts, end, max_new_tokens, stop, report)
    release_free_memory()
    return answers


def _decode(
    model: PreTrainedModel,
    prompts: Sequence[Prompt],
    end: int,
    max_new_tokens: int,
    stop: StopCondition,
    report: ReportPart,
) -> list[list[list[int]]]:
    answers: list[list[list[int]]] = [[[] for _ in prompt.questions] for prompt in prompts]
    cache = KVCache([prompt.span for prompt in prompts])
    first, read = [], 0
    for group, prompt in enumerate(prompts):
        first.append(_prefill(model, prompt, cache, group))
        read += len(prompt.questions)
        report(read / 2)
    tokens = torch.tensor([first[group][branch] for group, branch in cache.rows])
    for step in range(max_new_tokens):
        unfinished = []
        for (group, branch), token in zip(cache.rows, tokens.tolist(), strict=True):
            if token != end:
                answers[group][branch].append(token)
            unfinished.append(token != end and not stop(group, answers[group][branch]))
        tokens = tokens[cache.keep(unfinished)]
        report(read - len(tokens) / 2)
        if not len(tokens) or step == max_new_tokens - 1:
            break
        layout = DecodeLayout(cache)
        logits = model(
            input_ids=tokens[None], position_ids=layout.positions(), layout=layout, use_cache=False
        ).logits
        cache.advance()
        tokens = logits[0].argmax(-1)
    return answers


def _prefill(model: PreTrainedModel, prompt: Prompt, cache: KVCache, group: int) -> list[int]:
    """Read a group's prompt and questions into the cache; return the first token of each answer."""
    layout = PrefillLayout(cache, group)
    row = torch.tensor([[*prompt.prefix, *chain.from_iterable(prompt.questions)]])
    last = torch.tensor(prompt.span.branches).cumsum(0) + prompt.span.prefix - 1
    logits = model(
        input_ids=row,
        position_ids=layout.positions(),
        layout=layout,
        logits_to_keep=last,
        use_cache=False,
    ).logits
    tokens: list[int] = logits[0].argmax(-1).tolist()
    return tokens
