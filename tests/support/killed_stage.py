"""Stages that let a model answer, run as processes: to their end, or killed and resumed."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import yaml

from tests.support import general_params

ROOT = Path(__file__).parents[2]


class KillableStage:
    """`python -m stages.NAME PATHS` in a folder of its own, with other numbers in params.yaml."""

    def __init__(self, name: str, paths: list[str], target: str) -> None:
        self.name = name
        self.command = [sys.executable, "-m", f"stages.{name}", *paths]
        self.target = target

    def ready(self, folder: Path, model: Path, numbers: dict[str, Any]) -> Path:
        shutil.copytree(model, folder / "base")
        for package in ("stages", "agent_tuning", "benchmark"):
            (folder / package).symlink_to(ROOT / package)
        params = general_params.read()
        params[self.name] |= numbers
        (folder / "params.yaml").write_text(yaml.safe_dump(params))
        (folder / "code.json").write_text("{}")
        return folder

    def start(self, folder: Path) -> subprocess.Popen[str]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        return subprocess.Popen(
            self.command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
        )

    def finished(self, folder: Path) -> bytes:
        process = self.start(folder)
        process.communicate(timeout=300)
        assert process.returncode == 0
        return (folder / self.target).read_bytes()

    def killed(self, ready_folder: Path, folder: Path) -> Path:
        """Kill the stage, in a copy of `ready_folder`, once it has stored something; its log."""
        unwanted = shutil.ignore_patterns("scratch", self.target)
        shutil.copytree(ready_folder, folder, symlinks=True, ignore=unwanted)
        process = self.start(folder)
        deadline = time.monotonic() + 300
        while (path := self.store(folder)) is None or not path.stat().st_size:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert not (folder / self.target).exists()
        return path

    def store(self, folder: Path) -> Path | None:
        return next(folder.glob(f"scratch/{self.name}/*.jsonl"), None)


def kill_all(running: subprocess.Popen[str]) -> None:
    """As a power cut does: the process and all that it started, at once."""
    family = [*psutil.Process(running.pid).children(recursive=True), psutil.Process(running.pid)]
    for process in family:
        process.kill()
    running.communicate()
