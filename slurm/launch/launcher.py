"""Run a stage on the cluster, and wait: `python -m slurm.launch.launcher SIZE STAGE IN -- OUT`.

The run folder's name is made from all that goes in. If its job is done, the outputs are collected;
if it waits or runs, this attaches to it; else it is submitted, so there are never two jobs for the
same input. To stop this program, in whatever way, leaves the job alone. WAIT=0 does not wait and
exits with 75.
"""

import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from agent_tuning.records import BadInput, Record
from slurm.launch import manifest, parent_watchdog, queue, requirements, run_folder
from slurm.launch.queue import State
from slurm.launch.run_folder import Job, Run
from slurm.sizing import estimate, sizes
from slurm.sizing.sizes import Size

DETACHED = 75
MARK = Path("scratch/detached")  # dvc tells nobody with which status a stage has failed
LINES = 20  # of the log, under a failure
LATE = 30.0  # seconds
SLOWEST = 10.0  # seconds between two questions about a job that has run for long


class Submission(Record, frozen=True):
    job: str
    command: tuple[str, ...]


def command(run: Run, size: Size) -> list[str]:
    """The submission, complete: by hand it does the same."""
    script, place = run.folder / "slurm/launch/train.sbatch", size.place(run.job.stage)
    lead = estimate.lead(run.job.size, size) if run.job.stage == "train" else estimate.LEAST_LEAD
    return [
        *("sbatch", "--parsable", f"--job-name={run.name}", f"--chdir={run.folder}"),
        *(f"--nodes={place.nodes}", f"--gpus-per-node={place.gpus}"),
        f"--signal=B:USR1@{lead}",
        *(str(script), str(place.ranks), sys.executable, f"stages.{run.job.stage}"),
        *map(str, (*run.job.inputs, *run.job.outputs)),
    ]


def find_or_submit(run: Run, words: list[str]) -> str | None:
    """The id of the run's job, submitted if there is none; None if it is done already."""
    with queue.turn(run.folder / "submitting") as turn:
        if run.done:
            return None
        for job in queue.live(run.name):
            print(f"job {job} ({run.name}): attached", flush=True)
            return job
        shutil.rmtree(run.folder / "bad", ignore_errors=True)  # who submits anew may have mended it
        job = queue.submit(words, turn)
        entry = msgspec.json.encode(Submission(job, tuple(words)))
        (run.folder / "job.json").write_bytes(msgspec.json.format(entry) + b"\n")
        print(f"job {job} ({run.name}): submitted, logs in {run.log.parent}", flush=True)
    return first_of(run.name, job)


def first_of(name: str, ours: str) -> str:
    """Where a file system knows no locks, Slurm's numbers decide between two who submit at once."""
    first = next(iter(queue.live(name)), ours)
    if first != ours:
        queue.ask("scancel", ours)
        print(f"job {ours}: given up for job {first}, which another launcher submitted")
    return first


def states(run: Run, job: str) -> Iterator[State]:
    """Every state of the job until it has ended; prints what its log gets meanwhile."""
    position = run.log.stat().st_size if run.log.exists() else 0
    pause, check = 0.2, parent_watchdog.watched()
    while True:
        check()
        state = queue.state(job)
        position = _show(run.log, position)
        yield state
        if state.ended or state.name == "UNKNOWN":
            return
        time.sleep(pause)
        pause = min(pause * 1.1, SLOWEST)


def follow(run: Run, job: str) -> State:
    """Wait for the end of the job; its last state."""
    before = State("")
    for state in states(run, job):
        if (state.name, state.reason) != (before.name, before.reason):
            where = state.nodes or state.reason or "in the queue"
            print(f"job {job}: {state.name} ({where})", flush=True)
        before = state
    return before


def _show(log: Path, position: int) -> int:
    if not log.exists():
        return position
    with open(log, "rb") as lines:
        lines.seek(position)
        new = lines.read()
    sys.stdout.write(new.decode(errors="replace"))
    sys.stdout.flush()
    return position + len(new)


def failure(run: Run, job: str, state: State) -> str:
    restarts = f" after {state.restarts} restarts" if state.restarts else ""
    text = run.log.read_text(errors="replace") if run.log.exists() else "(nothing)"
    tail = "\n".join(f"  {line}" for line in text.splitlines()[-LINES:])
    return (
        f"error: job {job} ({run.name}): {state.name}{restarts}, exit status {state.status},"
        f" on {state.nodes or 'no node'}; the same command starts it again from its last"
        f" checkpoint. The end of {run.log}:\n{tail}"
    )


def launch(job: Job, size: Size) -> int:
    """Do what the run needs; the exit status."""
    parent_watchdog.watched()
    run = run_folder.prepare(job, size)
    number = find_or_submit(run, command(run, size))
    if number and os.environ.get("WAIT") == "0":
        return detached(f"job {number}")
    if number:
        state = follow(run, number)
        manifest.write(run.folder)  # the job may have lost the node on which it would have done it
        _see_the_end(run, state)
        if not run.done:
            print(failure(run, number, state), file=sys.stderr)
            return state.status or 1
    run.collect()
    hours = manifest.of(run.folder).gpu_hours
    print(f"{run.name}: done, {hours:.3f} GPU-hours, collected from {run.folder}")
    return 0


def _see_the_end(run: Run, state: State) -> None:
    """A network file system shows other nodes' files after a while."""
    end = time.monotonic() + LATE
    while state.name == "COMPLETED" and not run.done and time.monotonic() < end:
        time.sleep(0.5)


def detached(name: str) -> int:
    MARK.parent.mkdir(exist_ok=True)
    MARK.touch()
    print(f"{name}: detached; the same command attaches to it or collects its result")
    return DETACHED


def parsed(words: Iterable[str]) -> Job:
    size, stage, *rest = words
    if "--" not in rest:
        raise BadInput("usage: python -m slurm.launch.launcher SIZE STAGE INPUTS... -- OUTPUTS...")
    middle = rest.index("--")
    inputs, outputs = rest[:middle], rest[middle + 1 :]
    return Job(size, stage, tuple(map(Path, inputs)), tuple(map(Path, outputs)))


def main() -> int:
    job = parsed(sys.argv[1:])
    size = sizes.load(job.size)
    requirements.main(Path(job.size))
    return launch(job, size)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BadInput as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("\nstopped waiting; the job goes on, and the same command attaches to it")
