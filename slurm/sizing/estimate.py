"""What a size costs before it is trained: python -m slurm.sizing.estimate SIZE.

Every number says whether it is exact, measured or modelled from the shape of the model. MFU is
causal: 6 FLOPs per parameter without the input embedding, and the lower triangle of attention.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from agent_tuning.records import BadInput, Record
from agent_tuning.runtime import cli, config
from slurm.sizing import sizes
from slurm.sizing.sizes import Size

# Bytes of a parameter: bf16, bf16, and three times fp32.
WEIGHT_BYTES, GRADIENT_BYTES, OPTIMIZER_BYTES = 2, 2, 12
CHECKPOINT_BYTES = WEIGHT_BYTES + OPTIMIZER_BYTES
LOGIT_BYTES = 2 + 4 + 2  # bf16, fp32 that becomes the gradient, and the gradient in bf16
LOSS_CHUNK = 1024  # of agent_tuning.model.loss, which takes seconds to import
WEIGHT_TRANSFERS = 3  # ZeRO-3 moves all weights forward and backward, and all gradients once
MIN_SIGNAL_LEAD_S = 60  # Slurm's own clock is as coarse as this
GB = 1e9

Row = tuple[str, str, str]


class DecoderShape(Record, frozen=True):
    """A decoder like Qwen2.5: biases on queries, keys and values, no shared embedding."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    vocab: int

    @property
    def kv_width(self) -> int:
        return self.hidden // self.heads * self.kv_heads

    @property
    def layer_parameters(self) -> int:
        attention = 2 * self.hidden * (self.hidden + self.kv_width) + self.hidden
        attention += 2 * self.kv_width
        return attention + 3 * self.hidden * self.intermediate + 2 * self.hidden

    @property
    def parameters(self) -> int:
        return self.layers * self.layer_parameters + (2 * self.vocab + 1) * self.hidden

    def flops_per_token(self, length: int) -> int:
        """FLOPs of a trained token in packs of `length` tokens, forward and backward."""
        products = self.parameters - self.vocab * self.hidden
        return 6 * products + 6 * self.layers * self.hidden * length

    def activation_bytes(self, tokens: int, checkpointing_every: int) -> int:
        """Bytes that the layers of Hugging Face's modelling code keep for the backward pass.

        Attention keeps no square matrix (FlashAttention). Every `checkpointing_every`-th layer
        (0: none) is recomputed: only its input stays, and one such layer at a time is whole.
        """
        width = 11 * self.hidden + 4 * self.kv_width + 4 * self.intermediate
        layer_bytes = 2 * width * tokens
        recomputed = -(-self.layers // checkpointing_every) if checkpointing_every else 0
        whole = self.layers - recomputed + (recomputed > 0)
        return recomputed * 2 * self.hidden * tokens + whole * layer_bytes


class SizeAssumptions(Record, frozen=True):
    """`mfu` is the goal; `note_hours` are the hours of one epoch in the reference note."""

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
    """Two metrics of metrics/general/render.json, which has others too."""

    tokens: int
    tokens_without_sharing: int


class Estimate(Record, frozen=True):
    """One size on its GPUs. A step is `packs_per_step` packs of `length` tokens."""

    config: EstimateConfig
    model: SizeAssumptions
    size: Size
    length: int
    packs_per_step: int
    epochs: int
    checkpointing_every: int

    @property
    def tokens_per_second(self) -> float:
        """Of one GPU, at the MFU that is the goal."""
        flops = self.model.shape.flops_per_token(self.length)
        return self.model.mfu * self.config.peak_tflops * 1e12 / flops

    @property
    def step_seconds(self) -> float:
        return (
            self.packs_per_step * self.length / (self.tokens_per_second * self.size.training_ranks)
        )

    @property
    def checkpoint_gb(self) -> float:
        return self.model.shape.parameters * CHECKPOINT_BYTES / GB

    @property
    def save_seconds(self) -> float:
        return self.checkpoint_gb / self.config.disk

    @property
    def states_gb(self) -> float:
        """Weights, gradients and optimizer states on one GPU."""
        bytes_per_parameter = WEIGHT_BYTES + GRADIENT_BYTES + OPTIMIZER_BYTES
        return self.model.shape.parameters * bytes_per_parameter / self.size.training_ranks / GB

    @property
    def activations_gb(self) -> float:
        return self.model.shape.activation_bytes(self.length, self.checkpointing_every) / GB

    @property
    def gathered_gb(self) -> float:
        """Whole layers that ZeRO-3 holds at a time: two, with their gradients."""
        return 2 * (WEIGHT_BYTES + GRADIENT_BYTES) * self.model.shape.layer_parameters / GB

    @property
    def loss_gb(self) -> float:
        """A chunk of logits; the whole vocabulary's weights, their gradient, and a chunk's."""
        vocabulary = (WEIGHT_BYTES + 2 * GRADIENT_BYTES) * self.model.shape.hidden
        return (LOGIT_BYTES * LOSS_CHUNK + vocabulary) * self.model.shape.vocab / GB

    @property
    def transfer_seconds(self) -> float:
        """Time to move the weights of a micro-step if no computation overlaps it."""
        moved_gb = WEIGHT_TRANSFERS * WEIGHT_BYTES * self.model.shape.parameters / GB
        nodes, gpus = self.size.nodes, self.size.gpus
        if nodes == 1:
            return moved_gb * (gpus - 1) / gpus / self.config.nvlink
        return moved_gb * (nodes - 1) / nodes / self.config.network

    def hours(self, tokens: int) -> float:
        return tokens / (self.tokens_per_second * self.size.training_ranks) / 3600


def estimate_size(name: str, size: Size) -> Estimate:
    estimate_config = config.load("estimate", EstimateConfig)
    if name not in estimate_config.sizes:
        shapes = ", ".join(estimate_config.sizes)
        raise BadInput(
            f"params.yaml: estimate.sizes: no entry for SIZE={name}; available: {shapes}"
        )
    train, render = sizes.read_section(size, "train"), sizes.read_section(size, "render")
    return Estimate(
        config=estimate_config,
        model=estimate_config.sizes[name],
        size=size,
        length=render["max_len"],
        packs_per_step=train["packs_per_step"],
        epochs=train["epochs"],
        checkpointing_every=train["activation_checkpointing_every"],
    )


def compute_signal_lead(name: str, size: Size) -> int:
    """Seconds before the time limit at which a job is told to save: two steps and two saves."""
    if name not in config.load("estimate", EstimateConfig).sizes:
        return MIN_SIGNAL_LEAD_S
    estimate = estimate_size(name, size)
    return max(MIN_SIGNAL_LEAD_S, round(2 * (estimate.step_seconds + estimate.save_seconds)))


def read_rendered_tokens() -> RenderedTokens:
    """This repository's data, in the default model's tokens."""
    path = Path(f"metrics/{sizes.RECIPE}/render.json")
    return msgspec.json.decode(path.read_bytes(), type=RenderedTokens)


def estimate_rows(estimate: Estimate) -> Iterator[Row]:
    """Rows of (quantity, value, source)."""
    size, shape = estimate.size, estimate.model.shape
    memory = {
        "states": estimate.states_gb,
        "activations": estimate.activations_gb,
        "loss": estimate.loss_gb,
        "gathered layers": estimate.gathered_gb,
        "overhead": estimate.config.overhead_gb,
    }
    total, available = sum(memory.values()), estimate.config.memory_gb
    yield "parameters", f"{shape.parameters / GB:.2f} B", "exact, from the published shape"
    yield "GPUs", f"{size.nodes} x {size.gpus} A100-80G", "params.yaml"
    for name, part in memory.items():
        yield f"memory per GPU: {name}", f"{part:.1f} GB", "modelled"
    fits = "fits" if total < available else "DOES NOT FIT"
    yield "memory per GPU: total", f"{total:.1f} of {available:.0f} GB, {fits}", "modelled"
    every = estimate.checkpointing_every
    layers = {0: "none", 1: "every layer"}.get(every, f"one of {every} layers")
    yield "recomputed activations", layers, "params.yaml"
    checkpoint = f"{estimate.checkpoint_gb:.0f} GB, {estimate.save_seconds:.0f} s"
    yield "checkpoint", checkpoint, "modelled"
    step = f"{estimate.packs_per_step} x {estimate.length} tokens, {estimate.step_seconds:.1f} s"
    yield "step", step, "modelled"
    yield "weight transfer per micro-step", f"{estimate.transfer_seconds:.2f} s", "modelled"
    compute = estimate.length / estimate.tokens_per_second
    yield "compute per micro-step", f"{compute:.2f} s", "modelled"


def note_comparison_rows(estimate: Estimate) -> Iterator[Row]:
    """Rows of (quantity, our goal, the reference note)."""
    model, tokens, epochs = estimate.model, estimate.config.tokens, estimate.epochs
    gpus = estimate.size.training_ranks
    note_speed = tokens / (model.note_hours * 3600 * gpus)
    note_flops = note_speed * model.shape.flops_per_token(estimate.length)
    note_mfu = note_flops / (estimate.config.peak_tflops * 1e12)
    hours = estimate.hours(tokens)
    price = estimate.config.price * gpus * epochs
    yield "tokens/s/GPU", f"{estimate.tokens_per_second:.0f}", f"{note_speed:.0f}"
    yield "MFU, causal", f"{model.mfu:.0%}", f"{note_mfu:.1%}"
    yield f"hours per epoch of {tokens / 1e6:.0f} M", f"{hours:.1f}", f"{model.note_hours:.1f}"
    yield f"hours, {epochs} epochs", f"{hours * epochs:.0f}", f"{model.note_hours * epochs:.0f}"
    yield "cost, CNY", f"{hours * price:,.0f}", f"{model.note_hours * price:,.0f}"


def format_table(head: Row, rows: Iterator[Row]) -> str:
    """A Markdown table whose second column is right-aligned."""
    lines = ["| {} | {} | {} |".format(*row) for row in (head, ("---", "---:", "---"), *rows)]
    return "\n".join(lines)


def main(name: Path) -> None:
    estimate = estimate_size(str(name), sizes.load(str(name)))
    data = read_rendered_tokens()
    print(format_table((str(name), "", "source"), estimate_rows(estimate)))
    print()
    print(format_table(("", "goal (modelled)", "reference note"), note_comparison_rows(estimate)))
    sharing = data.tokens_without_sharing / data.tokens
    print(
        f"\nThis repository's data: {data.tokens:,} tokens per epoch in the default model's tokens"
        f" (measured), {sharing:.2f} times fewer than without shared prompts (measured):"
        f" {estimate.hours(data.tokens) * 60:.2f} minutes per epoch (modelled)."
    )


if __name__ == "__main__":
    cli.run(main)
