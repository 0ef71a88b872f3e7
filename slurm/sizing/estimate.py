"""What a size costs before it is trained: python -m slurm.sizing.estimate SIZE.

Every number says whether it is exact, measured or modelled from the shape of the model. MFU is
causal: 6 FLOPs per parameter without the input embedding, and the lower triangle of attention.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from agent_tuning.files import json_file
from agent_tuning.files.markdown_table import format_row
from agent_tuning.records import BadInput, Record
from agent_tuning.runtime import cli, config
from agent_tuning.runtime.ranges import (
    AboveZero,
    AtLeastOne,
    Count,
    Dollars,
    ShareAboveZero,
    Tokens,
    Weight,
)
from slurm.sizing import sizes
from slurm.sizing.sizes import Size

# Bytes of a parameter: bf16, bf16, and three times fp32.
# Gradients are summed in fp32 (slurm/zero3.json), and are bf16 in the layer that computes them.
WEIGHT_BYTES, GRADIENT_BYTES, GRADIENT_SUM_BYTES, OPTIMIZER_BYTES = 2, 2, 4, 12
CHECKPOINT_BYTES = WEIGHT_BYTES + OPTIMIZER_BYTES
LOGIT_BYTES = 2 + 4 + 2  # bf16, fp32 that becomes the gradient, and the gradient in bf16
LOSS_CHUNK = 1024  # of agent_tuning.model.loss, which takes seconds to import
WEIGHT_TRANSFERS = 3  # ZeRO-3 moves all weights forward and backward, and all gradients once
KEPT_CHECKPOINTS = 2  # while a third is written
MIN_SIGNAL_LEAD_S = 60  # Slurm's own clock is as coarse as this
GB = 1e9

Row = tuple[str, str, str]


class DecoderShape(Record, frozen=True):
    """A decoder like Qwen2.5.

    `tied`: the vocabulary projection is the input embedding. `biases`: of queries, keys and values.
    """

    hidden: AtLeastOne
    intermediate: AtLeastOne
    layers: AtLeastOne
    heads: AtLeastOne
    kv_heads: AtLeastOne
    vocab: AtLeastOne
    tied: bool = False
    biases: bool = True

    @property
    def kv_width(self) -> int:
        return self.hidden // self.heads * self.kv_heads

    @property
    def layer_parameters(self) -> int:
        attention = 2 * self.hidden * (self.hidden + self.kv_width)
        if self.biases:
            attention += self.hidden + 2 * self.kv_width
        return attention + 3 * self.hidden * self.intermediate + 2 * self.hidden

    @property
    def parameters(self) -> int:
        vocabularies = 1 if self.tied else 2
        return self.layers * self.layer_parameters + (vocabularies * self.vocab + 1) * self.hidden

    def flops_per_token(self, length: int) -> int:
        """FLOPs of a trained token in packs of `length` tokens, forward and backward."""
        products = self.layers * self.layer_parameters + (self.vocab + 1) * self.hidden
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
    """`mfu` is the goal; `note_hours` are the hours of one epoch in the reference note, if any.

    `peak_tflops` and `memory_gb` are those of another GPU than the A100 of the section.
    """

    mfu: ShareAboveZero
    note_hours: AboveZero | None
    shape: DecoderShape
    peak_tflops: AboveZero | None = None
    memory_gb: AboveZero | None = None


class PublishedSet(Record, frozen=True):
    """A data set that a recipe may import: its published rows, and if these have tools."""

    rows: AtLeastOne
    tools: bool


class EstimateConfig(Record, frozen=True):
    tokens: Tokens
    peak_tflops: AboveZero
    memory_gb: AboveZero
    price: Dollars
    network: AboveZero
    nvlink: AboveZero
    disk: AboveZero
    overhead_gb: Weight
    fewest_steps: dict[str, Count]  # by recipe
    sizes: dict[str, SizeAssumptions]
    published: dict[str, dict[str, PublishedSet]] = {}  # by recipe and name of the source


class RenderedTokens(msgspec.Struct, frozen=True):
    """Some metrics of a render.json, which has others too."""

    packs: int
    tokens: int
    tokens_without_sharing: int


class ScriptedTokens(msgspec.Struct, frozen=True):
    """Some metrics of a scripted.json (`slurm.sizing.count_scripted`)."""

    trajectories: int
    tokens: int
    tokens_without_sharing: int
    packing_efficiency: float


class SourceTokens(NamedTuple):
    """What one source adds to an epoch; `known` says how the numbers are known.

    `trajectories` is None where only tokens are wanted. `packing_efficiency` (0-1) is how full the
    packs are, where that was counted.
    """

    name: str
    trajectories: int | None
    tokens: int
    tokens_without_sharing: int
    known: str
    packing_efficiency: float = 1.0


class Estimate(Record, frozen=True):
    """One size on its GPUs. A step is `packs_per_step` packs of `length` tokens."""

    config: EstimateConfig
    model: SizeAssumptions
    size: Size
    length: int
    packs_per_step: int
    epochs: int
    checkpointing_every: int
    save_steps: int
    warmup_ratio: float
    learning_rate: float

    @property
    def peak_flops(self) -> float:
        return (self.model.peak_tflops or self.config.peak_tflops) * 1e12

    @property
    def tokens_per_second(self) -> float:
        """Of one GPU, at the MFU that is the goal."""
        return self.model.mfu * self.peak_flops / self.model.shape.flops_per_token(self.length)

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
    def weights_gb(self) -> float:
        """Of the base and of the tuned model, in bf16."""
        return self.model.shape.parameters * WEIGHT_BYTES / GB

    @property
    def load_seconds(self) -> float:
        """Of the base, which each node reads once, as fast as the file system writes."""
        return self.weights_gb / self.config.disk

    @property
    def states_gb(self) -> float:
        """Weights, gradients and optimizer states on one GPU."""
        bytes_per_parameter = WEIGHT_BYTES + GRADIENT_SUM_BYTES + OPTIMIZER_BYTES
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
        if self.size.training_ranks == 1:
            return 0.0
        moved_gb = WEIGHT_TRANSFERS * WEIGHT_BYTES * self.model.shape.parameters / GB
        nodes, gpus = self.size.nodes, self.size.gpus
        if nodes == 1:
            return moved_gb * (gpus - 1) / gpus / self.config.nvlink
        return moved_gb * (nodes - 1) / nodes / self.config.network

    def steps(self, packs: int) -> int:
        return math.ceil(packs * self.epochs / self.packs_per_step)

    @property
    def fewest_steps(self) -> int:
        return self.config.fewest_steps.get(self.size.recipe, 0)

    def saves(self, packs: int) -> int:
        """The first checkpoint of a start, one every `save_steps`, and the last one."""
        return 1 + math.ceil(self.steps(packs) / self.save_steps)

    def run_hours(self, packs: int) -> float:
        """Of all epochs, with loading, their checkpoints and the tuned model."""
        saving = self.saves(packs) * self.save_seconds + self.weights_gb / self.config.disk
        return (self.load_seconds + self.steps(packs) * self.step_seconds + saving) / 3600

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
        save_steps=train["save_steps"],
        warmup_ratio=train["warmup_ratio"],
        learning_rate=train["learning_rate"],
    )


def compute_signal_lead(name: str, size: Size) -> int:
    """Seconds before the time limit at which a job is told to save: two steps and two saves."""
    if name not in config.load("estimate", EstimateConfig).sizes:
        return MIN_SIGNAL_LEAD_S
    estimate = estimate_size(name, size)
    return max(MIN_SIGNAL_LEAD_S, round(2 * (estimate.step_seconds + estimate.save_seconds)))


def compute_disk_gb(name: str, size: Size) -> int:
    """Free space of a run folder that training needs: its checkpoints and the tuned model."""
    if name not in config.load("estimate", EstimateConfig).sizes:
        return 1
    return compute_disk_gb_of(estimate_size(name, size))


def compute_disk_gb_of(estimate: Estimate) -> int:
    return round((KEPT_CHECKPOINTS + 1) * estimate.checkpoint_gb + estimate.weights_gb)


def read_rendered_tokens(folder: str) -> RenderedTokens | None:
    """A recipe's data in the default model's tokens, or a size's in its own; None if not made."""
    path = Path(f"metrics/{folder}/render.json")
    if not path.exists():
        return None
    return json_file.read(path, RenderedTokens)


def read_scripted(estimate: Estimate) -> tuple[ScriptedTokens, str] | None:
    """What the catalogue gives for the recipe, and how that is known; None if it cannot be known.

    Where nobody counted it, it is what the recipe plans, each group as long as one of `general`.
    """
    counted = Path(f"metrics/{estimate.size.recipe}/scripted.json")
    if counted.exists():
        known = "exact, counted in the default model's tokens"
        return json_file.read(counted, ScriptedTokens), known
    small, plan = read_rendered_tokens("general"), Path("metrics/general/plan.json")
    if not small or not plan.exists():
        return None
    made = json_file.read(plan, dict[str, float])["groups"]
    section = sizes.read_section(estimate.size, "plan")
    groups = sum(section["groups"].values())
    tokens, whole = (
        round(number / made * groups) for number in (small.tokens, small.tokens_without_sharing)
    )
    trajectories = groups * (section["positives"] + 1)
    known = "modelled: what is planned, each group as long as one of general"
    return ScriptedTokens(trajectories, tokens, whole, packing_efficiency=1.0), known


def list_sources(estimate: Estimate) -> Iterator[SourceTokens]:
    """The data of an epoch by source, where it was not rendered whole; none if nothing is known.

    An imported row with tools is taken to be as long as a scripted trajectory with its prompt, and
    to share the prompt with no other. General conversation is what `mix` adds to the rest.
    """
    recipe = estimate.size.recipe
    found = read_scripted(estimate)
    if not found:
        return
    scripted, known = found
    yield SourceTokens(
        "scripted",
        scripted.trajectories,
        scripted.tokens,
        scripted.tokens_without_sharing,
        known,
        scripted.packing_efficiency,
    )
    length = scripted.tokens_without_sharing / scripted.trajectories
    tokens = scripted.tokens
    listed = sizes.read_section(estimate.size, "import_data")["sources"]
    takes = {source["name"]: source.get("take") for source in listed}
    for name, published in estimate.config.published.get(recipe, {}).items():
        if published.tools and (not listed or name in takes):
            rows = min(published.rows, takes.get(name) or published.rows)
            imported = round(rows * length)
            source = "rows published; tokens modelled"
            yield SourceTokens(name, rows, imported, imported, source)
            tokens += imported
    general = round(tokens / sizes.read_section(estimate.size, "mix")["agent_per_general"])
    source = "modelled: mix.agent_per_general, of bytes"
    yield SourceTokens("general", None, general, general, source)


def model_data(estimate: Estimate, sources: Sequence[SourceTokens]) -> RenderedTokens | None:
    """The packs of all sources, as full as those of the scripted part; None without sources."""
    if not sources:
        return None
    scripted = sources[0]
    tokens = sum(source.tokens for source in sources)
    whole = sum(source.tokens_without_sharing for source in sources)
    packs = math.ceil(tokens / (estimate.length * scripted.packing_efficiency))
    return RenderedTokens(packs, tokens, whole)


def check_steps(name: str, size: Size) -> None:
    """Raise BadInput if the data of a size is so little that training it means nothing."""
    data = read_rendered_tokens(name)
    if not data or not size.hub or name not in config.load("estimate", EstimateConfig).sizes:
        return
    estimate = estimate_size(name, size)
    steps, fewest = estimate.steps(data.packs), estimate.fewest_steps
    if steps < fewest:
        passes = data.packs * estimate.epochs
        epochs = math.ceil(fewest * estimate.packs_per_step / data.packs)
        raise BadInput(
            f"params.yaml: {name} would train {steps} optimizer steps ({data.packs} packs,"
            f" {estimate.epochs} epochs, {estimate.packs_per_step} packs a step), fewer than"
            f" estimate.fewest_steps.{size.recipe} = {fewest}: make more data (plan.groups), or set"
            f" packs_per_step to {max(1, passes // fewest)} at most, or epochs to {epochs}"
        )


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
    total = sum(memory.values())
    available = estimate.model.memory_gb or estimate.config.memory_gb
    yield "parameters", f"{shape.parameters / GB:.2f} B", "exact, from the published shape"
    gpu = f"{available:.0f} GB" if estimate.model.memory_gb else "A100-80G"
    yield "GPUs", f"{size.nodes} x {size.gpus} {gpu}", "params.yaml"
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


def run_rows(estimate: Estimate, data: RenderedTokens, source: str) -> Iterator[Row]:
    """Rows of (quantity, value, source) about training on this data."""
    steps, saves = estimate.steps(data.packs), estimate.saves(data.packs)
    hours = estimate.run_hours(data.packs)
    warmup = math.ceil(estimate.warmup_ratio * steps)
    yield "data of an epoch", f"{data.packs:,} packs, {data.tokens:,} tokens", source
    few = " (too few: make more data)" if steps < estimate.fewest_steps else ""
    known = "exact for that data" if source == "measured" else "from the packs above"
    yield "optimizer steps", f"{steps}, of which {warmup} warm up{few}", known
    rate = f"{estimate.learning_rate:g} after {warmup} steps, then a cosine"
    yield "learning rate", rate, "params.yaml"
    loading = f"{estimate.weights_gb:.0f} GB, {estimate.load_seconds:.0f} s"
    yield "loading the base", loading, "modelled: every node reads it once"
    saving = saves * estimate.save_seconds / 3600
    yield "checkpoints", f"{saves} in {saving:.1f} h", "modelled"
    disk = compute_disk_gb_of(estimate)
    yield "disk in RUNS_ROOT", f"{disk:,} GB", "modelled: three checkpoints and the model"
    yield "hours", f"{hours:.1f}", "modelled"
    if not estimate.model.peak_tflops:
        cost = hours * estimate.size.training_ranks * estimate.config.price
        yield "cost, CNY", f"{cost:,.0f}", "modelled"


def note_comparison_rows(estimate: Estimate) -> Iterator[Row]:
    """Rows of (quantity, our goal, the reference note)."""
    model, tokens, epochs = estimate.model, estimate.config.tokens, estimate.epochs
    assert model.note_hours, "the note has this size"
    gpus = estimate.size.training_ranks
    note_speed = tokens / (model.note_hours * 3600 * gpus)
    note_flops = note_speed * model.shape.flops_per_token(estimate.length)
    note_mfu = note_flops / estimate.peak_flops
    hours = estimate.hours(tokens)
    price = estimate.config.price * gpus * epochs
    yield "tokens/s/GPU", f"{estimate.tokens_per_second:.0f}", f"{note_speed:.0f}"
    yield "MFU, causal", f"{model.mfu:.0%}", f"{note_mfu:.1%}"
    yield f"hours per epoch of {tokens / 1e6:.0f} M", f"{hours:.1f}", f"{model.note_hours:.1f}"
    yield f"hours, {epochs} epochs", f"{hours * epochs:.0f}", f"{model.note_hours * epochs:.0f}"
    yield "cost, CNY", f"{hours * price:,.0f}", f"{model.note_hours * price:,.0f}"


def format_sources(sources: Sequence[SourceTokens]) -> str:
    """A Markdown table of the data of an epoch, with its sum."""
    head = ("data of an epoch", "trajectories", "tokens in packs", "without sharing", "source")
    rows = [
        (
            source.name,
            "" if source.trajectories is None else f"{source.trajectories:,}",
            f"{source.tokens:,}",
            f"{source.tokens_without_sharing:,}",
            source.known,
        )
        for source in sources
    ]
    tokens = sum(source.tokens for source in sources)
    whole = sum(source.tokens_without_sharing for source in sources)
    rows.append(("all", "", f"{tokens:,}", f"{whole:,}", "the sum"))
    rule = "| --- | ---: | ---: | ---: | --- |\n"
    return f"{format_row(head)}{rule}{''.join(map(format_row, rows))}"


def format_table(head: Row, rows: Iterator[Row]) -> str:
    """A Markdown table whose second column is right-aligned."""
    lines = ["| {} | {} | {} |".format(*row) for row in (head, ("---", "---:", "---"), *rows)]
    return "\n".join(lines)


def main(name: Path) -> None:
    estimate = estimate_size(str(name), sizes.load(str(name)))
    print(format_table((str(name), "", "source"), estimate_rows(estimate)))
    print()
    own, default = read_rendered_tokens(str(name)), read_rendered_tokens(estimate.size.recipe)
    if own:
        print(format_table(("this run", "", "source"), run_rows(estimate, own, "measured")))
    elif default:
        source = "measured, in the default model's tokens"
        print(format_table(("this run", "", "source"), run_rows(estimate, default, source)))
    elif planned := model_data(estimate, sources := list(list_sources(estimate))):
        print(format_sources(sources))
        source = "modelled: the sources above, before rejects"
        print(format_table(("this run", "", "source"), run_rows(estimate, planned, source)))
    else:
        recipe = estimate.size.recipe
        print(
            f"the data of {recipe} was not counted: `make recipe NAME={recipe}` and `dvc repro"
            f" render`, or `python -m slurm.sizing.count_scripted {recipe} FOLDER` without imports"
        )
    if estimate.model.note_hours:
        print(
            "\nAn epoch of as many tokens as the reference note has, which this repository lacks:\n"
        )
        rows = note_comparison_rows(estimate)
        print(format_table(("", "goal (modelled)", "reference note"), rows))


if __name__ == "__main__":
    cli.run(main)
