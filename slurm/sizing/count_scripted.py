"""How much of a recipe's data comes from the catalogue: it is made, rendered and counted.

    python -m slurm.sizing.count_scripted RECIPE FOLDER

runs the stages from `plan` to `diversify` in FOLDER with the recipe's own numbers, and renders
what they wrote in the tokens of `data/base`. metrics/RECIPE/scripted.json then has the exact
counts, from which `make estimate` goes on. Nothing is imported, so everyday questions are missing
among the hard negatives: other kinds take their places (`add_hard_negatives.tolerance` is lifted).
What is finished in FOLDER is not made again.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from agent_tuning.files import atomic_write, json_file, jsonl, metrics_file
from agent_tuning.records import BadInput, Group
from agent_tuning.runtime import cli
from slurm.sizing import sizes

ROOT = Path(__file__).parents[2]
STAGES = (
    *("plan", "synthesize", "verify", "import_data", "add_hard_negatives", "written"),
    *("diversify", "render"),
)
READ = ("base", "catalogue", "instructions.yaml", "phrasing.yaml", "protected.jsonl", "written")
WITHOUT_IMPORTS: dict[str, dict[str, Any]] = {
    "import_data": {"sources": []},
    "add_hard_negatives": {"tolerance": 1.0, "self_replies": False},
}


def prepare(
    folder: Path, recipe: str, changes: dict[str, dict[str, Any]], read: Sequence[str] = READ
) -> None:
    """Write params.yaml with changes of the recipe; link what the stages read and do not make."""
    params = yaml.safe_load((ROOT / sizes.PARAMS).read_text(encoding="utf-8"))
    if recipe not in params["recipes"]:
        available = ", ".join(params["recipes"])
        raise BadInput(f"params.yaml: recipes: {recipe}: available: {available}")
    params["recipe"] = recipe
    for section, values in changes.items():
        params["recipes"][recipe][section] |= values
    for name in read:
        source, link = ROOT / "data" / name, folder / "data" / name
        if not source.exists():
            raise BadInput(f"{source}: missing; run `dvc repro suites self_replies`")
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to(source.resolve())
    for name in ("data", "metrics"):
        (folder / name / recipe).mkdir(parents=True, exist_ok=True)
    atomic_write.write_text(folder / sizes.PARAMS, yaml.safe_dump(params, allow_unicode=True))


def list_commands(recipe: str) -> Iterator[tuple[str, list[str]]]:
    """The stages and the words of their commands, as dvc.yaml has them. Nothing is mixed in."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    for name in STAGES:
        command = stages[name]["cmd"].replace("${recipe}", recipe)
        yield name, command.replace("mixed.jsonl", "diverse.jsonl").split()[2:]


def run_stages(folder: Path, recipe: str) -> None:
    for name, words in list_commands(recipe):
        done = folder / f"{name}.done"
        if not done.exists():
            command = [sys.executable, "-m", *words]
            if subprocess.run(command, cwd=folder, check=False).returncode:
                raise BadInput(f"{folder}: the stage {name} failed")
            done.touch()


def main(recipe: Path, folder: Path) -> None:
    name = str(recipe)
    prepare(folder, name, WITHOUT_IMPORTS)
    run_stages(folder, name)
    rendered = json_file.read(folder / f"metrics/{name}/render.json", dict[str, int | float])
    groups = jsonl.read(folder / f"data/{name}/diverse.jsonl", Group)
    trajectories = sum(len(group.trajectories) for group in groups)
    target = Path(f"metrics/{name}/scripted.json")
    target.parent.mkdir(parents=True, exist_ok=True)
    metrics_file.write(target, {"trajectories": trajectories, **rendered})
    print(f"{target}: {trajectories} trajectories, {rendered['tokens']:.0f} tokens")


if __name__ == "__main__":
    cli.run(main)
