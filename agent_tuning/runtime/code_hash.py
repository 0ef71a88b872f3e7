"""Hashes of the code that a script executes, without comments and docstrings.

An expensive stage depends on such a hash and not on its code: an edit that changes what the stage
computes re-runs it, wherever the edit is, and an edit of a comment never does.
"""

import ast
import hashlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent_tuning.records import BadInput, Record

PACKAGES = ("stages", "agent_tuning", "benchmark")


class CodeHash(Record, frozen=True):
    """What a script executes: a hash of each file of ours, and the release of each package."""

    files: dict[str, str]  # path -> sha256 of its syntax tree
    packages: dict[str, str]  # name -> version in the lock


def hash_code(script: Path, lock: Path) -> CodeHash:
    """The files and packages that a script reaches through imports, also those inside functions.

    Raises BadInput if the lock pins nothing.
    """
    files: dict[str, str] = {}
    packages: set[str] = set()
    waiting = [script]
    while waiting:
        path = waiting.pop()
        if str(path) in files:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for module in _find_imports(tree):
            package = module.split(".")[0]
            if package in PACKAGES:
                waiting += _find_module_files(module)
            else:
                packages.add(package)
        files[str(path)] = hashlib.sha256(_dump(_strip_docstrings(tree)).encode()).hexdigest()
    return CodeHash(dict(sorted(files.items())), _find_pins(packages, lock))


def _dump(tree: ast.Module) -> str:
    """The tree as Python 3.11 writes it, whatever Python this is: the same code has one hash."""
    shown: dict[str, Any] = {"show_empty": True} if sys.version_info >= (3, 13) else {}
    return ast.dump(tree, **shown).replace(", type_params=[]", "")  # of 3.12


def _find_imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _find_module_files(module: str) -> list[Path]:
    """The module's file, and the __init__ of every package around it."""
    parts = module.split(".")
    packages = [Path(*parts[:depth]) / "__init__.py" for depth in range(1, len(parts) + 1)]
    return [path for path in (*packages, Path(*parts).with_suffix(".py")) if path.exists()]


def _strip_docstrings(tree: ast.Module) -> ast.Module:
    """The same code without docstrings. Comments are not in a syntax tree anyway."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:] or [ast.Pass()]
    return tree


def read_pins(lock: Path) -> dict[str, str]:
    """The pinned version of every package in a lock, by name."""
    text = lock.read_text(encoding="utf-8")
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text, re.MULTILINE))


def _find_pins(packages: set[str], lock: Path) -> dict[str, str]:
    pins = read_pins(lock)
    if not pins:
        raise BadInput(f"{lock}: expected lines such as name==version")
    by_module = {name.lower().replace("-", "_"): (name, pins[name]) for name in pins}
    return dict(sorted(by_module[package] for package in packages if package in by_module))
