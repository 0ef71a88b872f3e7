"""A CPU never takes the place of GPUs in silence, and its heap stays within a share of memory."""

import os
import subprocess
import sys

import pytest
import torch

from agent_tuning.runtime import cpu

CHECK = "from agent_tuning.runtime import cli, cpu; cli.run(lambda: cpu.configure_threads(1))"
MEANT = ("DS_ACCELERATOR", "SLURM_GPUS_ON_NODE", "WORLD_SIZE")


def check(**environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name not in MEANT}
    return subprocess.run(
        [sys.executable, "-c", CHECK],
        env=inherited | {"CUDA_VISIBLE_DEVICES": ""} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("meant", [{"SLURM_GPUS_ON_NODE": "4"}, {"WORLD_SIZE": "2"}])
def test_a_job_with_gpus_that_torch_cannot_use_is_one_clear_line(meant):
    done = check(**meant)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: torch {torch.__version__}, built for ")
    assert "set DS_ACCELERATOR=cpu" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "meant", [{}, {"WORLD_SIZE": "1"}, {"SLURM_GPUS_ON_NODE": "4", "DS_ACCELERATOR": "cpu"}]
)
def test_a_cpu_that_is_meant_computes(meant):
    done = check(**meant)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("group", "limits", "allowed"),
    [
        ("0::/outer/own", {"outer/own/memory.max": "3000", "outer/memory.max": "2000"}, 2000),
        ("0::/outer/own", {"outer/own/memory.max": "max", "outer/memory.max": "2000"}, 2000),
        ("7:memory:/own", {"memory/own/memory.limit_in_bytes": "5000"}, 5000),
        # What a container sees: its own limit stands at the root, under a name that is not there.
        ("7:memory:/docker/1a", {"memory/memory.limit_in_bytes": "6000"}, 6000),
        ("7:memory:/own", {"memory/own/memory.limit_in_bytes": "9223372036854771712"}, None),
        ("3:cpu:/own", {"cpu/own/memory.max": "4000"}, None),
        ("0::/", {}, None),
    ],
)
def test_memory_is_the_machine_s_or_the_least_of_the_containers(tmp_path, group, limits, allowed):
    groups, tree = tmp_path / "cgroup", tmp_path / "tree"
    groups.write_text(f"5:pids:/else\n{group}\n")
    for name, limit in limits.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(limit + "\n")
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert cpu.count_allowed_bytes(groups, tree) == (allowed or machine)
    assert cpu.count_allowed_bytes(tmp_path / "not there", tree) == machine


HOLES = """
import torch
from agent_tuning.runtime import cpu
cpu.configure_threads(1)
for share in (0.9, 0.00001, 0):
    kept = [torch.ones(2**18) for _ in range(200)][::2]  # 1 MB each; every second one is a hole
    before = cpu.count_resident_bytes()
    cpu.release_free_memory(share)
    print((before - cpu.count_resident_bytes()) // 10**6)
"""


def test_free_pages_go_back_only_above_the_share():
    done = subprocess.run([sys.executable, "-c", HOLES], capture_output=True, text=True, check=True)
    below, above, always = map(int, done.stdout.split())
    assert below < 10  # the process itself breathes
    assert above > 80
    assert always > 80


FREED = """
import sys, torch
from agent_tuning.runtime import cpu
cpu.count_allowed_bytes = lambda: int(sys.argv[1])
cpu.configure_threads(1)
tensor = torch.ones(2**26)  # 268 MB
before = cpu.count_resident_bytes()
del tensor
print((before - cpu.count_resident_bytes()) // 10**6)
"""


@pytest.mark.parametrize(("gigabytes", "goes_back"), [(8, True), (24, False)])
def test_a_large_tensor_goes_back_at_once_only_where_memory_is_small(gigabytes, goes_back):
    command = [sys.executable, "-c", FREED, str(gigabytes * 10**9)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (int(done.stdout) > 200) == goes_back
