"""pyproject.toml says what is needed where, the lock agrees, and an install is complete."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PYPROJECT = tomllib.loads(Path("pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
EXTRAS = {
    name: [Requirement(line) for line in lines]
    for name, lines in PROJECT["optional-dependencies"].items()
}
NEEDED = [Requirement(line) for line in PROJECT["dependencies"]]
LOCK = dict(re.findall(r"^(\S+)==(\S+)$", Path("requirements.lock").read_text(), re.MULTILINE))
LOCKED = {canonicalize_name(name): version for name, version in LOCK.items()}
OURS = ("agent_tuning", "benchmark", "slurm", "stages")
NEED_AN_EXTRA = {
    "stages.train": "train",
    "stages.retention": "eval",
    "benchmark.reports.write_report": "report",
}
BUILT_THERE = "gpu"
PLAIN = {"extra": ""}


def names(requirements: list[Requirement]) -> set[str]:
    return {canonicalize_name(one.name) for one in requirements}


def imported() -> Iterator[tuple[str, Path]]:
    """Every package of others that our code imports, wherever in a file."""
    for path in (path for package in OURS for path in Path(package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from ((alias.name.split(".")[0], path) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module.split(".")[0], path


def installed_by(requirements: list[Requirement]) -> set[str]:
    """What pip would install for these, and for what they require."""
    found: set[str] = set()
    waiting = list(requirements)
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        if name in LOCKED and name not in found and (not one.marker or one.marker.evaluate(PLAIN)):
            found.add(name)
            waiting += map(Requirement, requires(name) or [])
    return found


def absent_without(extras: list[str]) -> list[str]:
    """The modules that only extras install, of which none but these are asked for."""
    there = installed_by([*NEEDED, *(one for extra in extras for one in EXTRAS[extra])])
    absent = set().union(*map(names, EXTRAS.values())) - there
    owners = packages_distributions().items()
    return sorted(top for top, dists in owners if absent & set(map(canonicalize_name, dists)))


def imports_without(needed: list[str], absent: list[str]) -> str:
    """What goes wrong where `needed` are imported and those modules are not installed."""
    lines = [
        "import sys",
        f"sys.modules.update(dict.fromkeys({absent}))",
        *(f"import {name}" for name in needed),
    ]
    run = [sys.executable, "-c", "\n".join(lines)]
    return subprocess.run(run, capture_output=True, text=True, check=False).stderr


@pytest.mark.parametrize("extra", ["", *sorted(EXTRAS.keys() - {BUILT_THERE})])
def test_the_lock_satisfies_every_range(extra):
    for one in EXTRAS[extra] if extra else NEEDED:
        version = LOCKED.get(canonicalize_name(one.name))
        assert version is not None, f"{one.name} is not in requirements.lock"
        assert one.specifier.contains(version), f"{one} and {version} in requirements.lock"


def test_every_package_that_we_import_is_declared():
    """In pyproject.toml, or in the lock of a package with an environment of its own."""
    ours = names(NEEDED).union(*map(names, EXTRAS.values()))
    owners = packages_distributions()
    for module, path in imported():
        lock = path.parent / "requirements.lock"
        own = re.findall(r"^(\S+)==", lock.read_text(), re.MULTILINE) if lock.exists() else []
        declared = ours | set(map(canonicalize_name, own))
        if module not in OURS and module not in sys.stdlib_module_names:
            owner = {canonicalize_name(name) for name in owners.get(module, [module])}
            assert owner & declared, f"{path} imports {module}"


@pytest.mark.slow
def test_a_stage_needs_no_extra_but_those_that_name_one():
    stages = {f"stages.{path.stem}" for path in Path("stages").glob("[!_]*.py")}
    assert not imports_without(sorted(stages - NEED_AN_EXTRA.keys()), absent_without([]))


@pytest.mark.slow
@pytest.mark.parametrize(("module", "extra"), NEED_AN_EXTRA.items())
def test_what_needs_an_extra_needs_that_one_alone(module, extra):
    assert not imports_without([module], absent_without([extra]))


def test_every_file_of_a_package_is_installed():
    data = PYPROJECT["tool"]["setuptools"]["package-data"]
    installed = {
        path for package, globs in data.items() for one in globs for path in Path(package).glob(one)
    }
    tracked = subprocess.run(
        ["git", "ls-files", *OURS], capture_output=True, text=True, check=True
    ).stdout
    files = {Path(line) for line in tracked.splitlines() if not line.endswith(".py")}
    assert not {path for path in files - installed if path.exists()}
