"""Every ablation is trained once with each seed on its steps, and DVC gets what it changes."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.utils.hydra import apply_overrides

from agent_tuning.records import BadInput
from agent_tuning.runtime import config
from agent_tuning.synthesis.diversify import DiversifyConfig
from agent_tuning.synthesis.mixing import MixConfig
from agent_tuning.synthesis.planner import PlanConfig
from agent_tuning.synthesis.written_groups import WrittenConfig
from agent_tuning.tokens.render import RenderConfig
from agent_tuning.training.trainer import TrainConfig
from agent_tuning.training.validation import ValidationConfig
from benchmark.ablations.plan import (
    FULL,
    Ablation,
    AblationsConfig,
    Experiment,
    build_overrides,
    build_params,
    list_experiments,
)
from benchmark.tasks.requests import RequestsConfig

CONFIG = AblationsConfig(
    seeds=(1, 2),
    steps=None,
    runs=(
        Ablation("no_mix", "no mix", {"mix.ratio": 1000}),
        Ablation("half", "half the steps", steps_factor=0.5),
        Ablation("twice", "twice the steps", steps_factor=2.0),
    ),
)
SHIPPED = config.load("ablations", AblationsConfig)
ASKED = {"shop": None, "shop_drafted": 26}
KINDS: dict[str, Any] = {
    "build_requests": RequestsConfig,
    "diversify": DiversifyConfig,
    "mix": MixConfig,
    "plan": PlanConfig,
    "render": RenderConfig,
    "train": TrainConfig,
    "validate": ValidationConfig,
    "written": WrittenConfig,
}
PARAMS: dict[str, Any] = {
    "recipe": "small",
    "train": {"seed": 1, "steps": None, "rate": 0.5},
    "mix": {
        "ratio": 20,
        "shares": {"a": 1, "b": 2},
        "names": ["x"],
        "folder": "data",
        "native": True,
    },
    "fetch": {"model": "tiny"},
    "recipes": {"small": {"train": {}, "mix": {"shares": {"a": 3}}}},
}


def test_the_seeds_take_turns_and_the_recipe_itself_comes_first():
    names = [one.name for one in list_experiments(CONFIG, 101, {"shop": None})]
    first = ["ablation-full-1", "ablation-no_mix-1", "ablation-half-1", "ablation-twice-1"]
    assert names == [*first, *(name.replace("-1", "-2") for name in first)]


def test_all_have_the_budget_of_the_recipe_times_their_factor():
    steps = [one.steps for one in list_experiments(CONFIG, 101, {"shop": None})]
    assert steps[:4] == [101, 101, 50, 202]


def test_an_experiment_trains_on_its_seed_and_steps_and_asks_the_suites_of_the_table_alone():
    experiments = list(list_experiments(CONFIG, 101, {"shop": None, "shop_drafted": 26}))
    common = {
        "validate.every": 0,
        "build_requests.groups": {"shop": None, "shop_drafted": 26},
        "build_requests.instructions": {},
    }
    assert experiments[0].set == {"train.seed": 1, "train.steps": 101, **common}
    without = {"train.seed": 2, "train.steps": 101, **common, "mix.ratio": 1000}
    assert experiments[5].set == without


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("train.seed", 7),
        ("train.steps", None),
        ("train.rate", 0.25),
        ("mix.shares", {"b": 5}),
        ("mix.shares", {}),
        ("mix.names", ["y", "it's, [so] {called}: \\ or"]),
        ("mix.folder", ""),
        ("mix.folder", 'a "b", c=d'),
        ("mix.folder", "a\\'b\\\\"),
        ("mix.native", False),
        ("fetch.model", "135m"),
    ],
)
def test_dvc_writes_the_value_where_the_recipe_reads_it_and_changes_nothing_else(
    key: str, value: object, tmp_path: Path
) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(PARAMS))
    experiment = Experiment("x", 1, 10, {key: value})
    apply_overrides(str(path), list(build_overrides(experiment, PARAMS, "small")))
    section, name = key.split(".")
    expected = yaml.safe_load(yaml.safe_dump(PARAMS))
    recipe = expected["recipes"]["small"]
    recipe.get(section, expected[section])[name] = value
    assert yaml.safe_load(path.read_text()) == expected
    assert build_params(experiment, PARAMS, "small") == expected
    assert config.load(section, dict[str, object], path)[name] == value


@pytest.mark.parametrize("key", ["mix", "mix.", "mix.ratios", "mixing.ratio", "mix.shares.a"])
def test_what_params_yaml_does_not_have_is_one_line(key):
    with pytest.raises(BadInput, match=f"^params.yaml: ablations.runs: x: {key}: expected SECTION"):
        list(build_overrides(Experiment("x", 1, 10, {key: 1}), PARAMS, "small"))


def test_the_stages_read_what_the_shipped_ablations_change(tmp_path):
    params = yaml.safe_load(Path("params.yaml").read_text())
    path = tmp_path / "params.yaml"
    planned = list(list_experiments(SHIPPED, 558, ASKED))
    for experiment in planned[: len(SHIPPED.runs) + 1]:  # those of the first seed
        path.write_text(yaml.safe_dump(build_params(experiment, params, "specialist")))
        for section in {key.partition(".")[0] for key in experiment.set}:
            config.load(section, KINDS[section], path, "specialist")


def test_dvc_leaves_the_rest_of_params_yaml_as_it_is_read(tmp_path):
    params = yaml.safe_load(Path("params.yaml").read_text())
    path = Path(shutil.copy("params.yaml", tmp_path))
    weights = next(
        one for one in list_experiments(SHIPPED, 558, ASKED) if one.ablation == "equal_weights"
    )
    apply_overrides(str(path), list(build_overrides(weights, params, "specialist")))
    assert yaml.safe_load(path.read_text()) == build_params(weights, params, "specialist")


def test_every_shipped_ablation_but_those_of_steps_changes_a_number_of_its_own():
    assert [bool(run.set) for run in SHIPPED.runs] == [
        run.steps_factor == 1 for run in SHIPPED.runs
    ]


@pytest.mark.parametrize("repeated", ["no_mix", FULL])
def test_two_runs_of_one_name_are_refused(repeated):
    runs = (Ablation("no_mix", "a"), Ablation(repeated, "b"))
    with pytest.raises(ValueError, match=repeated):
        AblationsConfig(seeds=(1,), steps=None, runs=runs)


def test_a_seed_that_comes_twice_is_refused():
    with pytest.raises(ValueError, match="each seed once"):
        AblationsConfig(seeds=(1, 1), steps=None, runs=CONFIG.runs)
