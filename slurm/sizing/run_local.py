"""Run a stage with a size's overrides on this machine: arguments SIZE STAGE OPTIONS...

A stage reads the params.yaml of its working directory. It runs in a temporary folder that holds
the size's own params.yaml, so its paths become absolute.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from agent_tuning.records import BadInput
from slurm.sizing import sizes


def main(name: str, stage: str, *words: str) -> int:
    size = sizes.load(name)
    with tempfile.TemporaryDirectory() as folder:
        sizes.write_sections(sizes.read_sections(size), Path(folder) / "params.yaml")
        arguments = [
            word if word.startswith("--") else str(Path(word).absolute()) for word in words
        ]
        environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
        command = [sys.executable, "-m", f"stages.{stage}", *arguments]
        return subprocess.run(command, cwd=folder, env=environment, check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except BadInput as error:
        sys.exit(f"error: {error}")
