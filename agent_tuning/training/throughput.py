"""How fast a run trains: a line for each step in speed.jsonl, and a note for the progress line.

Speeds differ from run to run, so the file lies beside the checkpoints and is no output.
"""

import time
from pathlib import Path

import msgspec
import torch

from agent_tuning.model.flops import Shape
from agent_tuning.records import Record
from agent_tuning.tokens.packing import IGNORED
from agent_tuning.training import distributed
from agent_tuning.training.dataset import Row, Rows, spans

# Dense bf16 peak of a GPU in FLOPs a second, by a word of its name (the makers' data sheets).
PEAKS = {"A100": 312e12, "A800": 312e12, "H100": 989e12, "H800": 989e12, "H200": 989e12}


class StepSpeed(Record, frozen=True):
    """`tokens` and `supervised` of all ranks; `mfu`: share of all GPUs' peak (0-1), causal
    convention (agent_tuning/model/flops.py), None on a CPU or an unknown GPU."""

    step: int
    seconds: float
    tokens: int
    supervised: int
    tokens_per_s: float
    supervised_per_s: float
    mfu: float | None = None


def peak() -> float | None:
    """FLOPs a second of all ranks together, if it is known."""
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    each = next((value for word, value in PEAKS.items() if word in name), None)
    return each and each * distributed.world()


class Speed:
    """Rank 0's stopwatch; saves do not count."""

    def __init__(self, file: Path, rows: Rows, batch: int, shape: Shape) -> None:
        self.file, self.rows, self.batch, self.shape = file, rows, batch, shape
        self.peak = peak()
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
        keys = sum(span.pairs for row in rows for span in spans(row))
        flops = self.shape.flops(tokens, supervised, keys)
        line = StepSpeed(
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


def _supervised(row: Row) -> int:
    return sum(label != IGNORED for label in row["labels"])
