"""dvc.yaml, params.yaml, stages/ and the README name the same things, and imports point inwards."""

import ast
import re
from pathlib import Path

import pytest
import yaml

from agent_tuning.runtime.code_hash import hash_code

PIPELINE = yaml.safe_load(Path("dvc.yaml").read_text())["stages"]
STAGES = {name: stage.get("do", stage) for name, stage in PIPELINE.items()}
# Their __init__ files hold a docstring alone.
ROOT_PACKAGES = {f"{name}/__init__.py" for name in ("stages", "agent_tuning", "benchmark")}
LOCK = Path("requirements.lock")
PARAMS = yaml.safe_load(Path("params.yaml").read_text())
DEAR = ["fetch", "self_replies", "train", "predict", "rerun_variance", "episodes", "retention"]
MAY_IMPORT = {
    "agent_tuning": {"agent_tuning"},
    "benchmark": {"benchmark", "agent_tuning"},
    "stages": {"benchmark", "agent_tuning"},
}
# Those who make training data must not see what makes an answer right.
MAKES_TRAINING_DATA = [
    *("plan", "synthesize", "verify", "add_hard_negatives", "written", "import_data", "diversify"),
    *("self_replies", "mix", "render", "train"),
]
# Sections that are named for no stage: several stages and commands read them, or a part of one.
SHARED = {"held_out", "decontamination", "scoring", "chat_model", "catalogue", "validate"}
CHOICE = {"recipe", "recipes", "sizes"}
RECIPES = PARAMS["recipes"]
# Stages that are given a folder, and name the files in it themselves.
OUTPUT_FOLDERS = {"code_hashes": "data/code_hashes", "score": "metrics/${recipe}"}
# In rooms of code, but no code: no hash of code knows them.
DATA_BESIDE_CODE = ("benchmark/suites/", "agent_tuning/prompts/templates/")
# Sections of commands beside the pipeline.
BESIDE = {
    *("draft", "draft_episodes", "candidates", "template_search", "review", "rate", "judge"),
    *("compare", "desk", "gate", "report", "ablations"),
    *("models", "sizes", "estimate"),
    *("draft_specialist", "written_suite", "wordings", "conformance", "official_bfcl"),
}


def sections(name: str) -> list[str]:
    """The sections of params.yaml that a stage declares."""
    return [param for param in STAGES[name].get("params", []) if not param.startswith("recipes.")]


def deps(name: str) -> list[str]:
    return STAGES[name]["deps"]


def outputs(name: str, *kinds: str) -> list[str]:
    entries = [entry for kind in kinds for entry in STAGES[name].get(kind, [])]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def test_every_script_is_a_stage_and_back():
    scripts = {path.stem for path in Path("stages").glob("[!_]*.py")}
    assert scripts == set(STAGES)


def test_every_section_of_params_belongs_to_a_stage():
    assert set(PARAMS) - BESIDE - SHARED - CHOICE <= set(STAGES)


def test_every_section_of_params_is_read_by_a_stage_or_by_a_command_beside_them():
    read = {section for name in STAGES for section in sections(name)}
    assert set(PARAMS) - BESIDE - CHOICE == read


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_declares_exactly_the_sections_it_reads(name):
    source = Path(f"stages/{name}.py").read_text()
    read = set(re.findall(r'config\.load\("(\w+)"', source))
    assert set(sections(name)) == read


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_watches_what_the_recipe_changes_in_the_sections_it_reads(name):
    changeable = set(sections(name)) & RECIPES[PARAMS["recipe"]].keys()
    watched = {param for param in STAGES[name].get("params", []) if param.startswith("recipes.")}
    assert watched == {f"recipes.${{recipe}}.{section}" for section in changeable}


def test_every_recipe_lists_the_same_sections_and_changes_keys_that_exist():
    for recipe in RECIPES.values():
        assert recipe.keys() == RECIPES["general"].keys() <= PARAMS.keys()
        for section, changes in recipe.items():
            assert changes.keys() <= PARAMS[section].keys(), section


@pytest.mark.parametrize("name", PIPELINE)
def test_a_stage_of_a_recipe_is_named_for_it_and_writes_into_its_folders_alone(name):
    written = outputs(name, "outs", "metrics", "plots")
    if "${recipe}" in STAGES[name]["cmd"]:
        stage = PIPELINE[name]
        names = stage["matrix"]["recipe"] if "matrix" in stage else stage["foreach"]
        assert all("${recipe}" in one for one in names)
        assert all(path.split("/")[1] == "${recipe}" for path in written)
    else:
        assert not set(sections(name)) & RECIPES["general"].keys()
        assert not [path for path in written if set(path.split("/")) & RECIPES.keys()]


@pytest.mark.parametrize("name", STAGES)
def test_a_command_runs_its_own_script_and_names_its_paths(name):
    command = STAGES[name]["cmd"]
    assert command.startswith(f"python -m stages.{name} ")
    for path in outputs(name, "outs", "metrics", "plots"):
        folder = str(Path(path).parent)
        named = folder if folder == OUTPUT_FOLDERS.get(name) else path
        assert named in command.split(), f"{name} does not write {path}"


def test_the_code_of_every_dear_stage_is_hashed_and_of_no_other():
    stages = STAGES["code_hashes"]["cmd"].partition(" data/code_hashes ")[2].split()
    assert sorted(stages) == sorted(DEAR)
    assert outputs("code_hashes", "outs") == [f"data/code_hashes/{name}.json" for name in stages]


def test_every_suite_that_a_recipe_is_asked_is_in_a_folder_that_the_stage_watches():
    """Of derived suites and the validation suite, the stages that make them are watched."""
    _, *folders = STAGES["build_requests"]["cmd"].partition(" --metrics ")[2].split()
    assert folders == ["benchmark/suites", "data/suites", "data/${recipe}"]
    made = {path for name in STAGES for path in outputs(name, "outs")}
    for recipe in RECIPES.values():
        for suite in (PARAMS["build_requests"] | recipe["build_requests"])["groups"]:
            (place,) = (
                folder
                for folder in folders
                if f"{folder}/{suite}" in made or Path(folder, suite, "tasks.jsonl").exists()
            )
            assert {place, f"{place}/{suite}"} & set(deps("build_requests")), suite


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_says_what_it_does(name):
    assert STAGES[name]["desc"]


@pytest.mark.parametrize("name", sorted(set(STAGES) - set(DEAR)))
def test_a_cheap_stage_depends_on_every_file_of_ours_that_it_reaches(name):
    files = hash_code(Path(f"stages/{name}.py"), LOCK).files
    for file in files:
        if file not in ROOT_PACKAGES:
            assert any(file == dep or file.startswith(f"{dep}/") for dep in deps(name)), file


@pytest.mark.parametrize("name", DEAR)
def test_a_dear_stage_depends_on_a_code_hash_and_not_on_code(name):
    assert f"data/code_hashes/{name}.json" in deps(name)
    code = [dep for dep in deps(name) if not dep.startswith(DATA_BESIDE_CODE)]
    assert not [dep for dep in code if dep.split("/")[0] in MAY_IMPORT]


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_inwards(package):
    for path in Path(package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                root = node.module.split(".")[0]
                assert root not in MAY_IMPORT or root in MAY_IMPORT[package], f"{path}: {root}"


@pytest.mark.parametrize("name", MAKES_TRAINING_DATA)
def test_what_makes_training_data_never_imports_the_benchmark(name):
    files = hash_code(Path(f"stages/{name}.py"), LOCK).files
    assert not [file for file in files if file.startswith("benchmark")]


def test_no_module_is_named_for_being_shared():
    names = {path.stem for package in MAY_IMPORT for path in Path(package).rglob("*.py")}
    assert not names & {"utils", "util", "common", "helpers", "base", "core", "misc", "manager"}
