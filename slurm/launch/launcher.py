"""Run a stage on the cluster, and wait: `python -m slurm.launch.launcher SIZE STAGE IN -- OUT`.

The run folder's name is a hash of all inputs. If its job is done, the outputs are collected. If its
job waits or runs, this attaches to it. Otherwise the job is submitted, so there are never two jobs
for the same input. Stopping this program in any way does not touch the job. With WAIT=0 it does
not wait and exits with 75.
"""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from agent_tuning.files import atomic_write
from agent_tuning.records import BadInput, Record
from agent_tuning.runtime import cli
from slurm.launch import (
    job_log,
    local_run,
    manifest,
    parent_watchdog,
    requirements,
    run_folder,
    slurm_commands,
)
from slurm.launch.run_folder import Job, Run
from slurm.launch.slurm_commands import JobState
from slurm.sizing import estimate, sizes
from slurm.sizing.sizes import Size

# Of each size: dvc does not pass on the exit status of a stage, and several may start at once.
DETACHED_MARKER = "scratch/detached-{size}"
LOG_TAIL_LINES = 20  # shown under a failure
DONE_TIMEOUT_S = 30.0
MIN_POLL_S, MAX_POLL_S = 0.2, 10.0  # between two queries; it grows while a job runs
DEFAULT_TIME_LIMIT = "24:00:00"  # of train.sbatch
DEFAULT_MEMORY = "100G"  # of a GPU
MEMORY_VARIABLES = ("SBATCH_MEM_PER_NODE", "SBATCH_MEM_PER_CPU", "SBATCH_MEM_PER_GPU")


class Submission(Record, frozen=True):
    job: str
    command: tuple[str, ...]


def build_command(run: Run, size: Size) -> list[str]:
    """The complete submission: typed by hand it does the same."""
    stage, allocation = run.job.stage, size.allocation(run.job.stage)
    script = str(run.folder / "slurm/launch/train.sbatch")
    gpus = ":".join(filter(None, (os.environ.get("GPU_TYPE"), str(allocation.gpus))))
    memory = []
    if given := os.environ.get("MEM"):
        memory = [f"--mem={given}"]
    elif not any(map(os.environ.get, MEMORY_VARIABLES)):
        memory = [f"--mem-per-gpu={DEFAULT_MEMORY}"]
    return [
        *("sbatch", "--parsable", f"--job-name={run.name}", f"--chdir={run.folder}"),
        *(f"--nodes={allocation.nodes}", f"--gpus-per-node={gpus}", *memory),
        f"--signal=B:USR1@{compute_lead(run.job, size)}",
        *(script, str(allocation.ranks), sizes.find_python(size, stage), f"stages.{stage}"),
        *map(str, (*run.job.inputs, *run.job.outputs)),
    ]


def compute_lead(job: Job, size: Size) -> int:
    """Seconds before the time limit at which the job is told to save."""
    if job.stage != "train":
        return estimate.MIN_SIGNAL_LEAD_S
    return estimate.compute_signal_lead(job.size, size)


def check_time_limit(job: Job, size: Size) -> None:
    """Raise BadInput for a limit that leaves no time to work: such a job would stop and stop."""
    lead = compute_lead(job, size)
    text = os.environ.get("SBATCH_TIMELIMIT") or DEFAULT_TIME_LIMIT
    limit = slurm_commands.parse_time_limit(text)
    if limit is not None and limit <= lead:
        raise BadInput(
            f"SBATCH_TIMELIMIT={text}: {job.size} is told to save {lead} s before its time limit"
            " (two steps and two checkpoints), so it would never work; give it hours"
        )


def describe_needs(job: Job, size: Size) -> dict[str, int]:
    """Settings of the nodes that follow from the size; cluster.env may have others."""
    threads = sizes.read_section(size, job.stage).get("threads")
    needs = {"OMP_NUM_THREADS": threads} if threads else {}
    if job.stage == "train":
        needs["MIN_FREE_GB"] = estimate.compute_disk_gb(job.size, size)
    return needs


def find_or_submit(
    run: Run, command: list[str], needs: Mapping[str, int] | None = None
) -> str | None:
    """The id of the run's job, submitted if there is none; None if the run is done already."""
    with slurm_commands.launcher_lock(run.folder / "submitting") as lock:
        if run.done:
            return None
        for job in slurm_commands.find_live_jobs(run.name):
            print(f"job {job} ({run.name}): attached", flush=True)
            return job
        # The user may have repaired the unfit nodes before submitting again.
        shutil.rmtree(run.folder / "bad", ignore_errors=True)
        run_folder.refresh(run, needs or {})
        job = slurm_commands.submit(command, lock)
        entry = msgspec.json.encode(Submission(job, tuple(command)))
        atomic_write.write_bytes(run.folder / "job.json", msgspec.json.format(entry) + b"\n")
        print(f"job {job} ({run.name}): submitted, logs in {run.log.parent}", flush=True)
    return keep_first_job(run.name, job)


def keep_first_job(name: str, submitted: str) -> str:
    """Cancel our job if another launcher submitted the same run before us; the job that stays.

    Where a file system has no locks, two launchers may both submit: Slurm's job ids decide.
    """
    first = next(iter(slurm_commands.find_live_jobs(name)), submitted)
    if first != submitted:
        slurm_commands.run_command("scancel", submitted)
        print(f"job {submitted}: cancelled; job {first} of another launcher runs the same")
    return first


def poll_states(run: Run, job: str) -> Iterator[JobState]:
    """Every state of the job until it has ended; meanwhile, prints the new lines of its log."""
    position = run.log.stat().st_size if run.log.exists() else 0
    pause, check_parents = MIN_POLL_S, parent_watchdog.watch_parents()
    while True:
        check_parents()
        state = slurm_commands.query_state(job)
        position = job_log.print_from(position, run.log)
        yield state
        if state.ended or state.name == "UNKNOWN":
            return
        time.sleep(pause)
        pause = min(pause * 1.1, MAX_POLL_S)


def wait_for_job(run: Run, job: str) -> JobState:
    """Wait for the end of the job; its last state."""
    previous = JobState("")
    for state in poll_states(run, job):
        if (state.name, state.reason) != (previous.name, previous.reason):
            where = state.nodes or state.reason or "in the queue"
            print(f"job {job}: {state.name} ({where})", flush=True)
        previous = state
    return previous


def describe_failure(run: Run, job: str, state: JobState) -> str:
    restarts = f" after {state.restarts} restarts" if state.restarts else ""
    return (
        f"error: job {job} ({run.name}): {state.name}{restarts}, exit status {state.status},"
        f" on {state.nodes or 'no node'}; run the same command to continue from its"
        f" last checkpoint. The end of {run.log}:\n{job_log.read_tail(run.log, LOG_TAIL_LINES)}"
    )


def launch(run: Run, size: Size) -> int:
    """Submit or attach, wait and collect, whatever is still to do; the exit status."""
    job = run.job
    parent_watchdog.watch_parents()
    if os.environ.get("CLUSTER") == "local":
        status = local_run.run(run, size, describe_needs(job, size))
        return status or collect(run)
    check_time_limit(job, size)
    job_id = find_or_submit(run, build_command(run, size), describe_needs(job, size))
    if job_id and os.environ.get("WAIT") == "0":
        return report_detached(job.size, f"job {job_id}")
    if job_id:
        state = wait_for_job(run, job_id)
        manifest.write(run.folder)  # the job could not if it lost the node of its batch script
        _wait_for_done_file(run, state)
        if not run.done:
            print(describe_failure(run, job_id, state), file=sys.stderr)
            return state.status or 1
    return collect(run)


def collect(run: Run) -> int:
    run.collect()
    hours = manifest.build_manifest(run.folder).gpu_hours
    print(f"{run.name}: done after {hours:.3f} GPU-hours; outputs are linked from {run.folder}")
    return 0


def _wait_for_done_file(run: Run, state: JobState) -> None:
    """A network file system shows the files of other nodes with a delay."""
    end = time.monotonic() + DONE_TIMEOUT_S
    while state.name == "COMPLETED" and not run.done and time.monotonic() < end:
        time.sleep(0.5)


def report_detached(size: str, name: str) -> int:
    marker = Path(DETACHED_MARKER.format(size=size))
    marker.parent.mkdir(exist_ok=True)
    marker.touch()
    print(f"{name}: detached; run the same command to attach again or to collect the result")
    return cli.EXIT_UNFINISHED


def parse_job(words: Iterable[str]) -> Job:
    size, stage, *paths = words
    if "--" not in paths:
        raise BadInput("usage: python -m slurm.launch.launcher SIZE STAGE INPUTS... -- OUTPUTS...")
    middle = paths.index("--")
    inputs, outputs = paths[:middle], paths[middle + 1 :]
    return Job(size, stage, tuple(map(Path, inputs)), tuple(map(Path, outputs)))


def run_and_exit(main: Callable[[], int]) -> None:
    """Exit with the status of `main`, or with one line about bad input, a path or Ctrl-C."""
    try:
        sys.exit(main())
    except BadInput as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {cli.describe_os_error(error, run_folder.runs_root())}")
    except KeyboardInterrupt:
        sys.exit("\nstopped waiting; the job continues; run the same command to attach again")


def main() -> int:
    job = parse_job(sys.argv[1:])
    size = sizes.load(job.size)
    requirements.require_size(job.size, size)
    if job.stage == "train":
        estimate.check_steps(job.size, size)
    return launch(run_folder.prepare_run(job, size), size)


if __name__ == "__main__":
    run_and_exit(main)
