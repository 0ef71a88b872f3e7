"""Does the code hold on a GPU? Ten minutes on one of 80 GB: `python -m tests.perf.gpu_proof`.

Every part prints a line of JSON: what it measured, on which device. Names of parts run these alone.
It needs no data, network or model: packs and weights are random, in the shape of Qwen2.5-7B. On a
CPU the same parts run on small shapes, and the tests run them. No GPU has run them yet.

    attention   every way to compute a pack's attention, forward and backward, against float32
    loss        the loss in chunks against plain cross-entropy: value, gradients, memory
    speed       one layer's attention, forward and backward
    model       whole steps of 7B in bf16: tokens a second, MFU, peak memory
    predict     greedy answers against those of transformers' own generate
"""

import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import AutoModelForCausalLM, PreTrainedModel, Qwen2Config

from agent_tuning.inference import generate
from agent_tuning.inference.generate import Prompt
from agent_tuning.model.flash_attention import VarlenAttention, find_kernel
from agent_tuning.model.loss import ChunkedCrossEntropy, attach_loss_head, supervised_loss
from agent_tuning.model.shared_prefix_attention import SHARED_PREFIX, PackLayout
from agent_tuning.records import BadInput
from agent_tuning.tokens.pack_file import Span
from agent_tuning.training.dataset import collate
from agent_tuning.training.throughput import find_peak_flops

ON_GPU = torch.cuda.is_available()
DEVICE = "cuda" if ON_GPU else "cpu"
HALF = torch.bfloat16 if ON_GPU else torch.float32
GB = 1e9
Facts = dict[str, Any]
Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
# Qwen2.5-7B; on a CPU a small model of the same kind.
SHAPE: dict[str, Any] = (
    {
        "vocab_size": 152_064,
        "hidden_size": 3584,
        "intermediate_size": 18_944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
    }
    if ON_GPU
    else {
        "vocab_size": 512,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    }
)
LENGTH = 4096 if ON_GPU else 256
REPEATS = 20 if ON_GPU else 1
PACKS = 8 if ON_GPU else 2


def make_spans(seed: int) -> list[Span]:
    """A pack as the grammar fills it: prompts of a third, each with up to ten answers."""
    draw = random.Random(seed)
    spans, left = [], LENGTH
    while left > LENGTH // 4:
        prefix = draw.randrange(left // 6, left // 3)
        branches = [draw.randrange(8, max(9, LENGTH // 30)) for _ in range(draw.randrange(4, 11))]
        spans.append(Span(prefix, tuple(branches)))
        left -= spans[-1].tokens
    return spans


def make_pack(seed: int) -> Facts:
    draw, spans = random.Random(seed), make_spans(seed)
    ids = [draw.randrange(SHAPE["vocab_size"]) for span in spans for _ in range(span.tokens)]
    weights: list[float] = []
    for span in spans:
        weights += [0.0] * span.prefix
        for length in span.branches:
            weights += [0.0] + [1.0] * (length - 1)
    return {"ids": ids, "weights": weights, "spans": [[s.prefix, *s.branches] for s in spans]}


def make_model() -> PreTrainedModel:
    torch.manual_seed(0)
    config = Qwen2Config(**SHAPE, tie_word_embeddings=False)
    with torch.device(DEVICE):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(
            config, dtype=HALF, attn_implementation=SHARED_PREFIX
        )
    return model


def make_heads(tokens: int) -> list[Tensor]:
    """Query, key and value of a layer, as in float32 whatever the device computes in."""
    heads, kv_heads = SHAPE["num_attention_heads"], SHAPE["num_key_value_heads"]
    width = SHAPE["hidden_size"] // heads
    generator = torch.Generator(device=DEVICE).manual_seed(1)
    return [
        torch.randn(1, n, tokens, width, device=DEVICE, generator=generator)
        for n in (heads, kv_heads, kv_heads)
    ]


def list_ways(spans: list[Span]) -> Iterator[tuple[str, Attend]]:
    """Every way to compute the attention of a pack that this machine has."""
    layout = PackLayout(spans)
    for name in ("torch", "flash_attn"):
        try:
            kernel = find_kernel(name)  # type: ignore[arg-type]
        except BadInput:
            continue
        if kernel:
            varlen = VarlenAttention(spans, torch.device(DEVICE))
            yield name, lambda q, k, v, a=varlen, f=kernel: a.attend(f, q, k, v)  # type: ignore[misc]
    yield "parts", layout._attend_in_parts


def attend_plainly(spans: list[Span], query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """With the whole square mask."""
    tokens = query.shape[2]
    seen = torch.zeros(tokens, tokens, dtype=torch.bool, device=DEVICE)
    start = 0
    for span in spans:
        prefix = slice(start, start + span.prefix)
        seen[prefix, prefix] = torch.ones(span.prefix, span.prefix, device=DEVICE).tril().bool()
        start += span.prefix
        for length in span.branches:
            branch = slice(start, start + length)
            seen[branch, prefix] = True
            seen[branch, branch] = torch.ones(length, length, device=DEVICE).tril().bool()
            start += length
    return F.scaled_dot_product_attention(query, key, value, attn_mask=seen, enable_gqa=True)


def distance(ours: Tensor, theirs: Tensor) -> float:
    difference = ours.float() - theirs.float()
    return round((difference.norm() / theirs.float().norm()).item(), 6)


def measure(function: Callable[[], object], repeats: int = REPEATS) -> Facts:
    """Milliseconds of a call, and the most memory meanwhile."""
    function()
    if ON_GPU:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    for _ in range(repeats):
        function()
    if ON_GPU:
        torch.cuda.synchronize()
    peak = torch.cuda.max_memory_allocated() / GB if ON_GPU else None
    return {"ms": round((time.perf_counter() - started) / repeats * 1e3, 3), "peak_gb": peak}


def attention() -> Iterator[Facts]:
    for seed in range(2):
        spans = make_spans(seed)
        exact = [x.requires_grad_() for x in make_heads(sum(span.tokens for span in spans))]
        output = attend_plainly(spans, *exact)
        upstream = torch.randn_like(output)
        wanted = [output, *torch.autograd.grad(output, exact, upstream)]
        for name, attend in list_ways(spans):
            inputs = [x.detach().to(HALF).requires_grad_() for x in exact]
            got = attend(*inputs)
            all_got = [got, *torch.autograd.grad(got, inputs, upstream.to(HALF))]
            distances = [distance(a, b) for a, b in zip(all_got, wanted, strict=True)]
            yield {"way": name, "distances": distances, "right": max(distances) < 0.02}


def loss() -> Iterator[Facts]:
    count, width, words = LENGTH // 2, SHAPE["hidden_size"], SHAPE["vocab_size"]
    torch.manual_seed(1)
    hidden = torch.randn(count, width, device=DEVICE).to(HALF).requires_grad_()
    vocabulary = (torch.randn(words, width, device=DEVICE) * 0.02).to(HALF).requires_grad_()
    targets = torch.randint(words, (count,), device=DEVICE)
    weights = torch.rand(count, device=DEVICE) + 0.5
    logits = hidden.float() @ vocabulary.float().t()
    plain = (F.cross_entropy(logits, targets, reduction="none") * weights).sum()
    wanted = torch.autograd.grad(plain, (hidden, vocabulary))
    del logits
    ours: Tensor = ChunkedCrossEntropy.apply(hidden, vocabulary, targets, weights)  # type: ignore[no-untyped-call]
    got = torch.autograd.grad(ours, (hidden, vocabulary))
    distances = [distance(ours, plain), *(distance(a, b) for a, b in zip(got, wanted, strict=True))]
    yield {"distances": distances, "right": max(distances) < 0.02}


def speed() -> Iterator[Facts]:
    spans = make_spans(0)
    inputs = [x.to(HALF).requires_grad_() for x in make_heads(sum(s.tokens for s in spans))]
    for name, attend in list_ways(spans):
        facts = measure(lambda f=attend: f(*inputs).float().sum().backward())  # type: ignore[misc]
        yield {"way": name, **facts}


def model() -> Iterator[Facts]:
    network = make_model()
    network.config.use_cache = False
    attach_loss_head(network)
    rows = [make_pack(seed) for seed in range(PACKS)]
    tokens = sum(len(row["ids"]) for row in rows)
    weights = sum(weight.numel() for weight in network.parameters())
    for name in ("torch", "parts"):
        PackLayout.choose_kernel(name)  # type: ignore[arg-type]
        for checkpointing in (False, True):
            if checkpointing:
                network.activation_checkpointing_enable()
            losses: list[float] = []

            def step(losses: list[float] = losses) -> None:
                for row in rows:
                    batch: Facts = collate([row])
                    inputs = {
                        k: v.to(DEVICE) if isinstance(v, Tensor) else v for k, v in batch.items()
                    }
                    targets = inputs.pop("labels")[0, 1:]
                    value = supervised_loss(network, inputs, targets, inputs.pop("weights"))
                    (value / len(targets)).backward()
                    losses.append(value.item() / len(targets))
                network.zero_grad()

            facts = measure(step, repeats=1)
            rate = tokens / facts["ms"] * 1e3
            peak = find_peak_flops()
            mfu = peak and round(6 * weights * rate / peak, 3)
            yield {
                "attention": name,
                "checkpointing": checkpointing,
                "first_loss": round(losses[0], 4),
                "tokens_per_s": round(rate),
                "mfu_of_products": mfu,
                **facts,
            }
        network.activation_checkpointing_disable()


@torch.inference_mode()
def predict() -> Iterator[Facts]:
    network = make_model().eval()
    draw = random.Random(0)
    prompts = [
        Prompt([draw.randrange(512) for _ in range(40)], [[draw.randrange(512) for _ in range(5)]])
        for _ in range(4)
    ]
    limit, end = 8, SHAPE["vocab_size"] - 1
    answers = generate.decode_greedily(network, prompts, end, limit)
    network.set_attn_implementation("sdpa")
    same = 0
    for prompt, ((*ours,),) in zip(prompts, answers, strict=True):
        ids = torch.tensor([[*prompt.prefix, *prompt.questions[0]]], device=DEVICE)
        whole = network.generate(  # type: ignore[operator]
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=limit, do_sample=False,
            eos_token_id=end, pad_token_id=end,
        )  # fmt: skip
        theirs = whole[0, ids.shape[1] :].tolist()
        same += sum(a == b for a, b in zip(ours, theirs, strict=False)) / len(theirs)
    yield {"same_tokens": round(same / len(prompts), 3), "right": same / len(prompts) > 0.9}


PARTS: dict[str, Callable[[], Iterator[Facts]]] = {
    "attention": attention,
    "loss": loss,
    "speed": speed,
    "model": model,
    "predict": predict,
}


def main(names: list[str]) -> None:
    device = torch.cuda.get_device_name() if ON_GPU else "CPU"
    for name in names or PARTS:
        for facts in PARTS[name]():
            print(json.dumps({"part": name, "device": device, **facts}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
