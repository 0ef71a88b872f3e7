"""Is a node fit? With an nvidia-smi that reports what a broken one would."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNSET = ("DS_ACCELERATOR", "CUDA_VISIBLE_DEVICES", "SLURM_GPUS_ON_NODE")
TWO_GPUS = {"SLURM_GPUS_ON_NODE": "2", "CUDA_VISIBLE_DEVICES": "0,1"}
# Four GPUs, of which others use the last; it reports those that it is asked for.
SHARED = """for word; do [[ $word != --id=* ]] || ids=${word#--id=}; done
for id in ${ids//,/ }; do echo "$id, $((id == 3 ? 30000 : 1)), 0"; done"""


def check_health(folder: Path, smi: str | None, **environment: str) -> tuple[int, str]:
    """Exit status and output of slurm/node/health_check; `smi`: the node's nvidia-smi, in shell."""
    if smi is not None:
        (folder / "nvidia-smi").write_text(f"#!/bin/bash\n{smi}\n")
        (folder / "nvidia-smi").chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    inherited = {k: v for k, v in os.environ.items() if k not in UNSET}
    process = subprocess.run(
        [ROOT / "slurm/node/health_check"],
        env=inherited | {"PATH": path} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return process.returncode, process.stdout.strip()


@pytest.mark.parametrize(
    ("smi", "environment", "reason"),
    [
        ('echo "0, 1, 0"; echo "1, 1, 5"', TWO_GPUS, "GPU 1 has 5 memory errors"),
        ('echo "0, 1, 0"; echo "1, 30000, 0"', TWO_GPUS, "GPU 1: 30000 MB are in use by others"),
        ('echo "0, 1, 0"', TWO_GPUS, "1 of 2 GPUs respond"),
        ("echo Driver/library version mismatch; exit 18", TWO_GPUS, "nvidia-smi: Driver/library"),
        (None, {}, "nvidia-smi is not on PATH"),
        (None, {"MIN_FREE_GB": "1000000000"}, "GB of disk are free in"),
        (None, {"MIN_MEMORY_GB": "1000000000"}, "GB of memory are free"),
    ],
    ids=["errors", "in use", "missing", "driver", "no driver", "disk", "memory"],
)
def test_a_node_that_is_not_fit_says_why(tmp_path, smi, environment, reason):
    status, output = check_health(tmp_path, smi, **environment)
    assert status == 1
    assert reason in output


@pytest.mark.parametrize(
    ("smi", "environment"),
    [
        ('echo "0, 1, 0"; echo "1, 1, [N/A]"', TWO_GPUS),
        (SHARED, {"SLURM_GPUS_ON_NODE": "2"}),
        (SHARED, {}),
        (None, {"DS_ACCELERATOR": "cpu"}),
    ],
    ids=["two GPUs", "the first two of a machine", "the first of a machine", "a rehearsal"],
)
def test_a_node_that_is_fit_says_nothing(tmp_path, smi, environment):
    assert check_health(tmp_path, smi, **environment) == (0, "")
