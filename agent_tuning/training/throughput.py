"""How fast a run trains: a line a step in speed.jsonl, and a note for the progress line.

Speed differs from run to run. The file is therefore no output: it is beside the checkpoints.
"""

import time
from pathlib import Path

import msgspec
import torch

from agent_tuning.model.flops import ModelShape
from agent_tuning.records import Record
from agent_tuning.tokens.pack_file import read_spans
from agent_tuning.training import distributed
from agent_tuning.training.dataset import PackDataset

# Dense bf16 peak of a GPU in FLOPs a second, by a word of its name (the makers' data sheets).
PEAK_FLOPS = {"A100": 312e12, "A800": 312e12, "H100": 989e12, "H800": 989e12, "H200": 989e12}


class StepThroughput(Record, frozen=True):
    """One step over all ranks: `tokens`, and how many of them are `supervised`.

    `mfu`: share of the peak of all GPUs (0-1), by the causal convention of
    agent_tuning/model/flops.py; None on a CPU or an unknown GPU.
    """

    step: int
    seconds: float
    tokens: int
    supervised: int
    tokens_per_s: float
    supervised_per_s: float
    mfu: float | None = None


def find_peak_flops() -> float | None:
    """FLOPs a second of all ranks together; None on a CPU or an unknown GPU."""
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    peak = next((peak for word, peak in PEAK_FLOPS.items() if word in name), None)
    return peak and peak * distributed.world_size()


class ThroughputLog:
    """The stopwatch of rank 0. The time of saving checkpoints does not count."""

    def __init__(self, file: Path, dataset: PackDataset, batch: int, shape: ModelShape) -> None:
        self.file, self.dataset, self.batch, self.shape = file, dataset, batch, shape
        self.peak = find_peak_flops()
        self.seconds = self.tokens = self.supervised = self.flops = 0.0
        self.started = time.monotonic()

    def start(self) -> None:
        self.started = time.monotonic()

    def step(self, number: int) -> None:
        """Write the line of a step that has just ended."""
        seconds = time.monotonic() - self.started
        rows = list(self.dataset.step(number, self.batch))
        tokens = sum(len(row["ids"]) for row in rows)
        supervised = sum(weight != 0 for row in rows for weight in row["weights"])
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
        """The means since the start of this process, as text."""
        if not self.seconds:
            return ""
        rates = (self.tokens / self.seconds, self.supervised / self.seconds)
        mfu = f", MFU {self.flops / self.seconds / self.peak:.1%} (causal)" if self.peak else ""
        return f"{rates[0]:.0f} tokens/s, {rates[1]:.0f} supervised/s{mfu}"
