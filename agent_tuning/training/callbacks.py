"""What happens around training steps: progress, signals, and marking checkpoints as complete."""

import math
import signal
import time
from pathlib import Path

import torch
from transformers import (
    PreTrainedModel,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from agent_tuning.records import BadInput
from agent_tuning.runtime.cpu import release_free_memory
from agent_tuning.runtime.progress import Progress
from agent_tuning.training import checkpoints, distributed
from agent_tuning.training.layer_progress import LayerProgress
from agent_tuning.training.throughput import ThroughputLog

# Share of the memory that the process may have. While it holds more after a step, the heap's free
# pages go back to the system. So it fits into 8 GB, for a sixth of the speed.
HEAP_SHARE = 0.4


class RunMonitor(TrainerCallback):
    """Shows progress and marks checkpoints. On USR1, TERM or Ctrl-C it saves one and stops.

    A second Ctrl-C stops at once, without one.

    One rank that gets the signal is enough: all ranks save the same step. `stopped` says that
    training ended that way. Every start of a run, also a resumed one, saves its first checkpoint
    after the last step that ends within `first_save_s` seconds.
    """

    def __init__(self, throughput: ThroughputLog, first_save_s: float) -> None:
        self.throughput = throughput
        self.first_save_s = first_save_s
        self.saved = False
        self.started = self.step_started = time.monotonic()
        self.stop_requested = False
        self.stopped = False
        self.progress: Progress | None = None
        self.layers: LayerProgress | None = None
        for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._request_stop)

    def _request_stop(self, number: int, _: object) -> None:
        if number == signal.SIGINT:
            signal.signal(number, signal.default_int_handler)
            print("stopping after this step; Ctrl-C again stops at once", flush=True)
        self.stop_requested = True

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: PreTrainedModel | None = None,
        **_: object,
    ) -> None:
        self.progress = Progress("train", state.max_steps, state.global_step)
        if args.use_cpu and model is not None and distributed.is_rank0():  # a GPU's steps are short
            packs = args.gradient_accumulation_steps
            self.layers = LayerProgress(model, packs, self.progress.show_part)
        self.started = self.step_started = time.monotonic()
        self.throughput.start()

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        if self.layers:
            self.layers.start()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        if self.layers:
            self.layers.stop()
        # A rank that stopped or saved alone would leave the others waiting for ever.
        wishes = [self.stop_requested, self._is_first_save_due()]
        flags = torch.tensor(wishes, dtype=torch.int32, device=args.device)
        if torch.distributed.is_initialized():
            torch.distributed.all_reduce(flags, torch.distributed.ReduceOp.MAX)
        stop, save = flags.tolist()
        if stop:
            self.stopped = control.should_training_stop = True
        if stop or save:
            control.should_save = True
        release_free_memory(HEAP_SHARE)
        if distributed.is_rank0():
            self.throughput.step(state.global_step)

    def _is_first_save_due(self) -> bool:
        """True if there is no checkpoint yet and the next step would end too late for one."""
        now = time.monotonic()
        seconds, self.step_started = now - self.step_started, now
        return not self.saved and now - self.started + seconds > self.first_save_s

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
            if self.stopped:
                print(f"train: stopped by a signal after step {state.global_step}", flush=True)
            folder = f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
            checkpoints.mark_complete(Path(str(args.output_dir)) / folder, distributed.world_size())
        self.saved = True
        self.step_started = time.monotonic()
        self.throughput.start()
