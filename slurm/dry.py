"""What `make train` would submit, and whether Slurm would take it: python -m slurm.dry SIZE."""

import shlex
import shutil
from pathlib import Path

from slurm import launch, queue, runfolder, sizes
from slurm.runfolder import Job, Run
from trajectory import command, yamlfile
from trajectory.records import Record

SCRIPT = Path("slurm/train.sbatch")


class Stage(Record, frozen=True, forbid_unknown_fields=False):
    cmd: str


class Pipeline(Record, frozen=True):
    stages: dict[str, Stage]


def job(size: str) -> Job:
    """The training that the cluster pipeline would launch."""
    stage = yamlfile.read(Path("slurm/dvc.yaml"), Pipeline).stages["train"]
    _, _, _, *words = shlex.split(stage.cmd.replace("${item.size}", size))
    return launch.parsed(words)


def main(name: Path) -> None:
    size, train = sizes.load(str(name)), job(str(name))
    lacking = [str(path) for path in train.inputs if not path.exists()]
    if lacking:
        unnamed = f"{name}-train-KEY"
        run = Run(unnamed, runfolder.root() / unnamed, train)
        print(f"# KEY is known once these are there: {', '.join(lacking)}")
    else:
        run = runfolder.prepare(train, size)
    words = launch.command(run, size)
    print(shlex.join(words), SCRIPT.read_text(), sep="\n\n")
    if shutil.which("sbatch"):
        tested = [str(SCRIPT) if word.endswith(str(SCRIPT)) else word for word in words]
        queue.ask(tested[0], "--test-only", *tested[1:])
        print("# Slurm would take it")
    else:
        print("# not tested: no sbatch on PATH")


if __name__ == "__main__":
    command.run(main)
