"""The log of a training run, as a table: one row an optimiser step.

It holds what is the same on every run of the same inputs. Speed is not: it goes to speed.jsonl.
"""

from collections.abc import Iterable, Mapping, Sequence

from agent_tuning.records import Record


class TrainStep(Record, frozen=True):
    step: int
    loss: float
    lr: float
    grad_norm: float


def collect_steps(history: Iterable[Mapping[str, float]]) -> list[TrainStep]:
    """The steps in a Trainer's history, those before a resume among them."""
    return [
        TrainStep(int(e["step"]), e["loss"], e["learning_rate"], e["grad_norm"])
        for e in history
        if "loss" in e
    ]


def summarize(log: Sequence[TrainStep]) -> dict[str, float | int]:
    """Number of steps, first loss, and the mean of the last tenth."""
    tail = log[-max(1, len(log) // 10) :]
    last = sum(step.loss for step in tail) / len(tail)
    return {"steps": len(log), "first_loss": log[0].loss, "last_loss": last}
