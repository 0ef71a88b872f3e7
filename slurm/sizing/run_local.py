"""Run a stage with a size's numbers on this machine: arguments SIZE STAGE PATHS...

A stage reads params.yaml where it runs: it gets a folder with the size's own, and whole paths.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from agent_tuning.records import BadInput
from slurm.sizing import sizes


def main(name: str, stage: str, *paths: str) -> int:
    size = sizes.load(name)
    with tempfile.TemporaryDirectory() as folder:
        sizes.write_section(stage, sizes.read_section(size, stage), Path(folder) / "params.yaml")
        whole = [str(Path(path).absolute()) for path in paths]
        environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
        command = [sys.executable, "-m", f"stages.{stage}", *whole]
        return subprocess.run(command, cwd=folder, env=environment, check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except BadInput as error:
        sys.exit(f"error: {error}")
