"""The cluster's pipeline beside the root's, and what a size changes."""

import functools
import importlib
import inspect
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import huggingface_hub
import msgspec
import pytest
import yaml

from agent_tuning.files import file_hashes
from agent_tuning.records import BadInput
from agent_tuning.runtime import cli
from agent_tuning.tokens.native_template import NativeTemplate
from slurm.launch import slurm_commands
from slurm.sizing import add_size, fetch_base, sizes
from tests.support import chat_families

ROOT_STAGES = {
    name: stage.get("do", stage)
    for name, stage in yaml.safe_load(Path("dvc.yaml").read_text())["stages"].items()
}
STAGES = yaml.safe_load(Path("slurm/dvc.yaml").read_text())["stages"]
PARAMS = yaml.safe_load(Path("params.yaml").read_text())
MODELS = PARAMS["models"]
# Sections of what a size does not do: validation while training needs a single process.
LEFT_OUT = {"train": {"validate"}}


def list_outputs(stages: dict[str, Any]) -> set[str]:
    kinds = ("outs", "metrics", "plots")
    entries = [out for stage in stages.values() for kind in kinds for out in stage.get(kind, [])]
    return {entry if isinstance(entry, str) else next(iter(entry)) for entry in entries}


@pytest.mark.parametrize("size", MODELS)
def test_no_output_of_a_size_lies_in_one_of_the_root(size):
    root_outputs = [
        Path(out.replace("${recipe}", recipe).replace("${item.row}", "tuned"))
        for out in list_outputs(ROOT_STAGES)
        for recipe in PARAMS["recipes"]
    ]
    for out in list_outputs(STAGES):
        path = Path(out.replace("${item.size}", size).replace("${item.model}", "tuned"))
        assert path != Path(out)
        assert not [other for other in root_outputs if path.is_relative_to(other)]
        assert not [other for other in root_outputs if other.is_relative_to(path)]


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_has_all_sizes_and_names_its_numbers(name):
    stage = STAGES[name]
    assert stage["matrix"]["size"] == "${sizes}"
    assert any(param.startswith("models.${item.size}") for param in stage["params"])
    assert stage["wdir"] == ".."


@pytest.mark.parametrize("name", sorted(set(STAGES) - {"fetch"}))
def test_a_stage_of_a_size_is_called_as_it_expects(name, monkeypatch):
    """The root's stages change, and with them what their scripts take."""
    _, _, _, _, stage, *words = shlex.split(STAGES[name]["cmd"])
    assert name.startswith(stage)
    main = importlib.import_module(f"stages.{stage}").main
    calls: list[inspect.BoundArguments] = []

    @functools.wraps(main)
    def record_call(*paths: Path, **options: Path) -> None:
        calls.append(inspect.signature(main).bind(*paths, **options))

    monkeypatch.setattr(sys, "argv", [stage, *(word for word in words if word != "--")])
    cli.run(record_call)
    assert len(calls) == 1


@pytest.mark.parametrize("name", sorted(set(STAGES) - {"fetch"}))
def test_a_stage_declares_the_sections_it_reads_and_a_job_reads_its_own_alone(name):
    _, _, module, _, stage, *_ = shlex.split(STAGES[name]["cmd"])
    read = set(re.findall(r'config\.load\("(\w+)"', Path(f"stages/{stage}.py").read_text()))
    read -= LEFT_OUT.get(stage, set())
    params = set(STAGES[name]["params"])
    declared = {param for param in params if not param.startswith(("models.", "recipes."))}
    assert declared == read
    changeable = declared & PARAMS["recipes"]["general"].keys()
    assert params >= {f"recipes.${{recipe}}.{section}" for section in changeable}
    if module == "slurm.launch.launcher":
        assert read == {stage}  # the run folder holds no other section


@pytest.mark.parametrize("name", STAGES)
def test_where_a_job_runs_is_no_dependency(name):
    assert not [dep for dep in STAGES[name].get("deps", []) if dep.endswith((".sbatch", ".env"))]


def test_every_fault_survived_is_proved_by_a_test_of_that_name():
    rows = re.findall(r"^\|.*\| (.*) \|$", Path("docs/cluster.md").read_text(), re.MULTILINE)
    names = [name for row in rows for name in re.findall(r"`([a-z]+_[a-z_]+)(?:\[\w+\])?`", row)]
    rooms = (Path("tests/slurm"), Path("tests/runtime"))
    tests = "".join(path.read_text() for room in rooms for path in room.glob("test_*.py"))
    assert len(names) > 20
    assert not [name for name in names if not re.search(rf"def test_\w*{name}", tests)]


def test_a_size_is_added_once_to_those_that_dvc_knows(tmp_path, monkeypatch, capsys):
    text = Path("params.yaml").read_text()
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(text)
    for name in ("tiny", "7b", "tiny"):
        add_size.main(Path(name))
    assert yaml.safe_load(Path("params.yaml").read_text())["sizes"] == [
        *PARAMS["sizes"],
        "tiny",
        "7b",
    ]
    changed = Path("params.yaml").read_text().splitlines()
    assert sum(a != b for a, b in zip(changed, text.splitlines(), strict=True)) == 1
    assert len(capsys.readouterr().out.splitlines()) == 2
    with pytest.raises(BadInput, match="SIZE='8b': expected one of tiny, 350m"):
        add_size.main(Path("8b"))


def test_an_unpinned_revision_is_one_clear_line(tmp_path):
    size = msgspec.structs.replace(sizes.load("7b"), revision=None)
    with pytest.raises(BadInput, match=r"params.yaml:\d+: models.7b.revision: expected the commit"):
        fetch_base.fetch_from_hub("7b", size, tmp_path)


def test_a_base_of_the_hub_can_be_served_after_training(tmp_path, monkeypatch):
    """As Qwen2.5 has it: the template inside another file, and another end than that of a turn."""

    def download(hub: str, revision: str, local_dir: Path, allow_patterns: list[str]) -> None:
        assert "*.jinja" in allow_patterns
        tokenizer = chat_families.save_tokenizer("qwen", local_dir)
        (local_dir / "chat_template.jinja").unlink()
        path = local_dir / "tokenizer_config.json"
        fields = json.loads(path.read_text()) | {"chat_template": tokenizer.chat_template}
        path.write_text(json.dumps(fields))
        (local_dir / "config.json").write_text('{"model_type": "qwen2", "eos_token_id": 0}')
        (local_dir / "README.md").write_text(f"---\nlicense: mit\n---\n# {hub} {revision}\n")

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # the function changes it
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    size = msgspec.structs.replace(sizes.load("7b"), revision="0" * 40)
    fetch_base.fetch_from_hub("7b", size, tmp_path)
    template = chat_families.FAMILIES["qwen"].template.read_text()
    assert (tmp_path / "chat_template.jinja").read_text().rstrip("\n") == template.rstrip("\n")
    end = NativeTemplate.read(tmp_path / "tokenizer.json").end
    for name in ("config.json", "generation_config.json"):
        assert json.loads((tmp_path / name).read_text())["eos_token_id"] == end


@pytest.mark.parametrize(
    ("head", "license_name"),
    [
        ("license: apache-2.0", "apache-2.0"),
        ("license: other\nlicense_name: qwen", "qwen"),
        ("language: en", "unknown"),
    ],
)
def test_the_license_of_a_base_is_what_its_card_states(tmp_path, head, license_name):
    (tmp_path / "README.md").write_text(f"---\n{head}\n---\n# A model\n")
    assert fetch_base.read_license(tmp_path) == license_name


def test_a_base_without_a_card_has_an_unknown_license(tmp_path):
    assert fetch_base.read_license(tmp_path) == "unknown"


def test_an_input_is_read_again_only_after_a_change(tmp_path):
    file, memory = tmp_path / "weights", tmp_path / "memory.json"
    file.write_text("one")
    first = file_hashes.hash_files([tmp_path / "weights"], memory)
    before = file.stat()
    file.write_text("two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))  # the same size, inode and time
    assert file_hashes.hash_files([file], memory) == first
    file.write_text("three")
    assert file_hashes.hash_files([file], memory) != first


@pytest.mark.parametrize("name", ["OUT_OF_MEMORY", "TIMEOUT", "NODE_FAIL", "CANCELLED"])
def test_an_end_is_told_by_its_name(name):
    line = f"JobId=7 JobState={name} Reason=None Restarts=2 ExitCode=0:9 NodeList=node[1-2]"
    state = slurm_commands.parse_state(line)
    assert (state.ended, state.name, state.nodes) == (True, name, "node[1-2]")
    assert (state.restarts, state.status) == (2, 137)


@pytest.mark.parametrize("size", MODELS)
def test_on_a_laptop_a_size_says_all_that_is_missing(size):
    environment = {**os.environ, "CLUSTER": "", "PATH": str(Path(sys.executable).parent)}
    command = [sys.executable, "-m", "slurm.launch.requirements", size]
    process = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert process.returncode == 1
    (line,) = process.stderr.splitlines()
    assert "CLUSTER=slurm" in line
    assert "no sbatch on PATH" in line
    unpinned = MODELS[size]["hub"] and not MODELS[size]["revision"]
    assert ("expected the commit of" in line) == bool(unpinned)
    recipe = MODELS[size]["recipe"]
    assert (f"make recipe NAME={recipe})" in line) == (PARAMS["recipe"] != recipe)
