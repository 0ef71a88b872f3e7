"""What a stage asks of this machine before it loads a model."""

import ctypes
import os

import torch
from transformers.utils import logging

# glibc's mallopt(3).
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
GIGABYTE = 2**30


def configure_threads(threads: int, exact: bool = False) -> None:
    """Use `threads` CPU threads, and print nothing but the stage's own lines.

    Threads are set on purpose: their number changes speed and rounding. OMP_NUM_THREADS, which
    torchrun sets for its ranks, wins. `exact`: float32 products, whatever the CPU has units for.
    """
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", threads)))
    if not torch.cuda.is_available():
        os.environ.setdefault("DS_ACCELERATOR", "cpu")  # else DeepSpeed warns that it guesses so
        _hurry()
    if exact:
        torch.set_float32_matmul_precision("highest")
    logging.disable_progress_bar()


def has_bf16() -> bool:
    """Does this CPU have units for bf16? Without them it is 30 times slower than float32."""
    units = torch.cpu.get_capabilities()
    return bool(units.get("avx512_bf16") or units.get("amx_bf16"))


def _hurry() -> None:
    """Twice the speed on a CPU, with float32 weights, sums and optimizer.

    oneDNN multiplies with every vector unit of the CPU; MKL, the default, with those it knows of
    its maker's. "medium" is what makes torch ask oneDNN at all: it permits, where the CPU has
    bf16 tiles (AMX), products of rounded factors, and is plain float32 elsewhere.
    Freed memory is kept: fresh pages cost more than the arithmetic on them.
    """
    torch.set_float32_matmul_precision("medium")
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):  # another C library has its own ways
        libc.mallopt(M_MMAP_THRESHOLD, GIGABYTE)
        libc.mallopt(M_TRIM_THRESHOLD, GIGABYTE)
