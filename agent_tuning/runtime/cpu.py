"""Threads and matrix products on a CPU: call `configure_threads` before a model is loaded."""

import ctypes
import os
from functools import cache
from pathlib import Path

import torch
from transformers.utils import logging

from agent_tuning.records import BadInput

# glibc's mallopt(3).
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
GIGABYTE = 2**30
SMALL_MEMORY = 12 * 10**9  # bytes that the process may have, such as on a laptop of 8 GB
LARGE_TENSOR = 32 * 2**20  # bytes


def configure_threads(threads: int, exact: bool = False) -> None:
    """Use `threads` CPU threads, and turn off the progress bars of transformers.

    The number of threads is fixed because it changes speed and rounding. OMP_NUM_THREADS, which
    torchrun sets for its ranks, overrides it. `exact`: plain float32 products on every CPU. Raises
    what `check_gpus` does.
    """
    check_gpus()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", threads)))
    if not torch.cuda.is_available():
        os.environ.setdefault("DS_ACCELERATOR", "cpu")  # or DeepSpeed warns that it guessed
        _enable_fast_cpu_matmul()
    if exact:
        torch.set_float32_matmul_precision("highest")
    logging.disable_progress_bar()


def check_gpus() -> None:
    """Raise BadInput where GPUs are meant and torch can use none: a CPU would work for weeks.

    GPUs are meant in a Slurm job that has some, and by several ranks. DS_ACCELERATOR=cpu says that
    CPUs are meant.
    """
    if torch.cuda.is_available() or os.environ.get("DS_ACCELERATOR") == "cpu":
        return
    gpus, ranks = (int(os.environ.get(name) or 0) for name in ("SLURM_GPUS_ON_NODE", "WORLD_SIZE"))
    if gpus or ranks > 1:
        built = f"CUDA {torch.version.cuda}" if torch.version.cuda else "no CUDA"
        raise BadInput(
            f"torch {torch.__version__}, built for {built}, can use none of this machine's GPUs;"
            " `nvidia-smi` shows the newest CUDA that the driver knows. To rehearse on CPUs, set"
            " DS_ACCELERATOR=cpu"
        )


def has_bf16() -> bool:
    """True if this CPU has bf16 units. Without them bf16 is 30 times slower than float32."""
    units = torch.cpu.get_capabilities()
    return bool(units.get("avx512_bf16") or units.get("amx_bf16"))


def _enable_fast_cpu_matmul() -> None:
    """Double the speed on a CPU; weights, sums and optimizer stay float32.

    Torch multiplies with MKL by default, which uses the vector units of its own maker's CPUs only.
    The precision "medium" makes torch use oneDNN, which uses those of every CPU. Where a CPU has
    bf16 tiles (AMX), oneDNN then rounds the factors of a product to bf16; elsewhere it is plain
    float32. Freed memory is kept, because fresh pages cost more than the arithmetic on them. Only
    where memory is small do large tensors go back at once, in huge pages, which cost little.
    """
    torch.set_float32_matmul_precision("medium")
    is_small = has_small_memory()
    if is_small:
        os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch reads it at its first tensor
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):  # glibc only
        libc.mallopt(M_MMAP_THRESHOLD, LARGE_TENSOR if is_small else GIGABYTE)
        libc.mallopt(M_TRIM_THRESHOLD, GIGABYTE)


def has_small_memory() -> bool:
    """True on such as a laptop of 8 GB, where memory is worth some time."""
    return count_allowed_bytes() < SMALL_MEMORY


def release_free_memory(above: float = 0.0) -> None:
    """Give free pages of the heap back to the system.

    Tensors of packs of different lengths leave holes of different sizes. Without this the heap of
    a training run grows from step to step. The next step needs fresh pages, which takes time:
    nothing is done while the process holds at most a share `above` (0-1) of what it may have.
    """
    if above and count_resident_bytes() <= above * count_allowed_bytes():
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # glibc only
        libc.malloc_trim(0)


@cache
def count_allowed_bytes(
    groups: Path = Path("/proc/self/cgroup"), tree: Path = Path("/sys/fs/cgroup")
) -> int:
    """The memory that this process may have: the machine's, or the least of its containers'.

    `groups` names the cgroups of the process, and `tree` holds their limits, of version 1 or 2.
    """
    allowed = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = _read_container_limits(groups, tree) if groups.exists() else ()
    return min(allowed, *limits) if limits else allowed


def _read_container_limits(groups: Path, tree: Path) -> list[int]:
    limits = []
    for line in groups.read_text().splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        file = "memory.limit_in_bytes" if controllers else "memory.max"
        inner = tree / controllers / group.lstrip("/")
        for folder in (inner, *inner.parents):
            if folder.is_relative_to(tree) and (folder / file).exists():
                limits.append((folder / file).read_text().strip())
    return [int(limit) for limit in limits if limit.isdigit()]  # "max" is none


def count_resident_bytes() -> int:
    """The memory that this process holds (RSS); 0 where the system does not say."""
    statm = Path("/proc/self/statm")
    pages = int(statm.read_text().split()[1]) if statm.exists() else 0
    return pages * os.sysconf("SC_PAGE_SIZE")
