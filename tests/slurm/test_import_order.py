"""The rooms of slurm/ import one way, in the order that slurm/__init__.py gives."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import slurm

ORDER = re.findall(r"^    (\w+)/ ", slurm.__doc__ or "", re.MULTILINE)
MODULES = sorted(Path("slurm").rglob("*.py"))


def imported_modules(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_order_names_every_room():
    assert sorted(ORDER) == sorted(path.parent.name for path in Path("slurm").glob("*/__init__.py"))


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_imports_only_from_rooms_above_its_own(module):
    room = module.parent.name
    for name in imported_modules(module):
        package, _, rest = name.partition(".")
        assert package not in ("stages", "benchmark", "tests")
        if package == "slurm":
            assert ORDER.index(rest.split(".")[0]) <= ORDER.index(room)
            assert {room, rest.split(".")[0]} != {"sizing", "node"}
