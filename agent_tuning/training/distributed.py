"""The processes of one run: one, or under torchrun one a GPU.

What only one of them should do (read all inputs, look for a checkpoint) rank 0 does for all, so
they never disagree, and what it refuses is said once.
"""

import os
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar, cast

import torch
from torch import distributed

from agent_tuning.records import BadInput

# A rank waits so long for the others: reading 145 GB of weights and saving 1 TB are no hang.
TIMEOUT = timedelta(hours=1)
T = TypeVar("T")


def world_size() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_rank0() -> bool:
    return int(os.environ.get("RANK", "0")) == 0


def join_ranks() -> None:
    """Meet the other ranks. Before TrainingArguments: else DeepSpeed believes that it is alone."""
    if world_size() == 1:
        return
    import deepspeed

    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))  # NCCL sends from the current one
    deepspeed.init_distributed(dist_backend="nccl" if on_gpu else "gloo", timeout=TIMEOUT)


def run_on_rank0_and_broadcast(make: Callable[[], T]) -> T:
    """What `make` returns on rank 0, on every rank. BadInput there ends the others silently."""
    said: list[T | BadInput | None] = [None]
    if is_rank0():
        try:
            said = [make()]
        except BadInput as error:
            said = [error]
    if world_size() > 1:
        distributed.broadcast_object_list(said)
    if isinstance(said[0], BadInput):
        if is_rank0():
            raise said[0]
        sys.exit(1)
    return cast(T, said[0])
