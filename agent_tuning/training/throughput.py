"""How fast a run trains: a line for each step in speed.jsonl, and a note for the progress line.

Speeds differ from run to run, so the file lies beside the checkpoints and is no output.
"""

import time
from pathlib import Path

import msgspec
import torch

from agent_tuning.model.flops import ModelShape
from agent_tuning.records import Record
from agent_tuning.tokens.packing import IGNORED
from agent_tuning.training import distributed
from agent_tuning.training.dataset import PackDataset, PackRow, read_spans

# Dense bf16 peak of a GPU in FLOPs a second, by a word of its name (the makers' data sheets).
PEAK_FLOPS = {"A100": 312e12, "A800": 312e12, "H100": 989e12, "H800": 989e12, "H200": 989e12}


class StepThroughput(Record, frozen=True):
    """`tokens` and `supervised` of all ranks; `mfu`: share of all GPUs' peak (0-1), causal
    convention (agent_tuning/model/flops.py), None on a CPU or an unknown GPU."""

    step: int
    seconds: float
    tokens: int
    supervised: int
    tokens_per_s: float
    supervised_per_s: float
    mfu: float | None = None


def find_peak_flops() -> float | None:
    """FLOPs a second of all ranks together, if it is known."""
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    each = next((value for word, value in PEAK_FLOPS.items() if word in name), None)
    return each and each * distributed.world_size()


class ThroughputLog:
    """Rank 0's stopwatch; saves do not count."""

    def __init__(self, file: Path, rows: PackDataset, batch: int, shape: ModelShape) -> None:
        self.file, self.rows, self.batch, self.shape = file, rows, batch, shape
        self.peak = find_peak_flops()
        self.seconds = self.tokens = self.supervised = self.flops = 0.0
        self.started = time.monotonic()

    def start(self) -> None:
        self.started = time.monotonic()

    def step(self, number: int) -> None:
        """The step is done: write its line."""
        seconds = time.monotonic() - self.started
        rows = list(self.rows.step(number, self.batch))
        tokens = sum(len(row["ids"]) for row in rows)
        supervised = sum(_supervised(row) for row in rows)
        keys = sum(span.attention_pairs for row in rows for span in read_spans(row))
        flops = self.shape.flops(tokens, supervised, keys)
        line = StepThroughput(
            step=number,
            seconds=round(seconds, 4),
            tokens=tokens,
            supervised=supervised,
            tokens_per_s=round(tokens / seconds, 1),
            supervised_per_s=round(supervised / seconds, 1),
            mfu=self.peak and round(flops / seconds / self.peak, 4),
        )
        with open(self.file, "ab") as out:
            out.write(msgspec.json.encode(line) + b"\n")
        self.seconds += seconds
        self.tokens += tokens
        self.supervised += supervised
        self.flops += flops
        self.start()

    def note(self) -> str:
        """Means since the start of this process."""
        if not self.seconds:
            return ""
        rates = (self.tokens / self.seconds, self.supervised / self.seconds)
        mfu = f", MFU {self.flops / self.seconds / self.peak:.1%} (causal)" if self.peak else ""
        return f"{rates[0]:.0f} tokens/s, {rates[1]:.0f} supervised/s{mfu}"


def _supervised(row: PackRow) -> int:
    return sum(label != IGNORED for label in row["labels"])
