"""The folder of one run: a small checkout that never changes, in which a job works.

It holds the code, one stage's parameters and the inputs as they were at submission. Editing the
repository while a job waits or runs changes nothing in it. Its name is a hash of all of them: the
same inputs always share a folder, and different inputs never do. What says how a job runs, and no
result depends on, is copied again at every submission: the folder slurm/ with its cluster.env.

    code, params.yaml, inputs, outputs   at the paths that they have in the repository
    slurm/job.env                        what the launcher knows of the nodes' needs
    scratch/                             checkpoints
    log/job.log                          the batch script; log/JOB.RESTART/NODE/: every rank
    job.json history.jsonl DONE          the last submission, every start and end, and success
    inputs.json manifest.json            all that went in; that, and what it took
"""

import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from agent_tuning.files import file_hashes
from agent_tuning.records import BadInput, Record
from slurm.launch import manifest
from slurm.node import consistency
from slurm.node.consistency import RunInputs
from slurm.sizing import sizes
from slurm.sizing.sizes import Section, Size

Facts = dict[str, Any]
LAUNCH_PACKAGE = Path("slurm")
JOB_SETTINGS = LAUNCH_PACKAGE / "job.env"
LARGE_COPY = 10**9  # bytes from which a copy in place of a link is said
SMALL_INPUT = 10**7  # bytes up to which an input is copied: people edit such a file in place
COPIES = Path(".copies")  # in RUNS_ROOT: inputs of another file system by their hash


class Job(Record, frozen=True):
    """A stage of a size. Inputs and outputs are paths relative to the repository."""

    size: str
    stage: str
    inputs: tuple[Path, ...]
    outputs: tuple[Path, ...]


class Run(Record, frozen=True):
    name: str
    folder: Path
    job: Job

    @property
    def log(self) -> Path:
        return self.folder / "log/job.log"

    @property
    def done(self) -> bool:
        return (self.folder / "DONE").exists()

    def collect(self) -> None:
        """Link the outputs to where the pipeline expects them, without a second copy on disk."""
        for path in self.job.outputs:
            if not (self.folder / path).exists():
                raise BadInput(
                    f"{self.folder}: marked DONE, but {path} is missing; "
                    "delete the folder and run again"
                )
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            link_or_copy(self.folder / path, path)


def runs_root() -> Path:
    """Where run folders are: a file system that all nodes see."""
    return Path(os.environ.get("RUNS_ROOT") or "runs").absolute()


def prepare_run(job: Job, size: Size) -> Run:
    """The run of a stage with a size's parameters."""
    facts = {"world": size.allocation(job.stage).world_size}
    return find_or_create_run(job, sizes.read_section(size, job.stage), facts, lambda _: None)


def find_or_create_run(
    job: Job, section: Section, facts: Facts, fill: Callable[[Path], None]
) -> Run:
    """The run of these inputs, parameters and facts; its folder is created whole or not at all.

    `fill` adds to a new folder what this kind of run needs besides.
    """
    for path in job.inputs:
        if not path.exists():
            raise BadInput(f"{path}: missing; run `dvc repro`")
    facts = facts | {
        "section": section,
        "outputs": list(map(str, job.outputs)),
        "inputs": file_hashes.hash_files(job.inputs),
    }
    digest = hashlib.blake2b(msgspec.json.encode(facts, order="sorted"), digest_size=6).hexdigest()
    name = f"{job.size}-{job.stage}-{digest}"
    run = Run(name, runs_root() / name, job)
    if not run.folder.exists():
        partial = _create_partial_folder(run, facts)
        fill(partial)
        _rename_partial_folder(partial, run.folder)
    return run


def _create_partial_folder(run: Run, facts: Facts) -> Path:
    """A new folder beside the run's, with the code, the inputs, the parameters and the manifest."""
    runs_root().mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{run.name}.", dir=runs_root()))
    partial.chmod(0o755)
    for package in consistency.CODE_PACKAGES:
        _copy_package(package, partial / package)
    link_inputs(facts["inputs"], partial)
    sizes.write_sections({run.job.stage: facts["section"]}, partial / "params.yaml")
    (partial / "log").mkdir()
    shutil.copy(consistency.LOCK_FILE, partial)
    inputs = RunInputs(
        run=run.name,
        commit=_run_git("rev-parse", "HEAD"),
        changed=tuple(_run_git("diff", "HEAD", "--name-only").splitlines()),
        lock=consistency.digest_files([consistency.LOCK_FILE]),
        code=consistency.digest_code(partial),
        launch=consistency.digest_launch(partial),
        facts=facts,
    )
    consistency.write_run_inputs(partial, inputs)
    manifest.write(partial)
    return partial


def refresh(run: Run, settings: Mapping[str, int]) -> None:
    """Give a folder that no job uses today's slurm/, and `settings` where the user has none.

    An edit of cluster.env, or a repaired script, thus reaches the next job of a run that was made
    before it.
    """
    new = run.folder / "slurm.new"
    shutil.rmtree(new, ignore_errors=True)
    _copy_package(str(LAUNCH_PACKAGE), new)
    for path in run.job.inputs:  # the same bytes as ever: its hash is in the run's name
        if path.is_relative_to(LAUNCH_PACKAGE):
            link_or_copy(path, new / path.relative_to(LAUNCH_PACKAGE))
    lines = [f': "${{{name}:={shlex.quote(str(value))}}}"\n' for name, value in settings.items()]
    (new / JOB_SETTINGS.name).write_text("".join(lines))
    # It is not there if an earlier refresh was killed here.
    shutil.rmtree(run.folder / LAUNCH_PACKAGE, ignore_errors=True)
    new.rename(run.folder / LAUNCH_PACKAGE)
    inputs = consistency.read_run_inputs(run.folder)
    launch = consistency.digest_launch(run.folder)
    consistency.write_run_inputs(run.folder, msgspec.structs.replace(inputs, launch=launch))


def _copy_package(package: str, target: Path) -> None:
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc", "suites", "dvc.*")
    shutil.copytree(package, target, ignore=ignore)


def _rename_partial_folder(partial: Path, folder: Path) -> None:
    try:
        partial.rename(folder)
    except OSError:  # another launcher was faster, with the same content
        if not folder.exists():
            raise
        shutil.rmtree(partial)


def link_inputs(hashes: Mapping[str, str], folder: Path) -> None:
    """The files of `hashes` (by their paths here) in `folder`: small ones copied, others linked.

    Of a large file on another file system, all runs share one copy: several read the same base.
    """
    for name, digest in hashes.items():
        target = folder / name
        if target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        content = Path(name).resolve()  # it may be dvc's symbolic link into its cache
        if content.stat().st_size <= SMALL_INPUT:
            shutil.copy2(content, target)
            continue
        try:
            os.link(content, target)
        except OSError:
            copy = runs_root() / COPIES / digest
            if not copy.exists():
                # A name that no copy has which was killed: what is there is taken for whole.
                partial = copy.with_name(f"{digest}.{uuid.uuid4().hex}")
                link_or_copy(Path(name), partial)
                partial.replace(copy)
            os.link(copy, target)


def link_or_copy(source: Path, target: Path) -> None:
    """A file or a folder of files as hard links, or as copies on another file system."""
    if source.is_dir():
        for path in sorted(source.iterdir()):
            link_or_copy(path, target / path.name)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    content = source.resolve()  # the source may be dvc's symbolic link into its cache
    if target.exists():
        return
    try:
        os.link(content, target)
    except OSError:
        if (size := content.stat().st_size) > LARGE_COPY:
            print(
                f"{source}: copying {size / 1e9:.0f} GB, because {target.parent} is on another"
                " file system; put RUNS_ROOT and the repository on one",
                flush=True,
            )
        shutil.copy2(content, target)


def _run_git(*arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
