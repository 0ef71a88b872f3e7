"""Rooms import one way, in the order that the docstring of their package gives."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGES = ("agent_tuning", "benchmark", "slurm")
# What a package may import besides itself.
OUTSIDE = {"agent_tuning": set(), "benchmark": {"agent_tuning"}, "slurm": {"agent_tuning"}}
OURS = {*PACKAGES, "stages", "tests"}
ORDER = {
    package: re.findall(
        r"^    (\w+)/ ", importlib.import_module(package).__doc__ or "", re.MULTILINE
    )
    for package in PACKAGES
}
MODULES = [
    module
    for package in PACKAGES
    for module in sorted(Path(package).rglob("*.py"))
    if module.parts[1] != "__init__.py"
]


def imported_modules(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(module: str) -> str:
    """The room of `agent_tuning.files.jsonl` is files, that of `agent_tuning.records` records."""
    return module.split(".")[1]


@pytest.mark.parametrize("package", PACKAGES)
def test_the_docstring_names_every_room(package):
    folders = {path.parent.name for path in Path(package).glob("*/__init__.py")}
    modules = {path.stem for path in Path(package).glob("*.py")} - {"__init__"}
    assert set(ORDER[package]) == folders | modules


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_imports_only_from_its_own_room_and_rooms_above(module):
    package, room = module.parts[0], module.parts[1].removesuffix(".py")
    for name in imported_modules(module):
        root = name.split(".")[0]
        if root == package:
            order = ORDER[package]
            assert order.index(room_of(name)) <= order.index(room), name
        assert root not in OURS or root == package or root in OUTSIDE[package], name


@pytest.mark.parametrize("module", sorted(Path("slurm").glob("*/*.py")), ids=str)
def test_a_node_and_the_sizes_know_nothing_of_each_other(module):
    other = {"node": "slurm.sizing", "sizing": "slurm.node"}.get(module.parts[1])
    assert not [name for name in imported_modules(module) if other and name.startswith(other)]


@pytest.mark.parametrize("stage", sorted(Path("stages").glob("*.py")), ids=str)
def test_a_stage_is_thin(stage):
    """It loads its config, reads, calls the library and writes."""
    assert len(stage.read_text().splitlines()) <= 60
