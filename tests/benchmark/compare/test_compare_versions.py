"""A comparison finds exactly what changed, says whether it may be chance, and refuses the rest."""

import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

from agent_tuning.runtime import config
from benchmark.compare import compare_versions, gate, git_versions, release_outcomes
from benchmark.compare.gate import GateResult
from benchmark.compare.paired_tests import CompareConfig
from benchmark.scoring import signatures
from benchmark.scoring.score_suites import ScoreConfig
from tests.support import versioned_repo
from tests.support.versioned_repo import ANSWERS, METRICS, REQUESTS, TASKS, commit

# Three in ten groups of the house suite, three tasks of each.
KNOWN = [f"house/{4 * group + task:03}" for group in range(10) for task in range(3)]
FEW = ["house/000", "house/040", "bfcl/007"]
# What older versions call the settings of `predict`, and the file of its requests.
OLDER_NAMES = {
    "batch_size:": "rows:",
    "malformed_stop_tokens:": "unreadable_tokens:",
    "requests.jsonl": "prompts.jsonl",
}


def other_params(**changes: int) -> None:
    predict = versioned_repo.PARAMS["predict"] | changes
    Path("params.yaml").write_text(yaml.safe_dump(versioned_repo.PARAMS | {"predict": predict}))


def other_recipe_params(**changes: int) -> None:
    """The recipe changes what the section leaves as it was."""
    recipes = {"general": {"predict": changes}}
    Path("params.yaml").write_text(yaml.safe_dump(versioned_repo.PARAMS | {"recipes": recipes}))


def older_names() -> None:
    requests = Path(versioned_repo.REQUESTS)
    requests.rename(requests.with_name("prompts.jsonl"))
    for path in (Path("params.yaml"), Path("dvc.yaml")):
        text = path.read_text()
        for name, older in OLDER_NAMES.items():
            text = text.replace(name, older)
        path.write_text(text)


def no_recipes() -> None:
    """The layout before there were recipes: nothing lies in a folder of one."""
    for root in ("data", "metrics"):
        for path in Path(root, "general").iterdir():
            path.rename(Path(root, path.name))
        Path(root, "general").rmdir()
    params = {k: v for k, v in versioned_repo.PARAMS.items() if k not in ("recipe", "recipes")}
    Path("params.yaml").write_text(yaml.safe_dump(params))
    text = yaml.safe_dump(versioned_repo.PIPELINE).replace("data/general/", "data/")
    Path("dvc.yaml").write_text(text.replace("    - recipes.general.predict\n", ""))


def before_recipes() -> None:
    """As no version with recipes ever was: without them, and under the older names."""
    older_names()
    no_recipes()
    text = Path("dvc.yaml").read_text()
    Path("dvc.yaml").write_text(text.replace("requests.jsonl", "prompts.jsonl"))


def other_suite() -> None:
    path = Path("suites/house/tasks.jsonl")
    first, *rest = path.read_text().splitlines(keepends=True)
    path.write_text(first.replace("c0", "c00") + "".join(rest))


def other_scorer() -> None:
    Path(f"{METRICS}/bfcl.json").write_text('{"signature.bleu|tok:1|lam:0.5|suite:0123": 1}')


def signed_apart() -> None:
    """Signatures in a file of their own, and metrics without such a key."""
    for suite in ("house", "bfcl"):
        Path(f"{METRICS}/{suite}.json").write_text("{}")
    signature = versioned_repo.SIGNATURE.removeprefix(signatures.PREFIX)
    signatures.write_signatures(
        Path(f"{METRICS}/signatures.json"), {"house": signature, "bfcl": signature}
    )


def other_format() -> None:
    path = Path("suites/house/tasks.jsonl")
    path.write_text(path.read_text().replace('"prompt":', '"group":'))


def release(wrong_tasks: Sequence[str] = ()) -> None:
    """Keep the outcomes, as `make outcomes` does."""
    versioned_repo.write_answers(wrong_tasks)
    answers, prompts, metrics, _, *suites = map(Path, versioned_repo.PATHS)
    release_outcomes.main(answers, prompts, metrics, *suites)


def edit_outcomes(old: str, new: str | None) -> None:
    """Replace a text in the table of outcomes, or leave its line out."""
    table = Path(f"{METRICS}/outcomes.csv")
    lines = table.read_text().splitlines(keepends=True)
    kept = [line.replace(old, new or "") for line in lines if new or old not in line]
    table.write_text("".join(kept))


CHANGES: dict[str, Callable[[], object]] = {
    "known": lambda: versioned_repo.write_answers(KNOWN),
    "few": lambda: versioned_repo.write_answers(FEW),
    "paced": lambda: other_params(batch_size=1, threads=1),
    "renamed": older_names,
    "unsorted": no_recipes,
    "oldest": before_recipes,
    "asked": lambda: Path(REQUESTS).write_text('{"other": 1}\n'),
    "decoded": lambda: other_params(max_new_tokens=10),
    "overridden": lambda: other_recipe_params(max_new_tokens=10),
    "suited": other_suite,
    "scored": other_scorer,
    "signed_apart": signed_apart,
    "unmeasured": lambda: shutil.rmtree("metrics"),
    "formatted": other_format,
    "released": release,
    "released_known": lambda: release(KNOWN),
    "released_stale": lambda: (release(), versioned_repo.write_answers(KNOWN)),
    "released_renamed": lambda: (release(), edit_outcomes("house/000", "house/999")),
    "released_short": lambda: (release(), edit_outcomes("house,house/000,", None)),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Version `first` and, from it, one version for every change."""
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch, chdir(folder):
        patch.setenv("DVC_SITE_CACHE_DIR", str(folder / ".dvc/tmp/site"))
        patch.setenv("DVC_NO_ANALYTICS", "1")
        versioned_repo.start_project()
        commit("first")
        for tag, change in CHANGES.items():
            shutil.copytree(ANSWERS, "report/kept", dirs_exist_ok=True)
            change()
            commit(tag)
            versioned_repo.run_git("checkout", "-q", "first")
            shutil.rmtree("data/answers", ignore_errors=True)  # git does not know DVC's files
            shutil.copytree("report/kept", ANSWERS, dirs_exist_ok=True)
        yield folder


@pytest.fixture
def run(project: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., int]]:
    def compared(a: str, b: str) -> int:
        with pytest.raises(SystemExit) as stopped:
            compare_versions.main(*map(Path, (a, b, *versioned_repo.PATHS)))
        code = stopped.value.code
        assert isinstance(code, bool | int)
        return int(code)

    with chdir(project):
        yield compared
    capsys.readouterr()


def read_comparison() -> dict[str, list[dict[str, object]]]:
    content: dict[str, list[dict[str, object]]] = json.loads(
        Path("report/compare.json").read_bytes()
    )
    return content


def test_two_versions_that_differ_by_30_tasks_list_exactly_those(run: Callable[..., int]) -> None:
    assert run("first", "known") == compare_versions.REGRESSION
    assert [flip["task"] for flip in read_comparison()["flips"]] == KNOWN
    page = Path("report/compare.md").read_text()
    assert "## 30 flipped tasks, 30 of them lost" in page
    assert "em 1 → 0, call_exact_match 1 → 0" in page
    assert 'Action Input: {"city": "c0"}' in page  # what A said
    assert "call is right, not no_call" in page  # and why B is wrong
    assert "Significantly worse: house em" in page


def test_the_page_has_every_task_with_both_answers(run: Callable[..., int]) -> None:
    run("first", "known")
    html = Path("report/compare.html").read_text()
    (data,) = re.findall(r'id="data">(.*?)</script', html, re.DOTALL)
    page = json.loads(data)
    assert page["title"] == "first → known"
    assert {row["id"] for row in page["rows"]} == {task.id for task in TASKS}
    differ = page["flags"].index("first and known differ")
    flipped = [row["id"] for row in page["rows"] if differ in row.get("flags", ())]
    assert sorted(flipped) == sorted(KNOWN)
    lost = next(row for row in page["rows"] if row["id"] == KNOWN[0])
    assert lost["marks"] == [["first", "right"], ["known", "wrong"]]
    assert [side["label"] for side in lost["parts"][-1]["sides"]] == ["first", "known"]


def test_answers_to_suites_that_are_not_compared_are_no_mistake(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model answers what it was not trained for, too; those suites are left out."""
    with chdir(project), pytest.raises(SystemExit) as stopped:
        compare_versions.main(*map(Path, ("first", "known", *versioned_repo.PATHS[:-1])))
    assert stopped.value.code == compare_versions.REGRESSION
    assert "house" in capsys.readouterr().out


def test_the_other_way_round_the_same_tasks_are_won(run: Callable[..., int]) -> None:
    assert run("known", "first") == 0
    assert [flip["task"] for flip in read_comparison()["flips"]] == KNOWN
    changes = {
        (change["suite"], change["metric"]): change for change in read_comparison()["changes"]
    }
    assert changes["house", "em"]["verdict"] == "better"
    assert changes["bfcl", "em"]["verdict"] == "same"


def test_a_few_flips_are_listed_and_may_be_chance(run: Callable[..., int]) -> None:
    assert run("first", "few") == 0
    assert {flip["task"] for flip in read_comparison()["flips"]} == set(FEW)


def test_a_version_is_the_same_as_itself(run: Callable[..., int]) -> None:
    assert run("first", "first") == 0
    assert read_comparison()["flips"] == []
    assert {change["p_holm"] for change in read_comparison()["changes"]} == {1.0}


def test_how_many_rows_are_decoded_at_a_time_is_no_other_decoding(run: Callable[..., int]) -> None:
    assert run("first", "paced") == 0


def test_settings_and_requests_under_their_older_names_are_the_same(
    run: Callable[..., int],
) -> None:
    assert run("first", "renamed") == 0
    assert run("renamed", "first") == 0


@pytest.mark.parametrize("version", ["unsorted", "oldest"])
def test_a_version_before_there_were_recipes_compares_with_one_after(
    run: Callable[..., int], version: str
) -> None:
    assert run("first", version) == 0
    assert read_comparison()["flips"] == []
    assert run(version, "known") == compare_versions.REGRESSION
    assert [flip["task"] for flip in read_comparison()["flips"]] == KNOWN


def test_what_a_recipe_changes_counts_as_if_the_section_said_it(run: Callable[..., int]) -> None:
    assert run("decoded", "overridden") == 0
    assert run("first", "overridden") == compare_versions.INCOMPARABLE


@pytest.mark.parametrize(
    ("path", "older"),
    [
        ("data/general/answers", "data/answers"),
        ("metrics/specialist/house.json", "metrics/house.json"),
        ("data/general/asked/house", "data/asked/house"),
        ("metrics/house.json", "metrics/house.json"),
        ("benchmark/suites/house", "benchmark/suites/house"),
        ("dvc.lock", "dvc.lock"),
    ],
)
def test_an_older_path_is_that_without_the_recipe(path: str, older: str) -> None:
    assert git_versions.drop_recipe(Path(path)) == Path(older)


def test_a_version_with_signatures_in_its_metrics_compares_with_one_with_a_file_of_them(
    run: Callable[..., int],
) -> None:
    assert run("first", "signed_apart") == 0
    assert run("signed_apart", "first") == 0


def test_the_base_model_of_a_version_compares_with_its_tuned_one(run: Callable[..., int]) -> None:
    assert run("first", "first:base") == compare_versions.REGRESSION
    assert len(read_comparison()["flips"]) == len(TASKS)


@pytest.mark.parametrize(
    ("against", "passed"), [("known", True), ("few", True), ("first:base", True), ("asked", False)]
)
def test_the_gate_compares_what_lies_here_with_the_version_it_names(
    project: Path, against: str, passed: bool
) -> None:
    with chdir(project):
        result = check_regressions(against)
    assert result.passed == passed, result


def test_a_regression_fails_the_gate(project: Path) -> None:
    with chdir(project):
        shutil.copytree(ANSWERS, "report/kept", dirs_exist_ok=True)
        versioned_repo.write_answers(KNOWN)
        result = check_regressions("first")
        shutil.copytree("report/kept", ANSWERS, dirs_exist_ok=True)
    assert not result.passed
    assert result.measured.startswith("house em, house call_exact_match")


def check_regressions(against: str) -> GateResult:
    answers, prompts, metrics, _, *suites = map(Path, versioned_repo.PATHS)
    paths = compare_versions.ComparisonPaths(answers, prompts, metrics, tuple(suites))
    scoring, comparing = config.load("scoring", ScoreConfig), config.load("compare", CompareConfig)
    comparison = gate.compare_if_possible(against, paths, scoring, comparing)
    return gate.check_regressions(against, comparison)


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("asked", "prompts is "),
        (
            "decoded",
            "decoding is {'malformed_stop_tokens': 20, 'max_new_tokens': 88} in first, "
            "{'malformed_stop_tokens': 20, 'max_new_tokens': 10} in decoded",
        ),
        ("suited", "suite house is "),
        (
            "scored",
            "scorer of bfcl is rouge_l|tok:1|lam:0.5 in first, bleu|tok:1|lam:0.5 in scored",
        ),
        ("unmeasured", "unmeasured: metrics/general/house.json: No such file or directory"),
        ("formatted", "formatted: suites/house/tasks.jsonl:1: "),
        ("no-such", "no-such: unknown Git revision 'no-such'"),
        ("first:huge", "first: data/general/answers/huge.jsonl: no such file in this version"),
    ],
)
def test_versions_that_do_not_compare_say_why(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str], version: str, reason: str
) -> None:
    assert run("first", version) == compare_versions.INCOMPARABLE
    assert reason in capsys.readouterr().err


def test_answers_that_no_cache_holds_are_named(
    project: Path,
    run: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    shutil.move(project / ".dvc/cache/files", tmp_path / "files")
    assert run("first", "known") == compare_versions.INCOMPARABLE
    shutil.move(tmp_path / "files", project / ".dvc/cache/files")
    printed = capsys.readouterr().err
    assert (
        "first: data/general/answers/tuned.jsonl: neither committed nor in the DVC cache" in printed
    )


@pytest.fixture
def without_cache(project: Path, tmp_path: Path) -> Iterator[None]:
    shutil.move(project / ".dvc/cache/files", tmp_path / "files")
    yield
    shutil.move(tmp_path / "files", project / ".dvc/cache/files")


def test_released_versions_compare_without_their_answers(
    run: Callable[..., int], request: pytest.FixtureRequest
) -> None:
    assert run("first", "known") == compare_versions.REGRESSION
    with_answers = read_comparison()
    request.getfixturevalue("without_cache")
    assert run("released", "released_known") == compare_versions.REGRESSION
    assert read_comparison()["changes"] == with_answers["changes"]
    assert [flip["task"] for flip in read_comparison()["flips"]] == KNOWN
    assert run("released_known", "released") == 0


@pytest.mark.usefixtures("without_cache")
def test_a_released_version_compares_with_the_answers_here_and_shows_their_questions(
    run: Callable[..., int],
) -> None:
    assert run("released", "workspace") == 0
    assert read_comparison()["flips"] == []
    assert run("released_known", "workspace") == 0
    flips = read_comparison()["flips"]
    assert [flip["task"] for flip in flips] == KNOWN
    assert flips[0]["query"] == "Rain in city 0?"
    page = Path("report/compare.md").read_text()
    assert "the answer is in no cache here, only its outcome" in page
    assert "Rain in city 0?" in Path("report/compare.html").read_text()


@pytest.mark.usefixtures("without_cache")
def test_outcomes_of_an_earlier_version_never_count_as_those_of_a_later_one(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("released_stale", "workspace") == compare_versions.INCOMPARABLE
    printed = capsys.readouterr().err
    assert "released_stale: metrics/general/outcomes.csv: of other answers than dvc.lock" in printed
    assert "run `make outcomes`" in printed
    assert printed.count("\n") == 1


@pytest.mark.usefixtures("without_cache")
@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("released_renamed", "house house/001 beside house house/000, of 240 and 240"),
        ("released_short", "house house/001 beside house house/000, of 239 and 240"),
    ],
)
def test_outcomes_of_other_tasks_do_not_compare(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str], version: str, reason: str
) -> None:
    assert run(version, "workspace") == compare_versions.INCOMPARABLE
    printed = capsys.readouterr().err
    assert f"{version} and workspace: other tasks: {reason}" in printed
    assert printed.count("\n") == 1


@pytest.mark.usefixtures("without_cache")
def test_released_outcomes_of_another_suite_or_model_do_not_compare(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str], project: Path
) -> None:
    assert run("released:base", "workspace") == compare_versions.INCOMPARABLE
    assert "released: " in capsys.readouterr().err
    suite = project / "suites/house/tasks.jsonl"
    before = suite.read_text()
    other_suite()
    assert run("released", "workspace") == compare_versions.INCOMPARABLE
    suite.write_text(before)
    assert "suite house is " in capsys.readouterr().err


def test_an_experiment_and_the_files_as_they_lie_here_are_versions_too(
    run: Callable[..., int],
) -> None:
    shutil.copytree(ANSWERS, "report/kept", dirs_exist_ok=True)
    versioned_repo.write_answers(KNOWN)
    assert run("first", "workspace") == compare_versions.REGRESSION
    with Repo(".") as repo:
        repo.commit(force=True)
        repo.experiments.save(name="tried")
    shutil.copytree("report/kept", ANSWERS, dirs_exist_ok=True)
    assert run("workspace", "tried") == compare_versions.REGRESSION
    assert [flip["task"] for flip in read_comparison()["flips"]] == KNOWN
    versioned_repo.run_git("checkout", "-q", "-f", "first")


def test_committed_answers_need_no_cache(
    run: Callable[..., int], project: Path, tmp_path: Path
) -> None:
    shutil.copytree(project, tmp_path / "copy", ignore=shutil.ignore_patterns("cache", "tmp"))
    with chdir(tmp_path / "copy"):
        Path("dvc.yaml").write_text("stages: {}\n")
        Path("dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
        for path in Path("data").rglob(".gitignore"):
            path.unlink()
        for tag, spoilt in (("one", []), ("two", KNOWN)):
            versioned_repo.write_answers(spoilt)
            versioned_repo.run_git("add", "-A")
            versioned_repo.run_git("commit", "-q", "-m", tag)
            versioned_repo.run_git("tag", tag)
        assert run("one", "two") == compare_versions.REGRESSION
        assert [flip["task"] for flip in read_comparison()["flips"]] == KNOWN
