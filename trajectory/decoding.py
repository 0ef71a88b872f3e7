"""Greedy decoding where the prompt of a group is read once and shared by its branches."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel

from trajectory.attention import SHARED_PREFIX, DecodeLayout, LiveGroup, PrefillLayout
from trajectory.packing import Span
from trajectory.records import BadInput


class Prompt(NamedTuple):
    """Token ids of one group: what is shared, and one question for each branch."""

    prefix: list[int]
    questions: list[list[int]]

    @property
    def span(self) -> Span:
        return Span(len(self.prefix), tuple(map(len, self.questions)))


def load(folder: Path) -> PreTrainedModel:
    """A model for inference, in the precision that this machine computes fast."""
    if not (folder / "config.json").exists():
        raise BadInput(f"{folder}: no model here")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=torch.bfloat16 if device == "cuda" else torch.float32,
        attn_implementation=SHARED_PREFIX,
        local_files_only=True,
    )
    return model.to(device).eval()


def batches(prompts: Sequence[Prompt], rows: int) -> Iterator[list[int]]:
    """Indices of prompts to decode together, at most `rows` questions unless one has more.

    The batches depend on the prompts alone, never on what is done already: another batch is
    another rounding, and a near-tie would then turn into another answer after a resume.
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


@torch.inference_mode()
def greedy(
    model: PreTrainedModel, prompts: Sequence[Prompt], end: int, max_new_tokens: int
) -> list[list[list[int]]]:
    """The most likely continuation of every question, without the end token."""
    with torch.device(model.device):
        return _greedy(model, prompts, end, max_new_tokens)


def _greedy(
    model: PreTrainedModel, prompts: Sequence[Prompt], end: int, max_new_tokens: int
) -> list[list[list[int]]]:
    answers: list[list[list[int]]] = [[[] for _ in prompt.questions] for prompt in prompts]
    live: list[LiveGroup] = []
    targets: list[list[list[int]]] = []  # for each live group, the answers still being written
    first: list[Tensor] = []
    for prompt, answer in zip(prompts, answers, strict=True):
        group, tokens = _prefill(model, prompt, max_new_tokens)
        live.append(group)
        targets.append(list(answer))
        first.append(tokens)
    tokens = torch.cat(first)
    for step in range(max_new_tokens):
        live, targets, tokens = _settle(live, targets, tokens, end)
        if not live or step == max_new_tokens - 1:
            break
        layout = DecodeLayout(live)
        logits = model(
            input_ids=tokens[None], position_ids=layout.positions(), layout=layout, use_cache=False
        ).logits
        for group in live:
            group.advance()
        tokens = logits[0].argmax(-1)
    return answers


def _prefill(model: PreTrainedModel, prompt: Prompt, new: int) -> tuple[LiveGroup, Tensor]:
    """Read one group's prompt; its live state and the first token of each answer."""
    layout = PrefillLayout(prompt.span, new)
    row = torch.tensor([[*prompt.prefix, *chain.from_iterable(prompt.questions)]])
    last = torch.tensor(prompt.span.branches).cumsum(0) + prompt.span.prefix - 1
    logits = model(
        input_ids=row,
        position_ids=layout.positions(),
        layout=layout,
        logits_to_keep=last,
        use_cache=False,
    ).logits
    return LiveGroup(layout), logits[0].argmax(-1)


def _settle(
    live: list[LiveGroup], targets: list[list[list[int]]], tokens: Tensor, end: int
) -> tuple[list[LiveGroup], list[list[list[int]]], Tensor]:
    """Write the new tokens down; drop the branches that ended and the groups without any."""
    going = tokens != end
    sizes = [len(group.lengths) for group in live]
    groups, rest = [], []
    for group, target, new, on in zip(
        live, targets, torch.split(tokens, sizes), torch.split(going, sizes), strict=True
    ):
        for answer, token, goes in zip(target, new.tolist(), on.tolist(), strict=True):
            if goes:
                answer.append(token)
        if not on.any():
            continue
        if not on.all():
            group.keep(on.nonzero()[:, 0])
        groups.append(group)
        rest.append([answer for answer, goes in zip(target, on.tolist(), strict=True) if goes])
    return groups, rest, tokens[going]
