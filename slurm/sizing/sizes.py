"""Sizes of models and what each needs: the section `models` of params.yaml.

A size is a base model, the GPUs that train it, and overrides of those of a stage.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import yaml

from agent_tuning.files import atomic_write, yaml_records
from agent_tuning.records import BadInput, Record
from agent_tuning.runtime import config
from agent_tuning.runtime.ranges import AtLeastOne

PARAMS = Path("params.yaml")
NO_SECTIONS = ("recipe", "recipes", "sizes")
Section = dict[str, Any]


class Allocation(Record, frozen=True):
    """What a job requests: nodes, and the GPUs and processes (ranks) of each node."""

    nodes: int
    gpus: int
    ranks: int

    @property
    def world_size(self) -> int:
        return self.nodes * self.ranks


class Size(Record, frozen=True):
    """One entry of `models`.

    `hub` and `revision` name the base model. Without `hub`, it is the tiny model of random weights.
    `overrides` replace parameters of a stage: {stage: {key: value}}. A size trains on the data of
    `recipe`.
    """

    hub: str | None
    revision: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{40}$")] | None
    nodes: AtLeastOne
    gpus: AtLeastOne  # of one node
    inference_gpus: AtLeastOne  # GPUs of one node
    overrides: dict[str, Section]
    recipe: str

    @property
    def training_ranks(self) -> int:
        return self.allocation("train").world_size

    def allocation(self, stage: str) -> Allocation:
        """One rank on every GPU to train; to answer, one process whatever GPUs it uses."""
        if stage == "predict":
            return Allocation(1, self.inference_gpus, 1)
        return Allocation(self.nodes, self.gpus, self.gpus)


def find_python(size: Size, stage: str) -> str:
    """The interpreter of a job: the one of this command, or of the cluster's settings.

    vLLM needs other versions of torch and transformers than the lock has, so it has its own.
    """
    if uses_vllm(size, stage):
        return os.environ.get("VLLM_PYTHON") or sys.executable
    return os.environ.get("LAUNCH_PYTHON") or sys.executable


def uses_vllm(size: Size, stage: str = "predict") -> bool:
    return stage == "predict" and read_section(size, stage).get("engine") == "vllm"


def load(name: str) -> Size:
    sizes = config.load("models", dict[str, Size])
    if name not in sizes:
        raise BadInput(f"SIZE={name!r}: expected one of {', '.join(sizes)}")
    return sizes[name]


def is_recipe_chosen(size: Size) -> bool:
    """Does params.yaml choose the recipe that the size trains? A file without recipes is one."""
    chosen: object = yaml_records.read(PARAMS, dict[str, Any]).get("recipe", size.recipe)
    return chosen == size.recipe


def describe_missing_revision(name: str, size: Size) -> str:
    line = yaml_records.find_line(PARAMS, ["models", name, "revision"])
    return (
        f"{PARAMS}:{line}: models.{name}.revision: expected the commit of {size.hub} to start from,"
        f" 40 hex digits; `hf models info {size.hub}` shows it as sha where the hub is reachable"
    )


def read_section(size: Size, stage: str) -> Section:
    """The stage's section of params.yaml with the size's overrides.

    Raises BadInput if the size overrides a key that the stage does not have.
    """
    return _override(size, stage, _read_recipe_sections(size.recipe).get(stage, {}))


def read_sections(size: Size) -> dict[str, Section]:
    """All sections of params.yaml with the size's overrides; raises what `read_section` does."""
    sections = _read_recipe_sections(size.recipe)
    return {name: _override(size, name, section) for name, section in sections.items()}


def write_sections(sections: Mapping[str, Section], target: Path) -> None:
    """Write a params.yaml that holds these sections and nothing else."""
    atomic_write.write_text(target, yaml.safe_dump(dict(sections), allow_unicode=True))


def _read_recipe_sections(recipe: str) -> dict[str, Section]:
    """All sections, with what the recipe changes in them."""
    top = yaml_records.read(PARAMS, dict[str, Any])
    changes = top.get("recipes", {}).get(recipe, {})
    return {
        name: section | changes.get(name, {})
        for name, section in top.items()
        if name not in NO_SECTIONS
    }


def _override(size: Size, name: str, section: Section) -> Section:
    overrides = size.overrides.get(name, {})
    for key in overrides:
        if key not in section:
            line = yaml_records.find_line(PARAMS, ["models"])
            raise BadInput(
                f"{PARAMS}:{line}: models: overrides.{name}.{key}: the stage {name} has no such key"
            )
    return section | overrides
