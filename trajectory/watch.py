"""What happens around training steps: progress, signals, and the marker of a whole checkpoint."""

import signal
from pathlib import Path

import torch
from torch import distributed
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from trajectory import checkpoints
from trajectory.progress import Progress
from trajectory.rows import Rows


class Watch(TrainerCallback):
    """USR1 or TERM on any rank: every rank saves the same step, then training stops."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.asked = False
        self.stopped = False
        self.progress: Progress | None = None
        for number in (signal.SIGUSR1, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked = True

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        self.progress = Progress("train", state.max_steps, state.global_step)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        # One rank that stops alone would leave the others waiting for ever.
        flag = torch.tensor(int(self.asked), device=args.device)
        if distributed.is_initialized():
            distributed.all_reduce(flag, distributed.ReduceOp.MAX)
        if flag.item():
            self.stopped = control.should_save = control.should_training_stop = True

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: object,
    ) -> None:
        if self.progress and state.is_world_process_zero and logs and "loss" in logs:
            self.progress.show(state.global_step, f"loss {logs['loss']:.3f}")

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        if distributed.is_initialized():
            distributed.barrier()  # the marker vouches for every rank's shards
        if state.is_world_process_zero:
            folder = f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
            checkpoints.complete(Path(str(args.output_dir)) / folder)
