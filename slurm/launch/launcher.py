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
from slurm.launch import manifest, parent_watchdog, requirements, run_folder, slurm_commands
from slurm.launch.run_folder import Job, Run
from slurm.launch.slurm_commands import JobState
from slurm.sizing import estimate, sizes
from slurm.sizing.sizes import Size

DETACHED = 75
DETACHED_MARKER = Path("scratch/detached")  # dvc tells nobody with which status a stage has failed
LOG_TAIL_LINES = 20  # of the log, under a failure
DONE_TIMEOUT_S = 30.0  # seconds
MAX_POLL_S = 10.0  # seconds between two questions about a job that has run for long


class Submission(Record, frozen=True):
    job: str
    command: tuple[str, ...]


def build_command(run: Run, size: Size) -> list[str]:
    """The submission, complete: by hand it does the same."""
    script, place = run.folder / "slurm/launch/train.sbatch", size.place(run.job.stage)
    lead = (
        estimate.compute_signal_lead(run.job.size, size)
        if run.job.stage == "train"
        else estimate.MIN_SIGNAL_LEAD_S
    )
    return [
        *("sbatch", "--parsable", f"--job-name={run.name}", f"--chdir={run.folder}"),
        *(f"--nodes={place.nodes}", f"--gpus-per-node={place.gpus}"),
        f"--signal=B:USR1@{lead}",
        *(str(script), str(place.ranks), sys.executable, f"stages.{run.job.stage}"),
        *map(str, (*run.job.inputs, *run.job.outputs)),
    ]


def find_or_submit(run: Run, words: list[str]) -> str | None:
    """The id of the run's job, submitted if there is none; None if it is done already."""
    with slurm_commands.launcher_lock(run.folder / "submitting") as turn:
        if run.done:
            return None
        for job in slurm_commands.find_live_jobs(run.name):
            print(f"job {job} ({run.name}): attached", flush=True)
            return job
        shutil.rmtree(run.folder / "bad", ignore_errors=True)  # who submits anew may have mended it
        job = slurm_commands.submit(words, turn)
        entry = msgspec.json.encode(Submission(job, tuple(words)))
        (run.folder / "job.json").write_bytes(msgspec.json.format(entry) + b"\n")
        print(f"job {job} ({run.name}): submitted, logs in {run.log.parent}", flush=True)
    return keep_first_job(run.name, job)


def keep_first_job(name: str, ours: str) -> str:
    """Where a file system knows no locks, Slurm's numbers decide between two who submit at once."""
    first = next(iter(slurm_commands.find_live_jobs(name)), ours)
    if first != ours:
        slurm_commands.run_command("scancel", ours)
        print(f"job {ours}: given up for job {first}, which another launcher submitted")
    return first


def poll_states(run: Run, job: str) -> Iterator[JobState]:
    """Every state of the job until it has ended; prints what its log gets meanwhile."""
    position = run.log.stat().st_size if run.log.exists() else 0
    pause, check = 0.2, parent_watchdog.watch_parents()
    while True:
        check()
        state = slurm_commands.query_state(job)
        position = _show(run.log, position)
        yield state
        if state.ended or state.name == "UNKNOWN":
            return
        time.sleep(pause)
        pause = min(pause * 1.1, MAX_POLL_S)


def wait_for_job(run: Run, job: str) -> JobState:
    """Wait for the end of the job; its last state."""
    before = JobState("")
    for state in poll_states(run, job):
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


def describe_failure(run: Run, job: str, state: JobState) -> str:
    restarts = f" after {state.restarts} restarts" if state.restarts else ""
    text = run.log.read_text(errors="replace") if run.log.exists() else "(nothing)"
    tail = "\n".join(f"  {line}" for line in text.splitlines()[-LOG_TAIL_LINES:])
    return (
        f"error: job {job} ({run.name}): {state.name}{restarts}, exit status {state.status},"
        f" on {state.nodes or 'no node'}; the same command starts it again from its last"
        f" checkpoint. The end of {run.log}:\n{tail}"
    )


def launch(job: Job, size: Size) -> int:
    """Do what the run needs; the exit status."""
    parent_watchdog.watch_parents()
    run = run_folder.prepare_run(job, size)
    number = find_or_submit(run, build_command(run, size))
    if number and os.environ.get("WAIT") == "0":
        return report_detached(f"job {number}")
    if number:
        state = wait_for_job(run, number)
        manifest.write(run.folder)  # the job may have lost the node on which it would have done it
        _see_the_end(run, state)
        if not run.done:
            print(describe_failure(run, number, state), file=sys.stderr)
            return state.status or 1
    run.collect()
    hours = manifest.build_manifest(run.folder).gpu_hours
    print(f"{run.name}: done, {hours:.3f} GPU-hours, collected from {run.folder}")
    return 0


def _see_the_end(run: Run, state: JobState) -> None:
    """A network file system shows other nodes' files after a while."""
    end = time.monotonic() + DONE_TIMEOUT_S
    while state.name == "COMPLETED" and not run.done and time.monotonic() < end:
        time.sleep(0.5)


def report_detached(name: str) -> int:
    DETACHED_MARKER.parent.mkdir(exist_ok=True)
    DETACHED_MARKER.touch()
    print(f"{name}: detached; the same command attaches to it or collects its result")
    return DETACHED


def parse_job(words: Iterable[str]) -> Job:
    size, stage, *rest = words
    if "--" not in rest:
        raise BadInput("usage: python -m slurm.launch.launcher SIZE STAGE INPUTS... -- OUTPUTS...")
    middle = rest.index("--")
    inputs, outputs = rest[:middle], rest[middle + 1 :]
    return Job(size, stage, tuple(map(Path, inputs)), tuple(map(Path, outputs)))


def main() -> int:
    job = parse_job(sys.argv[1:])
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
