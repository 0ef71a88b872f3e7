"""What `make train` would submit, and whether Slurm would accept it: `make submit-dry SIZE=...`."""

import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from agent_tuning.files import yaml_records
from agent_tuning.records import Record
from agent_tuning.runtime import cli
from slurm.launch import launcher, run_folder, slurm_commands
from slurm.launch.run_folder import Job, Run
from slurm.sizing import sizes
from slurm.sizing.sizes import Size

SCRIPT = Path("slurm/launch/train.sbatch")


class ClusterStage(Record, frozen=True, forbid_unknown_fields=False):
    cmd: str
    matrix: dict[str, list[str] | str]

    def commands(self, size: str) -> Iterator[str]:
        """One command for each model that answers; one if the stage has no such matrix."""
        for model in self.matrix.get("model", ("",)):
            yield self.cmd.replace("${item.size}", size).replace("${item.model}", model)


class ClusterPipeline(Record, frozen=True, forbid_unknown_fields=False):
    stages: dict[str, ClusterStage]


def jobs(size: str) -> Iterator[Job]:
    """The jobs that slurm/dvc.yaml launches, in its order."""
    for stage in yaml_records.read(Path("slurm/dvc.yaml"), ClusterPipeline).stages.values():
        for command in stage.commands(size):
            _, _, module, *words = shlex.split(command)
            if module == "slurm.launch.launcher":
                yield launcher.parse_job(words)


def plan_run(job: Job, size: Size) -> Run:
    """The run; its name is not known and its folder not made while inputs are missing."""
    missing = [str(path) for path in job.inputs if not path.exists()]
    if not missing:
        return run_folder.prepare_run(job, size)
    print(f"# KEY depends on missing inputs: {', '.join(missing)}")
    name = f"{job.size}-{job.stage}-KEY"
    return Run(name, run_folder.runs_root() / name, job)


def main(name: Path) -> None:
    size = sizes.load(str(name))
    commands = []
    for job in jobs(str(name)):
        commands.append(launcher.build_command(plan_run(job, size), size))
        print(shlex.join(commands[-1]))
    print("", SCRIPT.read_text(), sep="\n")
    if not shutil.which("sbatch"):
        print("# not tested: no sbatch on PATH")
        return
    for command in commands:
        # The run's copy of the script may not be there yet: test with the repository's.
        words = [str(SCRIPT) if word.endswith(str(SCRIPT)) else word for word in command]
        slurm_commands.run_command(words[0], "--test-only", *words[1:])
    print("# Slurm accepts these jobs (sbatch --test-only)")


if __name__ == "__main__":
    cli.run(main)
