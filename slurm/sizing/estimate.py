"""What a size costs before it is trained: python -m slurm.sizing.estimate SIZE.

Everything is modelled from the shape of the model but what it says is measured. MFU is causal:
6 FLOPs for each parameter but the input embedding, and the lower triangle of attention.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from agent_tuning.records import BadInput, Record
from agent_tuning.runtime import cli, config
from slurm.sizing import sizes
from slurm.sizing.sizes import Size

WEIGHT_BYTES, GRADIENT_BYTES, OPTIMIZER_BYTES = (
    2,
    2,
    12,
)  # bytes of a parameter: bf16, bf16, three times fp32
CHECKPOINT_BYTES = WEIGHT_BYTES + OPTIMIZER_BYTES
LOGIT_BYTES = 2 + 4 + 2  # bytes of a logit: bf16, fp32 that becomes the gradient, and that in bf16
LOSS_CHUNK = 1024  # of agent_tuning.model.loss, which takes seconds to import
WEIGHT_TRANSFERS = 3  # ZeRO-3 moves all weights forward and backward, and all gradients once
MIN_SIGNAL_LEAD_S = 60  # Slurm's own clock is as coarse as this
GB = 1e9


class DecoderShape(Record, frozen=True):
    """A decoder as Qwen2.5's: biases on queries, keys and values, no shared embedding."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    vocab: int

    @property
    def kv(self) -> int:
        return self.hidden // self.heads * self.kv_heads

    @property
    def layer(self) -> int:
        """Parameters of a layer."""
        attention = 2 * self.hidden * (self.hidden + self.kv) + self.hidden + 2 * self.kv
        return attention + 3 * self.hidden * self.intermediate + 2 * self.hidden

    @property
    def parameters(self) -> int:
        return self.layers * self.layer + (2 * self.vocab + 1) * self.hidden

    def flops(self, length: int) -> int:
        """Of a trained token in rows of `length` tokens, forward and backward."""
        products = self.parameters - self.vocab * self.hidden
        return 6 * products + 6 * self.layers * self.hidden * length

    def activations(self, tokens: int, recompute: int) -> int:
        """Bytes kept for the backward pass by layers of Hugging Face's modelling code.

        Attention keeps no square matrix (FlashAttention). Of a recomputed layer, every
        `recompute`-th (0: none), its input stays, and one at a time is whole.
        """
        wide = 11 * self.hidden + 4 * self.kv + 4 * self.intermediate
        each = 2 * wide * tokens
        twice = -(-self.layers // recompute) if recompute else 0
        whole = self.layers - twice + (twice > 0)
        return twice * 2 * self.hidden * tokens + whole * each


class SizeAssumptions(Record, frozen=True):
    mfu: float
    note_hours: float
    shape: DecoderShape


class EstimateConfig(Record, frozen=True):
    tokens: int
    peak_tflops: float
    memory_gb: float
    price: float
    network: float
    nvlink: float
    disk: float
    overhead_gb: float
    sizes: dict[str, SizeAssumptions]


class RenderedTokens(msgspec.Struct, frozen=True):
    """Of metrics/render.json; other metrics may stand there too."""

    tokens: int
    tokens_without_sharing: int


class Estimate(Record, frozen=True):
    """One size on its GPUs; `rows` packs of `length` tokens are a step."""

    p: EstimateConfig
    model: SizeAssumptions
    size: Size
    length: int
    rows: int
    epochs: int
    recompute: int

    @property
    def speed(self) -> float:
        """Tokens a second of one GPU at the goal."""
        return self.model.mfu * self.p.peak_tflops * 1e12 / self.model.shape.flops(self.length)

    @property
    def step(self) -> float:
        return self.rows * self.length / (self.speed * self.size.world)

    @property
    def checkpoint(self) -> float:
        """GB."""
        return self.model.shape.parameters * CHECKPOINT_BYTES / GB

    @property
    def states(self) -> float:
        """GB of a GPU."""
        of_one = WEIGHT_BYTES + GRADIENT_BYTES + OPTIMIZER_BYTES
        return self.model.shape.parameters * of_one / self.size.world / GB

    @property
    def activations(self) -> float:
        return self.model.shape.activations(self.length, self.recompute) / GB

    @property
    def gathered(self) -> float:
        """GB of whole layers that ZeRO-3 holds at a time: two, with their gradients."""
        return 2 * (WEIGHT_BYTES + GRADIENT_BYTES) * self.model.shape.layer / GB

    @property
    def loss(self) -> float:
        """GB: a chunk of logits; the whole vocabulary's weights, their gradient, and a chunk's."""
        vocabulary = (WEIGHT_BYTES + 2 * GRADIENT_BYTES) * self.model.shape.hidden
        return (LOGIT_BYTES * LOSS_CHUNK + vocabulary) * self.model.shape.vocab / GB

    @property
    def network(self) -> float:
        """Seconds that the weights of a micro-step take, if nothing hides them."""
        moved = WEIGHT_TRANSFERS * WEIGHT_BYTES * self.model.shape.parameters / GB
        nodes, gpus = self.size.nodes, self.size.gpus
        if nodes == 1:
            return moved * (gpus - 1) / gpus / self.p.nvlink
        return moved * (nodes - 1) / nodes / self.p.network

    def hours(self, tokens: int) -> float:
        return tokens / (self.speed * self.size.world) / 3600


def estimate_size(name: str, size: Size) -> Estimate:
    p = config.load("estimate", EstimateConfig)
    if name not in p.sizes:
        raise BadInput(
            f"SIZE={name}: no shape in params.yaml: estimate.sizes; {', '.join(p.sizes)} have"
        )
    train, render = sizes.read_section(size, "train"), sizes.read_section(size, "render")
    numbers = (train["batch"], train["epochs"], train["recompute"])
    return Estimate(p, p.sizes[name], size, render["max_len"], *numbers)


def compute_signal_lead(name: str, size: Size) -> int:
    """Seconds before the time limit at which a job is told to save: two steps and two saves."""
    if name not in config.load("estimate", EstimateConfig).sizes:
        return MIN_SIGNAL_LEAD_S
    e = estimate_size(name, size)
    return max(MIN_SIGNAL_LEAD_S, round(2 * (e.step + e.checkpoint / e.p.disk)))


def read_rendered_tokens() -> RenderedTokens:
    """This repository's data, in the default model's tokens."""
    return msgspec.json.decode(Path("metrics/render.json").read_bytes(), type=RenderedTokens)


Line = tuple[str, str, str]


def estimate_rows(e: Estimate) -> Iterator[Line]:
    """What, how much, and how it is known."""
    parts = (e.states, e.activations, e.loss, e.gathered, e.p.overhead_gb)
    yield "parameters", f"{e.model.shape.parameters / GB:.2f} B", "exact, from the published shape"
    yield "GPUs", f"{e.size.nodes} x {e.size.gpus} A100-80G", "params.yaml"
    names = ("states", "activations", "loss", "gathered layers", "overhead")
    for name, part in zip(names, parts, strict=True):
        yield f"memory of a GPU: {name}", f"{part:.1f} GB", "modelled"
    fits = "fits" if sum(parts) < e.p.memory_gb else "DOES NOT FIT"
    yield "memory of a GPU: all", f"{sum(parts):.1f} of {e.p.memory_gb:.0f} GB, {fits}", "modelled"
    every = {0: "none", 1: "every layer"}.get(e.recompute, f"of {e.recompute} layers one")
    yield "recomputed activations", every, "params.yaml"
    yield "checkpoint", f"{e.checkpoint:.0f} GB, {e.checkpoint / e.p.disk:.0f} s", "modelled"
    yield "step", f"{e.rows} x {e.length} tokens, {e.step:.1f} s", "modelled"
    yield "weights over the wire, a micro-step", f"{e.network:.2f} s", "modelled"
    compute = e.length / e.speed
    yield "arithmetic of a micro-step", f"{compute:.2f} s", "modelled"


def note_comparison_rows(e: Estimate) -> Iterator[tuple[str, str, str]]:
    """What, ours, the note's."""
    note = e.p.tokens / (e.model.note_hours * 3600 * e.size.world)
    note_mfu = note * e.model.shape.flops(e.length) / (e.p.peak_tflops * 1e12)
    hours = e.hours(e.p.tokens)
    price = e.p.price * e.size.world * e.epochs
    yield "tokens/s/GPU", f"{e.speed:.0f}", f"{note:.0f}"
    yield "MFU, causal", f"{e.model.mfu:.0%}", f"{note_mfu:.1%}"
    yield f"hours an epoch of {e.p.tokens / 1e6:.0f} M", f"{hours:.1f}", f"{e.model.note_hours:.1f}"
    yield (
        f"hours, {e.epochs} epochs",
        f"{hours * e.epochs:.0f}",
        f"{e.model.note_hours * e.epochs:.0f}",
    )
    yield "cost, CNY", f"{hours * price:,.0f}", f"{e.model.note_hours * price:,.0f}"


def format_table(head: tuple[str, str, str], rows: Iterator[tuple[str, str, str]]) -> str:
    every = ["| {} | {} | {} |".format(*row) for row in (head, ("---", "---:", "---"), *rows)]
    return "\n".join(every)


def main(name: Path) -> None:
    e = estimate_size(str(name), sizes.load(str(name)))
    data = read_rendered_tokens()
    print(format_table((str(name), "", "how known"), estimate_rows(e)))
    print()
    print(format_table(("", "goal (modelled)", "note"), note_comparison_rows(e)))
    saved = data.tokens_without_sharing / data.tokens
    print(
        f"\nThis repository's data: {data.tokens:,} tokens an epoch in the default model's tokens"
        f" (measured), {saved:.2f} times fewer than without shared prompts (measured):"
        f" {e.hours(data.tokens) * 60:.2f} minutes an epoch (modelled)."
    )


if __name__ == "__main__":
    cli.run(main)
