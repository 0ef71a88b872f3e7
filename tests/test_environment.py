"""A fresh machine: a Python that fits is found; what is missing is said before .venv is made."""

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = ("bash", "sed", "cat", "dirname", "df", "tail")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A checkout on a machine with a few tools and no Python: programs are in `bin`."""
    shutil.copytree(ROOT / "environment", tmp_path / "environment")
    (tmp_path / "bin").mkdir()
    for name in TOOLS:
        tool = shutil.which(name)
        assert tool
        (tmp_path / "bin" / name).symlink_to(tool)
    return tmp_path


def add_python(machine: Path, name: str, version: str, *, venv: bool = True) -> None:
    """A program that answers as such a Python would."""
    path = machine / "bin" / name
    path.write_text(
        "#!/bin/sh\n"
        f'case "$2" in *version_info*) echo {version};; *ensurepip*) exit {int(not venv)};; esac\n'
    )
    path.chmod(0o755)


def run(machine: Path, *command: str, python: str = "") -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(machine / "bin"), "PYTHON": python}
    return subprocess.run(
        command, cwd=machine, env=environment, capture_output=True, text=True, check=False
    )


def find(machine: Path, *versions: str, python: str = "") -> str:
    """What find_python prints: the Python, or the one line that says what is missing."""
    done = run(machine, "environment/find_python", *versions, python=python)
    (line,) = (done.stdout + done.stderr).splitlines()
    assert (done.returncode == 0) == (not line.startswith("error: "))
    return line


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_any_python_that_fits_is_found_under_its_own_name_or_as_python3(
    machine: Path, version: str
) -> None:
    add_python(machine, "python3", version)
    add_python(machine, "python3.9", "3.9")
    assert find(machine, "3.11", "3.12", "3.13") == "python3"
    add_python(machine, f"python{version}", version)
    assert find(machine, "3.11", "3.12", "3.13") == f"python{version}"


def test_a_name_that_starts_nothing_is_passed_over(machine: Path) -> None:
    """As the shims of pyenv are."""
    broken = machine / "bin/python3.11"
    broken.write_text("#!/bin/sh\necho 'not in this shell' >&2; exit 127\n")
    broken.chmod(0o755)
    add_python(machine, "python3.12", "3.12")
    assert find(machine, "3.11", "3.12") == "python3.12"


@pytest.mark.parametrize(
    ("python", "line"),
    [
        ("", "error: expected Python 3.11, 3.12 or 3.13; on Debian or Ubuntu: apt-get install"),
        ("python3.9", "error: PYTHON=python3.9: expected Python 3.11, 3.12 or 3.13"),
        ("no; such", r"error: PYTHON=no\;\ such: expected Python 3.11, 3.12 or 3.13"),
        ("python3.12", "error: python3.12 has no venv; on Debian or Ubuntu: apt-get install pyth"),
    ],
    ids=["none", "too old", "no program", "no venv"],
)
def test_what_is_missing_is_one_line(machine: Path, python: str, line: str) -> None:
    add_python(machine, "python3.9", "3.9")
    if "venv" in line:
        add_python(machine, "python3.12", "3.12", venv=False)
    assert find(machine, "3.11", "3.12", "3.13", python=python).startswith(line)


def test_nothing_is_made_on_a_machine_without_git_or_outside_of_a_repository(
    machine: Path,
) -> None:
    add_python(machine, "python3.13", "3.13")
    before = sorted(machine.iterdir())
    for tool, line in (("", "no git here"), ("git", "is no git repository")):
        if tool:
            (machine / "bin" / tool).symlink_to(machine / "bin/bash")
        done = run(machine, "environment/create")
        assert done.returncode == 1
        assert line in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert sorted(machine.iterdir()) == before


def test_every_dvc_has_one_private_folder_from_anywhere_in_the_repository(machine: Path) -> None:
    """DVC would make it open to every user, or a second one in the folder where it is called."""
    subprocess.run(["git", "init", "-q"], cwd=machine, check=True)
    (machine / ".dvc").mkdir()
    shutil.copy(ROOT / ".dvc/config", machine / ".dvc")
    for name in ("git", "install", "mkdir", "ln", "touch", "true", "dvc"):
        found = shutil.which(name) or Path(sys.executable).with_name(name)  # dvc may be in no PATH
        (machine / "bin" / name).symlink_to(found)
    python = machine / "bin/python3.13"
    add_python(machine, python.name, "3.13")
    with python.open("a") as script:  # an environment whose pip has nothing left to install
        script.write("mkdir -p .venv/bin; ln -sf $PWD/bin/true .venv/bin/pip\n")
        script.write("ln -sf $PWD/bin/dvc .venv/bin\n")
    command = "umask 0; environment/create && cd bin && ../.venv/bin/dvc status -q"
    done = run(machine, "bash", "-c", command)
    assert done.returncode == 0, done.stderr
    (site,) = machine.rglob(".dvc/tmp/site")
    assert site == machine / ".dvc/tmp/site"
    assert stat.S_IMODE(site.stat().st_mode) == 0o700
