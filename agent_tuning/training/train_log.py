"""The log of a training run, as a table: one row an optimiser step.

Every run of the same inputs writes the same log. Speed differs, so it is in speed.jsonl.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from agent_tuning.files import csv_records, metrics_file
from agent_tuning.records import Record


class TrainStep(Record, frozen=True):
    step: int
    loss: float
    lr: float
    grad_norm: float


def write(steps: Sequence[TrainStep], log: Path, metrics: Path) -> None:
    """Write the steps as a table, and their summary."""
    csv_records.write(log, TrainStep, steps)
    metrics_file.write(metrics, summarize(steps))


def describe(results: Mapping[str, float | int]) -> str:
    first, last = results["first_loss"], results["last_loss"]
    return f"{results['steps']} steps, loss {first:.3f} -> {last:.3f}"


def collect_steps(history: Iterable[Mapping[str, float]]) -> list[TrainStep]:
    """The steps of a Trainer's `state.log_history`, with those before a resume."""
    return [
        TrainStep(int(entry["step"]), entry["loss"], entry["learning_rate"], entry["grad_norm"])
        for entry in history
        if "loss" in entry
    ]


def summarize(log: Sequence[TrainStep]) -> dict[str, float | int]:
    """Number of steps, loss of the first one, mean loss of the last tenth of them."""
    tail = log[-max(1, len(log) // 10) :]
    last = sum(step.loss for step in tail) / len(tail)
    return {"steps": len(log), "first_loss": log[0].loss, "last_loss": last}
