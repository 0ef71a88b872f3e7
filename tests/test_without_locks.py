"""A clone on a file system without locks: what make says, and what makes DVC work there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support import general_params

SOURCE = Path(__file__).parent / "support/no_locks.c"
PIPELINE = {"stages": {"make": {"cmd": "echo made > out", "outs": ["out"]}}}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("cc"):
        pytest.skip("NO COMPILER for a file system without locks: apt-get install gcc libc6-dev")
    made = tmp_path_factory.mktemp("library") / "no_locks.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", made, SOURCE, "-ldl"], check=True)
    return made


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A small project with our Makefile and launcher."""
    folder = tmp_path / "clone"
    folder.mkdir()
    for name in ("Makefile", "params.yaml", "requirements.lock"):
        shutil.copy(general_params.ROOT / name, folder)
    shutil.copytree(general_params.ROOT / "slurm", folder / "slurm")
    (folder / "dvc.yaml").write_text(yaml.safe_dump(PIPELINE))
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run(["dvc", "init", "-q"], cwd=folder, check=True, env=environment())
    return folder


def environment(**given: str) -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    inherited = {k: v for k, v in os.environ.items() if k != "DVC_SITE_CACHE_DIR"}
    return inherited | {"PATH": path} | given


def run(
    clone: Path, library: Path, *command: str, **given: str
) -> subprocess.CompletedProcess[str]:
    without_locks = {"LD_PRELOAD": str(library), "NO_LOCKS_BELOW": f"{clone}/"}
    return subprocess.run(
        command,
        cwd=clone,
        env=environment(**without_locks, **given),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("words", [("repro",), ("train", "SIZE=tiny"), ("preflight", "SIZE=tiny")])
def test_make_says_in_one_line_that_the_file_system_has_no_locks(clone, library, words):
    done = run(clone, library, "make", "--old-file=.venv/ready", *words)
    assert done.returncode == 2, done.stdout
    line, *by_make = done.stderr.splitlines()
    assert line == (
        f"error: {clone}/.dvc/tmp/site: this file system has no locks; docs/cluster.md says what"
        " to set"
    )
    assert all(other.startswith("make: ***") for other in by_make)


def test_with_what_the_page_says_dvc_works_on_such_a_file_system(clone, library, tmp_path):
    assert run(clone, library, "dvc", "repro").returncode != 0  # the site's folder is in the clone
    page = (general_params.ROOT / "docs/cluster.md").read_text()
    settings = ("dvc config --local core.hardlink_lock true", "rm -f .dvc/tmp/lock")
    assert "\n".join(f"    {setting}" for setting in settings) in page
    assert "    export DVC_SITE_CACHE_DIR=" in page
    given = {"DVC_SITE_CACHE_DIR": str(tmp_path / "site")}
    for setting in settings:
        assert run(clone, library, *setting.split(), **given).returncode == 0
    done = run(clone, library, "dvc", "repro", **given)
    assert done.returncode == 0, done.stderr
    assert (clone / "out").read_text() == "made\n"
