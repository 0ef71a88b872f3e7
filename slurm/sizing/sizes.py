"""Sizes of models and what each needs: the section `models` of params.yaml.

A size is a base model, the GPUs that train it, and numbers that stand in place of a stage's own.
"""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import yaml

from agent_tuning.files import yaml_records
from agent_tuning.records import BadInput, Record
from agent_tuning.runtime import config

PARAMS = Path("params.yaml")
Section = dict[str, Any]
Positive = Annotated[int, msgspec.Meta(ge=1)]


class Allocation(Record, frozen=True):
    """What a job asks for: GPUs and processes are those of one node."""

    nodes: int
    gpus: int
    ranks: int

    @property
    def world(self) -> int:
        return self.nodes * self.ranks


class Size(Record, frozen=True):
    """`hub` and `revision` name the base model; without `hub` it is the one of random weights."""

    hub: str | None
    revision: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{40}$")] | None
    nodes: Positive
    gpus: Positive  # of one node
    answering: Positive  # GPUs of one node
    numbers: dict[str, Section]

    @property
    def world(self) -> int:
        """Processes that train."""
        return self.place("train").world

    def place(self, stage: str) -> Allocation:
        """A rank on every GPU for training; one process that answers, whatever GPUs it uses."""
        if stage == "predict":
            return Allocation(1, self.answering, 1)
        return Allocation(self.nodes, self.gpus, self.gpus)


def load(name: str) -> Size:
    sizes = config.load("models", dict[str, Size])
    if name not in sizes:
        raise BadInput(f"SIZE={name!r}: expected one of {', '.join(sizes)}")
    return sizes[name]


def read_section(size: Size, stage: str) -> Section:
    """The numbers of a stage for this size; one that the stage does not know is an error."""
    whole: Section = yaml_records.read(PARAMS, dict[str, Any]).get(stage, {})
    changed = size.numbers.get(stage, {})
    for key in changed:
        if key not in whole:
            line = yaml_records.find_line(PARAMS, ["models"])
            raise BadInput(f"{PARAMS}:{line}: models: {stage}.{key}: no such number of {stage}")
    return whole | changed


def write_section(stage: str, section: Section, target: Path) -> None:
    """A params.yaml that holds this stage's numbers and nothing else."""
    target.write_text(yaml.safe_dump({stage: section}, allow_unicode=True))
