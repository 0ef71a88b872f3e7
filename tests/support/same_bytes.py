"""Prove that an edit keeps every byte, and accept it in dvc.lock: `make same-bytes SINCE=COMMIT`.

An error message, or a path that only GPUs take, is code that training executes. It need not cost an
hour of training: this runs the code of COMMIT and the edited code side by side, on the tiny model
through all stages of the recipes that dvc.lock has, and on the real base through the first steps of
the chosen recipe. If a file of a costly stage differs, it is named, and dvc.lock stays as it is. A
cheap stage whose files differ is named, and has to run again.

reads   dvc.lock, params.yaml, data/base, data/RECIPE/packs.parquet (`dvc repro render`)
        COMMIT      the code whose hashes dvc.lock has
writes  dvc.lock    the hashes of the edited code and of files such as slurm/zero3.json, and new
                    keys of params.yaml
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import reduce
from itertools import islice
from pathlib import Path
from typing import Any

import yaml
from dvc.utils.serialize import modify_yaml

from agent_tuning.files import yaml_records
from agent_tuning.records import BadInput
from agent_tuning.runtime import cli, config
from agent_tuning.tokens import pack_file
from tests.support import smoke

HASHES = "data/code_hashes/"
STEPS = 3  # of training from the real base
LOCK = Path("dvc.lock")


def check_out(commit: str, folder: Path) -> None:
    """The files of a commit, without any data."""
    archive = folder.with_suffix(".tar")
    command = ["git", "archive", "--output", str(archive), "--end-of-options", commit]
    if subprocess.run(command, cwd=smoke.ROOT, check=False).returncode:
        raise BadInput(f"SINCE={commit}: no commit of this repository")
    subprocess.run(["tar", "-xf", archive, "-C", folder], check=True)
    (folder / LOCK).unlink()
    smoke.prepare(folder)


def read_stages(folder: Path) -> dict[str, Any]:
    stages: dict[str, Any] = yaml.safe_load((folder / LOCK).read_text())["stages"]
    return stages


def is_costly(stage: Mapping[str, Any]) -> bool:
    """True if a stage depends on a hash of code."""
    return any(one["path"].startswith(HASHES) for one in stage.get("deps", ()))


def list_files(folder: Path, stage: Mapping[str, Any]) -> Iterator[str]:
    """What a stage wrote, relative to `folder`."""
    for out in stage["outs"]:
        path = folder / out["path"]
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (str(file.relative_to(folder)) for file in files if file.is_file())


def read_result(path: Path) -> bytes:
    """A file's bytes; a model card without what it was made from."""
    return re.sub(
        rb"\n## Made from\n.*(?=\n## Training\n)", b"", path.read_bytes(), flags=re.DOTALL
    )


def find_differences(before: Path, after: Path) -> dict[str, list[str]]:
    """By stage: its files that are not the same in both folders, if there are any."""
    old, new = read_stages(before), read_stages(after)
    different = {}
    for name in sorted(old.keys() & new.keys() - {"code_hashes"}):
        ours, theirs = (set(list_files(folder, stages[name]))
                        for folder, stages in ((before, old), (after, new)))  # fmt: skip
        changed = [f for f in ours & theirs if read_result(before / f) != read_result(after / f)]
        different[name] = sorted({*changed, *(ours ^ theirs)})
    return {name: files for name, files in different.items() if files}


def train_first_steps(folder: Path, packs: Path, base: Path) -> bytes:
    """The weights after a few steps from the real base, in this folder's code."""
    model = folder / "first_steps"
    outputs = ("--log", "log.csv", "--metrics", "metrics.json", "--model", str(model))
    inputs = ("--packs", str(packs), "--base", str(base), "--zero3", "slurm/zero3.json")
    command = [sys.executable, "-m", "stages.train", *inputs, *outputs]
    command += ["--code", f"{HASHES}train.json"]
    subprocess.run(command, cwd=folder, check=True, env=smoke.environment(folder))
    return (model / "model.safetensors").read_bytes()


def accept(before: Path, after: Path, different: Collection[str]) -> list[str]:
    """Replace in dvc.lock what stages had in `before` by what they have in `after`.

    That are hashes of code, code, files of the repository, and new keys of params.yaml; not in the
    stages that are `different`. Returns what was replaced, sorted, as "stage: what". Raises
    BadInput if dvc.lock is of other code than `before`.
    """
    accepted: list[str] = []
    old, new = read_stages(before), read_stages(after)
    params = yaml.safe_load((smoke.ROOT / config.PARAMS).read_text())
    with modify_yaml(smoke.ROOT / LOCK) as lock:
        for name in sorted(lock["stages"].keys() & old.keys() & new.keys() - set(different)):
            stage = lock["stages"][name]
            found = list(_accept_new_keys(stage, params))
            for part in ("deps", "outs") if name == "code_hashes" else ("deps",):
                found += _accept_files(
                    *(one.get(part, ()) for one in (stage, old[name], new[name]))
                )
            accepted += (f"{name}: {one}" for one in found)
    return sorted(accepted)


def _accept_files(
    files: Sequence[dict[str, Any]],
    old: Sequence[Mapping[str, Any]],
    new: Sequence[Mapping[str, Any]],
) -> Iterator[str]:
    was, now = ({one["path"]: one for one in many} for many in (old, new))
    for file in files:
        path = file["path"]
        if path not in was or path not in now or was[path]["md5"] == now[path]["md5"]:
            continue
        if file["md5"] == was[path]["md5"]:
            file.update(now[path])
            yield path
        elif path.startswith(HASHES):
            raise BadInput(f"dvc.lock: {path} is not that of SINCE: name the commit that made it")


def _accept_new_keys(stage: Mapping[str, Any], params: Mapping[str, Any]) -> Iterator[str]:
    for section, values in stage.get("params", {}).get("params.yaml", {}).items():
        now = reduce(lambda part, key: part[key], section.split("."), params)
        for key in now.keys() - values.keys() if isinstance(values, dict) else ():
            values[key] = now[key]
            yield f"{section}.{key}"


def main(since: Path) -> None:
    commit = str(since)
    recipe = yaml_records.read(config.PARAMS, str, "recipe")
    packs, base = smoke.ROOT / f"data/{recipe}/packs.parquet", smoke.ROOT / "data/base"
    kept = read_stages(smoke.ROOT)
    recipes = [name for name in smoke.RECIPES if f"train@{name}" in kept]
    for path in (packs, base):
        if not path.exists():
            raise BadInput(f"{path.relative_to(smoke.ROOT)}: not there; run `dvc repro render`")
    with tempfile.TemporaryDirectory() as temporary:
        before, after = Path(temporary, "before"), Path(temporary, "after")
        first = Path(temporary, "packs.parquet")
        pack_file.write(first, islice(pack_file.read(packs), STEPS))
        before.mkdir()
        check_out(commit, before)
        smoke.copy_repository(after)
        for folder in (before, after):
            smoke.shrink(folder)
            for name in recipes:
                smoke.reproduce(folder, name)
        different = find_differences(before, after)
        costly = [file for name, stage in kept.items() if is_costly(stage)
                  for file in different.get(name, ())]  # fmt: skip
        weights = [train_first_steps(folder, first, base) for folder in (before, after)]
        if weights[0] != weights[1]:
            costly.append(f"the weights after {STEPS} steps from {base.name}")
        if costly:
            raise BadInput(f"not the same bytes as at {commit}: {', '.join(costly)}")
        accepted = accept(before, after, different)
    for name, files in different.items():
        print(f"{name} is not accepted, run it again: {', '.join(files)} differ")
    print("same bytes; accepted in dvc.lock:", *accepted or ["nothing"], sep="\n  ")


if __name__ == "__main__":
    cli.run(main)
