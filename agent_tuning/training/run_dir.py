"""The folder of a training run, named by a hash of its inputs; inputs.json in it lists them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from agent_tuning.files import atomic_write, file_hashes, json_file
from agent_tuning.records import BadInput, Record
from agent_tuning.runtime.cache_key import compute_run_key, list_input_files
from agent_tuning.training import checkpoints, distributed

SCRATCH = Path("scratch/train")
INPUTS_FILE = "inputs.json"


def open_run_dir(config: Record, inputs: Sequence[Path]) -> tuple[Path, Path | None]:
    """Make the run's folder; return it and the checkpoint to resume from.

    Prints why a checkpoint is skipped. If there is none to resume from, it also prints which inputs
    differ from those of other runs that have one.
    """
    run = SCRATCH / compute_run_key(config, inputs)
    facts = {
        **file_hashes.hash_files(file for path in inputs for file in list_input_files(path)),
        **{name: str(value) for name, value in msgspec.structs.asdict(config).items()},
    }
    text = msgspec.json.format(msgspec.json.encode(facts)) + b"\n"
    atomic_write.write_bytes(run / INPUTS_FILE, text)
    checkpoint, problems = checkpoints.find_newest(run, distributed.world_size())
    for problem in [*problems, *(() if checkpoint else _find_other_runs(run, facts))]:
        print(f"skipped: {problem}")
    print(f"resuming from {checkpoint}" if checkpoint else f"checkpoints in {run}", flush=True)
    return run, checkpoint


def _find_other_runs(run: Path, facts: dict[str, str]) -> Iterator[str]:
    """Runs that have checkpoints and other inputs: a line each, with what differs."""
    for path in sorted(SCRATCH.glob(f"*/{INPUTS_FILE}")):
        if path.parent != run and any(path.parent.glob(f"*/{checkpoints.MARKER}")):
            try:
                theirs = json_file.read(path, dict[str, str])
            except BadInput as error:
                yield str(error)
                continue
            names = sorted(theirs.keys() | facts.keys())
            changed = [name for name in names if theirs.get(name) != facts.get(name)]
            yield f"{path.parent}: trained with different {', '.join(changed)}"
