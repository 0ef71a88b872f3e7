"""Threads and matrix products on a CPU: call `configure_threads` before a model is loaded."""

import ctypes
import os

import torch
from transformers.utils import logging

# glibc's mallopt(3).
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
GIGABYTE = 2**30


def configure_threads(threads: int, exact: bool = False) -> None:
    """Use `threads` CPU threads, and turn off the progress bars of transformers.

    The number of threads is fixed because it changes speed and rounding. OMP_NUM_THREADS, which
    torchrun sets for its ranks, overrides it. `exact`: plain float32 products on every CPU.
    """
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", threads)))
    if not torch.cuda.is_available():
        os.environ.setdefault("DS_ACCELERATOR", "cpu")  # or DeepSpeed warns that it guessed
        _enable_fast_cpu_matmul()
    if exact:
        torch.set_float32_matmul_precision("highest")
    logging.disable_progress_bar()


def has_bf16() -> bool:
    """True if this CPU has bf16 units. Without them bf16 is 30 times slower than float32."""
    units = torch.cpu.get_capabilities()
    return bool(units.get("avx512_bf16") or units.get("amx_bf16"))


def _enable_fast_cpu_matmul() -> None:
    """Double the speed on a CPU; weights, sums and optimizer stay float32.

    Torch multiplies with MKL by default, which uses the vector units of its own maker's CPUs only.
    The precision "medium" makes torch use oneDNN, which uses those of every CPU. Where a CPU has
    bf16 tiles (AMX), oneDNN then rounds the factors of a product to bf16; elsewhere it is plain
    float32. Freed memory is kept, because fresh pages cost more than the arithmetic on them.
    """
    torch.set_float32_matmul_precision("medium")
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):  # glibc only
        libc.mallopt(M_MMAP_THRESHOLD, GIGABYTE)
        libc.mallopt(M_TRIM_THRESHOLD, GIGABYTE)
