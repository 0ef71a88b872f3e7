"""What `make ablations` trains: the recipe and every ablation, once with each seed.

An experiment is one training with the answers to the recipe's suites. All seeds of a recipe share
its data: a seed is that of the training, which orders the packs.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from functools import reduce
from operator import getitem
from typing import Annotated, Any

from msgspec import Meta

from agent_tuning.records import BadInput, Record
from agent_tuning.runtime.ranges import AboveZero, AtLeastOne, NonEmpty, Seed

FULL = "full"  # the recipe as it is, which all others are compared with

Name = Annotated[str, Meta(pattern="^[a-z0-9_]+$")]


class Ablation(Record, frozen=True):
    """`set` replaces whole keys of sections, each named `section.key`."""

    name: Name
    title: str
    set: dict[str, object] = {}
    steps_factor: AboveZero = 1.0


class AblationsConfig(Record, frozen=True):
    """The section `ablations` of params.yaml, where each key is explained."""

    seeds: NonEmpty[Seed]
    steps: AtLeastOne | None
    runs: NonEmpty[Ablation]

    def __post_init__(self) -> None:
        names = [FULL, *(run.name for run in self.runs)]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"runs: expected other names, each once, than {FULL}: {', '.join(repeated)}"
            )
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds: expected each seed once")


class Experiment(Record, frozen=True):
    """One training of `steps` optimizer steps; `set` is what it changes in params.yaml."""

    ablation: str
    seed: int
    steps: int
    set: dict[str, object]

    @property
    def name(self) -> str:
        """The name of the experiment in `dvc exp show`."""
        return f"ablation-{self.ablation}-{self.seed}"


def list_recipes(config: AblationsConfig) -> list[Ablation]:
    """The recipe as it is, then its ablations."""
    return [Ablation(FULL, "the recipe"), *config.runs]


def list_experiments(
    config: AblationsConfig, steps: int, asked: Mapping[str, int | None]
) -> Iterator[Experiment]:
    """All of them, seed by seed: after the first seed, every ablation has run once.

    `steps` are those of the recipe. `asked` says how many groups of each suite are asked.
    """
    for seed in config.seeds:
        for run in list_recipes(config):
            budget = max(1, round(steps * run.steps_factor))
            common: dict[str, object] = {
                "train.seed": seed,
                "train.steps": budget,
                "validate.every": 0,
                "build_requests.groups": dict(asked),
                "build_requests.instructions": {},
            }
            yield Experiment(run.name, seed, budget, common | run.set)


def build_overrides(
    experiment: Experiment, params: Mapping[str, Any], recipe: str
) -> Iterator[str]:
    """What `dvc exp run --set-param` gets. A mapping replaces the mapping that was there.

    Raises BadInput if params.yaml has no such section or key.
    """
    for key, value in experiment.set.items():
        *place, name = find_place(experiment, key, params, recipe)
        section = reduce(getitem, place, params)
        if isinstance(section.get(name), dict):
            yield f"~{'.'.join(place)}.{name}"  # DVC would merge the two
        yield f"++{'.'.join(place)}.{name}={format_value(value)}"


def build_params(experiment: Experiment, params: Mapping[str, Any], recipe: str) -> dict[str, Any]:
    """The params.yaml that those overrides make."""
    changed = deepcopy(dict(params))
    for key, value in experiment.set.items():
        *place, name = find_place(experiment, key, params, recipe)
        reduce(getitem, place, changed)[name] = value
    return changed


def find_place(
    experiment: Experiment, key: str, params: Mapping[str, Any], recipe: str
) -> tuple[str, ...]:
    """The keys under which the recipe reads `section.key`. Raises BadInput if there is none."""
    section, _, name = key.partition(".")
    if not isinstance(params.get(section), dict) or name not in params[section]:
        raise BadInput(
            f"params.yaml: ablations.runs: {experiment.ablation}: {key}: expected "
            "SECTION.KEY of params.yaml, with the whole value of the key"
        )
    if section in params["recipes"][recipe]:
        return ("recipes", recipe, section, name)
    return (section, name)


def format_value(value: object) -> str:
    """A value in the grammar of Hydra's overrides, which DVC reads."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{format_value(part)}' for key, part in value.items())}}}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{','.join(map(format_value, value))}]"
    if isinstance(value, str):
        # A backslash is one but before a quote.
        doubled = re.sub(r"(\\+)(?='|\Z)", r"\1\1", value)
        return "'" + doubled.replace("'", "\\'") + "'"
    return repr(value)
