"""The pages name files, links, make targets, stages and results that are there."""

import re
import subprocess
from pathlib import Path

import pytest

from agent_tuning.files import yaml_records
from benchmark.reports import readme_tables
from benchmark.reports.leaderboard import format_number
from benchmark.scoring import metrics
from benchmark.scoring.known_names import MODELS, suite_title

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


def test_the_architecture_page_has_the_stages_of_the_pipeline():
    text = Path("docs/architecture.md").read_text()
    table = readme_tables.format_stages(yaml_records.read(Path("dvc.yaml"), readme_tables.Pipeline))
    assert readme_tables.replace_between_markers(text, "stages", table) == text


def test_the_readme_has_the_numbers_of_the_last_run():
    """Rows of models; those of baselines are in no metrics file. The recipe is the chosen one."""
    table = Path("README.md").read_text().partition("<!-- results -->\n")[2]
    folder = Path("metrics", yaml_records.read(Path("params.yaml"), str, "recipe"), "suites")
    measured = {
        suite: metrics.read(folder / f"{suite}.json")
        for suite in readme_tables.SHOWN
        if (folder / f"{suite}.json").exists()
    }
    titles = {suite_title(suite): suite for suite in measured}
    suite, shown = "", []
    for line in table.partition("<!-- /results -->")[0].splitlines()[2:]:
        title, model, _, em, *_ = (cell.strip(" *") for cell in line.split("|")[1:])
        suite = titles.get(title, suite)
        if model in MODELS:
            shown.append((suite, model, em))
    assert shown == [
        (suite, model, format_number(values[f"{model}.em"]))
        for suite, values in measured.items()
        for model in readme_tables.SHOWN[suite]
        if model in MODELS and f"{model}.em" in values
    ], "run `make readme`"
    assert shown


def test_the_readme_is_a_landing_page():
    """Under 150 lines; indexes and tables of stages and faults stand in docs/."""
    assert len(Path("README.md").read_text().splitlines()) < 150
