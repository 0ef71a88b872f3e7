"""The pages name files, links and make targets that are there."""

import re
import subprocess
from pathlib import Path

import pytest

PAGES = [Path("README.md"), Path("CONTRIBUTING.md"), *sorted(Path("docs").glob("*.md"))]
TRACKED = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout
FILES = set(map(Path, TRACKED.splitlines()))
THERE = FILES | {folder for file in FILES for folder in file.parents}
ROOMY = ("agent_tuning", "benchmark")
MADE = ("benchmark/candidates/", "benchmark/ratings/")  # by people, where there are any
PATH = re.compile(r"`((?:agent_tuning|benchmark|slurm|stages|tests|docs)/[a-z0-9_./-]*)`")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
TARGETS = set(re.findall(r"^([a-z0-9_-]+):", Path("Makefile").read_text(), re.MULTILINE))


def is_ignored(path: str) -> bool:
    """A file that a person makes, such as slurm/cluster.env."""
    command = ["git", "check-ignore", "--quiet", path]
    return subprocess.run(command, check=False).returncode == 0


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_path_that_a_page_names_is_there(page):
    named = {path for path in PATH.findall(page.read_text()) if not path.startswith(MADE)}
    assert not [path for path in named if Path(path) not in THERE and not is_ignored(path)]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_of_a_page_leads_to_a_file(page):
    linked = (page.parent / link for link in LINK.findall(page.read_text()))
    assert not [str(path) for path in linked if not path.exists()]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_make_target_that_a_page_names_is_there(page):
    named = set(re.findall(r"(?:^ {4}|[`$] ?)make ([a-z0-9-]+)", page.read_text(), re.MULTILINE))
    assert named <= TARGETS


def test_the_architecture_page_has_every_room():
    text = Path("docs/architecture.md").read_text()
    rooms = {file.parts[:2] for file in FILES if len(file.parts) > 2 and file.parts[0] in ROOMY}
    assert not [room for room in rooms if f"`{'/'.join(room)}/`" not in text]
