"""What happens around training steps: progress, signals, and marking checkpoints as complete."""

import math
import signal
from pathlib import Path

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from agent_tuning.records import BadInput
from agent_tuning.runtime.progress import Progress
from agent_tuning.training import checkpoints, distributed
from agent_tuning.training.throughput import ThroughputLog


class RunMonitor(TrainerCallback):
    """Shows progress and marks checkpoints. On USR1 or TERM it saves one and stops training.

    One rank that gets the signal is enough: all ranks save the same step. `stopped` says that
    training ended that way.
    """

    def __init__(self, throughput: ThroughputLog) -> None:
        self.throughput = throughput
        self.stop_requested = False
        self.stopped = False
        self.progress: Progress | None = None
        for number in (signal.SIGUSR1, signal.SIGTERM):
            signal.signal(number, self._request_stop)

    def _request_stop(self, *_: object) -> None:
        self.stop_requested = True

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        self.progress = Progress("train", state.max_steps, state.global_step)
        self.throughput.start()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        # A rank that stopped alone would leave the others waiting for ever.
        flag = torch.tensor(int(self.stop_requested), device=args.device)
        if torch.distributed.is_initialized():
            torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX)
        if flag.item():
            self.stopped = control.should_save = control.should_training_stop = True
        if distributed.is_rank0():
            self.throughput.step(state.global_step)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: object,
    ) -> None:
        if not logs or "loss" not in logs:
            return
        step, loss, norm = state.global_step, logs["loss"], logs["grad_norm"]
        if not math.isfinite(loss):  # the same on every rank
            raise BadInput(f"step {step}: loss is {loss}; try a lower train.learning_rate")
        if not distributed.is_rank0():
            return
        if not math.isfinite(norm):
            print(f"step {step}: gradient norm is {norm}; DeepSpeed skips the step", flush=True)
        if self.progress:
            self.progress.show(step, f"loss {loss:.3f}, {self.throughput.note()}")

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        if torch.distributed.is_initialized():
            torch.distributed.barrier()  # the marker covers the shards of every rank
        if distributed.is_rank0():
            folder = f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
            checkpoints.mark_complete(Path(str(args.output_dir)) / folder, distributed.world_size())
        self.throughput.start()
