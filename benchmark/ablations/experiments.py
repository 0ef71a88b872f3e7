"""Run experiments of DVC in a clone of this repository, so that the working tree stays as it is.

The clone has the last commit, DVC's cache is shared, and a finished experiment is fetched from
there: `dvc exp show` lists it. Checkpoints stay beside the clone. So a training that was killed
goes on where it was, and the clone is made anew whatever state it was left in.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import yaml
from dvc.repo import Repo

from agent_tuning.files import jsonl
from agent_tuning.records import BadInput, Unfinished
from agent_tuning.runtime import config
from benchmark.ablations.hours import FinishedRun
from benchmark.ablations.plan import Experiment, build_overrides, build_params

FOLDER = Path("scratch/ablations")
FINISHED = FOLDER / "finished.jsonl"
WHEELS = Path("scratch/wheels")
TARGETS = ("score", "score_retention")  # the stages whose metrics an experiment has
# What an experiment's result comes from. It starts from the last commit.
CODE = (
    *("agent_tuning", "benchmark", "stages", "data", "slurm/zero3.json"),
    *("dvc.yaml", "requirements.lock"),
)
SOURCES = (*CODE, "params.yaml", "dvc.lock")
SECTION = "ablations"  # of params.yaml: it changes no result


def find_commit() -> str:
    """The last commit, from which experiments start."""
    return run_git("rev-parse", "HEAD").strip()


def check_committed() -> None:
    """Raises BadInput if what experiments come from differs from the last commit."""
    changed = run_git("status", "--porcelain", "--", *SOURCES).splitlines()
    if changed:
        names = ", ".join(line[3:] for line in changed[:3])
        raise BadInput(
            f"{names}: {len(changed)} changes are not committed; experiments start from the last "
            "commit: commit or stash the changes first"
        )


def find_finished(
    experiments: Sequence[Experiment], commit: str, params: Mapping[str, Any], recipe: str
) -> dict[str, str]:
    """The experiments that are finished: the commits of their results, by name.

    Those of an earlier commit count if its numbers and code are those of `commit`.
    """
    words = ("for-each-ref", "--format=%(refname) %(objectname)", "refs/exps/*/*/ablation-*")
    found = [line.split() for line in run_git(*words).splitlines()]
    finished: dict[str, str] = {}
    for experiment in experiments:
        expected = _forget_ablations(build_params(experiment, params, recipe))
        for ref, result in found:
            if ref.endswith(f"/{experiment.name}") and _is_result(result, commit, expected):
                finished[experiment.name] = result
    return finished


def _is_result(result: str, commit: str, expected: Mapping[str, Any]) -> bool:
    """Does the commit of a result have these numbers, and the code and data of `commit`?"""
    params = yaml.safe_load(run_git("show", f"{result}:{config.PARAMS}"))
    if _forget_ablations(params) != expected:
        return False
    return not run_git("diff", "--name-only", result, commit, "--", *CODE)


def _forget_ablations(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: section for name, section in params.items() if name != SECTION}


def run_all(
    experiments: Sequence[Experiment], commit: str, params: Mapping[str, Any], recipe: str
) -> list[str]:
    """Run them one after the other; returns the names of those that failed.

    Raises Unfinished on Ctrl-C or TERM, after the training has saved a checkpoint.
    """
    check_committed()
    failed = []
    with _locked() as lock:
        clone = make_clone(commit)
        for number, experiment in enumerate(experiments, 1):
            print(f"experiment {number} of {len(experiments)}: {experiment.name}", flush=True)
            words = [f"--set-param={one}" for one in build_overrides(experiment, params, recipe)]
            words += [f"{stage}@{recipe}" for stage in TARGETS]
            if not run_experiment(clone, experiment, words, commit, lock):
                failed.append(experiment.name)
    return failed


def run_experiment(
    clone: Path, experiment: Experiment, words: Sequence[str], commit: str, lock: TextIO
) -> bool:
    """Run one and fetch it from the clone; False if it failed."""
    run_git("checkout", "-q", "--force", "--detach", commit, folder=clone)
    run_git("clean", "-fdq", folder=clone)
    checkpoints = FOLDER / "checkpoints"
    before, started = _stamp_runs(checkpoints), time.monotonic()
    command = [sys.executable, "-m", "dvc", "exp", "run", "--name", experiment.name, *words]
    if not _run_to_end(command, clone, lock):
        return False
    ref = _name_ref(commit, experiment.name)
    run_git("fetch", "-q", str(clone), f"+{ref}:{ref}")
    # Those of an experiment that failed stay, so that it goes on.
    left = [run for run, files in _stamp_runs(checkpoints).items() if before.get(run) != files]
    if left and not any(run in before for run in left):  # trained here, and from its first step
        run = FinishedRun(experiment.name, experiment.steps, round(time.monotonic() - started, 1))
        jsonl.write(FINISHED, [*read_finished_runs(), run])
    for folder in left:
        shutil.rmtree(folder)
    return True


def _stamp_runs(checkpoints: Path) -> dict[Path, set[tuple[Path, int]]]:
    """The folder of every training run, with its files and when they were written."""
    return {
        run: {(file, file.stat().st_mtime_ns) for file in run.rglob("*") if file.is_file()}
        for run in checkpoints.iterdir()
    }


def read_finished_runs() -> list[FinishedRun]:
    return list(jsonl.read(FINISHED, FinishedRun)) if FINISHED.exists() else []


def make_clone(commit: str) -> Path:
    """A new clone with the commit's files, this repository's cache, and the checkpoints."""
    clone = FOLDER / "clone"
    if clone.exists():
        shutil.rmtree(clone)
    run_git("clone", "-q", "--no-checkout", ".", str(clone))
    run_git("checkout", "-q", "--detach", commit, folder=clone)
    with Repo() as repo:
        cache = Path(repo.cache.local_cache_dir).absolute()
    (clone / ".dvc/config.local").write_text(f"[cache]\n    dir = {cache}\n", encoding="utf-8")
    (FOLDER / "checkpoints").mkdir(exist_ok=True)
    (clone / "scratch").mkdir()
    (clone / "scratch/train").symlink_to((FOLDER / "checkpoints").absolute())
    if WHEELS.exists():
        (clone / WHEELS).symlink_to(WHEELS.absolute())
    return clone


def run_git(*words: str, folder: Path = Path()) -> str:
    """What git prints. Raises BadInput with what it says if it fails."""
    command = ["git", "-C", str(folder), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BadInput(f"git {words[0]}: {done.stderr.strip() or 'failed'}")
    return done.stdout


@contextmanager
def _locked() -> Iterator[TextIO]:
    """One run at a time; what it starts holds the lock, too, should this process be killed."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BadInput(f"{FOLDER}: another `make ablations` runs here; wait for it") from error
        yield lock


def _run_to_end(command: Sequence[str], folder: Path, lock: TextIO) -> bool:
    """True if the command succeeds. On Ctrl-C or TERM it is interrupted, and may save its work."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    running = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path},
        pass_fds=[lock.fileno()],
        start_new_session=True,  # a second Ctrl-C of the terminal must not reach DVC
    )
    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True
        os.killpg(running.pid, signal.SIGINT)  # DVC waits for its stage, which saves a checkpoint

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, stop) for number in numbers]
    try:
        status = running.wait()
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
    if stopped:
        raise Unfinished("run `make ablations GO=1` again: it goes on where it was")
    return status == 0


def _name_ref(commit: str, name: str) -> str:
    """Where DVC keeps the experiments of a commit."""
    return f"refs/exps/{commit[:2]}/{commit[2:]}/{name}"
