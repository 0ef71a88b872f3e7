"""The processes of one run: a single one, or under torchrun one for each GPU.

Rank 0 does for all ranks what one should do alone: it reads the inputs and looks for a checkpoint.
So ranks never disagree, and an error is printed once.
"""

import os
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import NoReturn, TypeVar, cast

import torch
from torch import distributed

from agent_tuning.records import BadInput, Unfinished
from agent_tuning.runtime.cli import EXIT_UNFINISHED

# How long a rank waits for the others: reading 145 GB of weights and saving 1 TB takes a while.
TIMEOUT = timedelta(hours=1)
T = TypeVar("T")


def world_size() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_rank0() -> bool:
    return int(os.environ.get("RANK", "0")) == 0


def join_ranks() -> None:
    """Connect to the other ranks.

    Call it before TrainingArguments are made: otherwise DeepSpeed assumes that there is one rank.
    """
    if world_size() == 1:
        return
    import deepspeed

    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))  # NCCL sends from the current one
    deepspeed.init_distributed(dist_backend="nccl" if on_gpu else "gloo", timeout=TIMEOUT)


def wait_for_all() -> None:
    """Return when every rank has come here."""
    if world_size() > 1:
        distributed.barrier()


def stop(note: str) -> NoReturn:
    """End every rank as unfinished; rank 0 says the note."""
    if is_rank0():
        raise Unfinished(note)
    sys.exit(EXIT_UNFINISHED)


def run_on_rank0_and_broadcast(function: Callable[[], T]) -> T:
    """Call `function` on rank 0; return its result on every rank.

    If it raises BadInput, rank 0 raises it and the other ranks exit with status 1, silently.
    """
    results: list[T | BadInput | None] = [None]
    if is_rank0():
        try:
            results = [function()]
        except BadInput as error:
            results = [error]
    if world_size() > 1:
        distributed.broadcast_object_list(results)
    if isinstance(results[0], BadInput):
        if is_rank0():
            raise results[0]
        sys.exit(1)
    return cast(T, results[0])
