"""The log of a training run, as a table: one row an optimiser step.

It holds what is the same on every run of the same inputs. Speed is not: it goes to the screen.
"""

from trajectory.records import Record


class TrainStep(Record, frozen=True):
    step: int
    loss: float
    lr: float
    grad_norm: float
