"""Hash the code that dear stages run, without comments and docstrings.

reads   stages/, agent_tuning/, benchmark/, requirements.lock
writes  data/fingerprint/train.json, predict.json, rehearse.json

`train` and `predict` depend on these files and not on the code itself: an edit that changes what
they compute re-runs them, wherever it is; a comment never does. A file's own imports say what
belongs to it, and the lock says which releases of other packages.
"""

import ast
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from agent_tuning.records import BadInput
from agent_tuning.runtime import cli

OURS = ("stages", "agent_tuning", "benchmark")


def hash_closure(script: Path) -> tuple[dict[str, str], set[str]]:
    """Digests of every file of ours that a script reaches, and the packages they import."""
    digests: dict[str, str] = {}
    packages: set[str] = set()
    waiting = [script]
    while waiting:
        path = waiting.pop()
        if str(path) in digests:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for module in find_imports(tree):
            if module.split(".")[0] in OURS:
                waiting += find_module_files(module)
            else:
                packages.add(module.split(".")[0])
        digests[str(path)] = hashlib.sha256(ast.dump(strip_docstrings(tree)).encode()).hexdigest()
    return dict(sorted(digests.items())), packages


def find_imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def find_module_files(module: str) -> list[Path]:
    """The module's file, and the __init__ of the packages around it."""
    parts = module.split(".")
    around = [Path(*parts[:depth]) / "__init__.py" for depth in range(1, len(parts) + 1)]
    return [path for path in (*around, Path(*parts).with_suffix(".py")) if path.exists()]


def strip_docstrings(tree: ast.Module) -> ast.Module:
    """The same code without docstrings; comments are not in a tree anyway."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:] or [ast.Pass()]
    return tree


def find_pins(packages: set[str], lock: Path) -> dict[str, str]:
    """The locked releases of these packages."""
    text = lock.read_text(encoding="utf-8")
    locked = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text, re.MULTILINE)
    if not locked:
        raise BadInput(f"{lock}: no pinned packages")
    names = {name.lower().replace("-", "_"): (name, version) for name, version in locked}
    return dict(sorted(names[package] for package in packages if package in names))


def main(lock: Path, *targets: Path) -> None:
    for target in targets:
        digests, packages = hash_closure(Path("stages") / f"{target.stem}.py")
        target.parent.mkdir(parents=True, exist_ok=True)
        content = {"files": digests, "packages": find_pins(packages, lock)}
        target.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        print(f"{target}: {len(digests)} files, {len(content['packages'])} packages")


if __name__ == "__main__":
    cli.run(main)
