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
    *("plan", "synthesize", "verify", "add_hard_negatives", "written", "diversify"),
    *("self_replies", "mix", "render", "train"),
]
# Sections that several stages and commands read.
SHARED = {"held_out", "decontamination", "scoring", "chat_model"}
# Stages that are given a folder, and name the files in it themselves.
OUTPUT_FOLDERS = {"code_hashes": "data/code_hashes", "score": "metrics"}
# Sections of commands beside the pipeline.
BESIDE = {
    *("draft", "draft_episodes", "candidates", "template_search", "review", "rate", "judge"),
    *("compare", "gate"),
    *("models", "estimate"),
}


def deps(name: str) -> list[str]:
    return STAGES[name]["deps"]


def outputs(name: str, *kinds: str) -> list[str]:
    entries = [entry for kind in kinds for entry in STAGES[name].get(kind, [])]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def test_every_script_is_a_stage_and_back():
    scripts = {path.stem for path in Path("stages").glob("[!_]*.py")}
    assert scripts == set(STAGES)


def test_every_section_of_params_belongs_to_a_stage():
    assert set(PARAMS) - BESIDE - SHARED <= set(STAGES)


def test_every_section_of_params_is_read_by_a_stage_or_by_a_command_beside_them():
    read = {section for stage in STAGES.values() for section in stage.get("params", [])}
    assert set(PARAMS) - BESIDE == read


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_declares_exactly_the_sections_it_reads(name):
    source = Path(f"stages/{name}.py").read_text()
    read = set(re.findall(r'config\.load\("(\w+)"', source))
    assert set(STAGES[name].get("params", [])) == read


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


def test_every_suite_that_is_asked_has_metrics():
    suites = [
        Path(word).name for word in STAGES["build_requests"]["cmd"].split() if "suites" in word
    ]
    assert set(suites) == PARAMS["build_requests"]["groups"].keys()
    assert outputs("score", "metrics") == [f"metrics/{suite}.json" for suite in suites]


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
    code = [dep for dep in deps(name) if not dep.startswith("benchmark/suites/")]
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
