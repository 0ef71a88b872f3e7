"""How much of this machine torch may use; set on purpose, since it changes speed and rounding."""

import os

import torch


def limit_threads(threads: int) -> None:
    """Use `threads` CPU threads per process; OMP_NUM_THREADS, as torchrun sets it, wins."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", threads)))
