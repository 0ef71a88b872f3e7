"""What a stage asks of this machine before it loads a model."""

import os

import datasets
import torch
from transformers.utils import logging


def prepare(threads: int) -> None:
    """Use `threads` CPU threads, and print nothing but the stage's own lines.

    Threads are set on purpose: their number changes speed and rounding. OMP_NUM_THREADS, which
    torchrun sets for its ranks, wins.
    """
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", threads)))
    if not torch.cuda.is_available():
        os.environ.setdefault("DS_ACCELERATOR", "cpu")  # else DeepSpeed warns that it guesses so
    logging.disable_progress_bar()
    datasets.disable_progress_bars()
