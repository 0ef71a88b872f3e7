"""The Hugging Face Trainer for packs: its config, its loss, and how a run of it is set up."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from agent_tuning.model.flash_attention import KernelName, find_kernel
from agent_tuning.model.flops import read_model_shape
from agent_tuning.model.load_model import check_files, load_model, read_vocabulary_size
from agent_tuning.model.loss import attach_loss_head, supervised_loss
from agent_tuning.model.recompute import recompute_cheap_activations
from agent_tuning.model.shared_prefix_attention import PackLayout
from agent_tuning.records import BadInput, Record
from agent_tuning.runtime.cpu import has_bf16, has_small_memory
from agent_tuning.runtime.ranges import (
    AboveZero,
    AtLeastOne,
    Count,
    Seconds,
    Seed,
    Share,
    ShareAboveZero,
    ShareBelowOne,
    Threads,
)
from agent_tuning.tokens import pack_file
from agent_tuning.training import distributed, export, run_dir, zero3
from agent_tuning.training.callbacks import RunMonitor
from agent_tuning.training.dataset import PackDataset, collate
from agent_tuning.training.integrations import liger_arguments, reporting_arguments
from agent_tuning.training.throughput import ThroughputLog

IN_SMALL_MEMORY = 4  # every n-th layer is computed again: the same bytes, about 5 % more arithmetic


class TrainConfig(Record, frozen=True):
    seed: Seed
    epochs: AtLeastOne
    packs_per_step: AtLeastOne
    learning_rate: ShareAboveZero
    warmup_ratio: ShareBelowOne
    weight_decay: Share
    max_grad_norm: AboveZero
    precision: Literal["auto", "float32"]
    activation_checkpointing_every: Count
    gpu_attention: KernelName
    liger: bool
    report_to: Literal["none", "tensorboard", "wandb"]
    first_save_s: Seconds
    save_steps: AtLeastOne
    threads: Threads
    steps: AtLeastOne | None = None


class PackTrainer(Trainer):  # type: ignore[misc] # transformers is not typed
    """The Trainer with a weighted loss over the supervised positions of a pack."""

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """The weighted sum of cross-entropy over the tokens of the whole global batch.

        It is exact for any packs, ranks and accumulation: every rank divides by the same count.
        """
        assert not return_outputs, "a pack is trained on, not evaluated"
        targets = inputs.pop("labels")[0, 1:]  # `collate` says why not the first one
        loss = supervised_loss(model, inputs, targets, inputs.pop("weights"))
        count = len(targets) if num_items_in_batch is None else num_items_in_batch
        # Gradients are averaged over ranks, and the count is over all of them already.
        processes: int = self.accelerator.num_processes
        return loss / count * processes


def open_run(
    config: TrainConfig,
    packs: Path,
    base: Path,
    others: Sequence[Path],
    validation: Path | None = None,
) -> tuple[Path, Path | None]:
    """The run's folder, and the checkpoint to resume from. Rank 0 looks, and all ranks get it.

    Raises BadInput if the packs of a step are no multiple of the ranks, and if packs or base cannot
    be trained on: what would fail after hours is found here.
    """

    def check_and_open() -> tuple[Path, Path | None]:
        check(config)
        print(f"train: {describe_device(config)}", flush=True)
        check_files(base)
        export.check_tokenizer(base)
        vocabulary = read_vocabulary_size(base)
        pack_file.check(packs, vocabulary)
        if validation:
            pack_file.check(validation, vocabulary, may_be_empty=True)
        return run_dir.open_run_dir(config, [packs, base, *others])

    return distributed.run_on_rank0_and_broadcast(check_and_open)


def describe_device(config: TrainConfig) -> str:
    """What trains, in words. Raises BadInput if its attention kernel is missing."""
    if not torch.cuda.is_available():
        return "on the CPU"
    kernel = find_kernel(config.gpu_attention) if config.precision == "auto" else None
    how = f"the kernel of {config.gpu_attention}" if kernel else "torch's general attention"
    return f"on {distributed.world_size()} x {torch.cuda.get_device_name()}, with {how}"


def check(config: TrainConfig) -> None:
    if config.packs_per_step % distributed.world_size():
        raise BadInput(
            f"params.yaml: train.packs_per_step = {config.packs_per_step} is not a multiple of the"
            f" {distributed.world_size()} ranks"
        )


def build_trainer(
    config: TrainConfig,
    dataset: PackDataset,
    base: Path,
    run: Path,
    zero3_file: Path,
    callbacks: Sequence[TrainerCallback] = (),
) -> tuple[Trainer, RunMonitor]:
    """The Trainer of the model in the folder `base`; checkpoints and speed.jsonl go to `run`."""
    PackLayout.choose_kernel(config.gpu_attention)
    shape = read_model_shape(base)
    deepspeed = (
        zero3.build_deepspeed_config(zero3_file, shape) if distributed.world_size() > 1 else None
    )
    # The arguments come before the model: with them, a rank loads only its part of the weights.
    arguments = training_arguments(config, run, deepspeed)
    # DeepSpeed keeps a float32 copy of bf16 weights. Without it the weights are float32, and only
    # products are bf16.
    bf16_weights = arguments.bf16 and arguments.deepspeed
    model = load_model(base, torch.bfloat16 if bf16_weights else torch.float32)
    model.config.use_cache = False
    # A checkpoint has tied weights once: a resume would warn that the other name is missing.
    model._keys_to_ignore_on_save.update(model.all_tied_weights_keys)
    throughput = ThroughputLog(run / "speed.jsonl", dataset, config.packs_per_step, shape)
    monitor = RunMonitor(throughput, config.first_save_s)
    trainer = PackTrainer(
        model=model,
        args=arguments,
        train_dataset=dataset,
        data_collator=collate,
        callbacks=[monitor, *callbacks],
    )
    attach_loss_head(model)
    if arguments.use_cpu and not deepspeed:  # DeepSpeed's hooks expect to see every call whole
        recompute_cheap_activations(model)
    trainer.remove_callback(PrinterCallback)
    return trainer, monitor


def training_arguments(
    config: TrainConfig, run: Path, deepspeed: dict[str, Any] | None
) -> TrainingArguments:
    on_gpu = torch.cuda.is_available()
    checkpointing_every = config.activation_checkpointing_every
    if not on_gpu and not checkpointing_every and has_small_memory():
        checkpointing_every = IN_SMALL_MEMORY
    # Several ranks on CPUs are the tests' own; they train in float32.
    bf16 = config.precision == "auto" and (on_gpu or (not deepspeed and has_bf16()))
    return TrainingArguments(
        output_dir=str(run),
        use_cpu=not on_gpu,
        bf16=bf16,
        deepspeed=deepspeed,
        ddp_timeout=int(distributed.TIMEOUT.total_seconds()),
        seed=config.seed,
        num_train_epochs=1,  # PackDataset repeats the packs: a resume within any epoch is exact
        train_sampling_strategy="sequential",
        per_device_train_batch_size=1,
        gradient_accumulation_steps=config.packs_per_step // distributed.world_size(),
        learning_rate=config.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=config.warmup_ratio,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        optim="adamw_torch_fused",
        activation_checkpointing=checkpointing_every > 0,
        activation_checkpointing_kwargs=(
            {"every_n_layers": checkpointing_every} if checkpointing_every else None
        ),
        logging_steps=1,
        logging_nan_inf_filter=False,  # the filter shows an old loss in place of nan
        save_steps=config.save_steps,
        save_total_limit=2,
        remove_unused_columns=False,
        disable_tqdm=True,
        dataloader_pin_memory=on_gpu,
        **reporting_arguments(config.report_to),
        **liger_arguments(config.liger),
    )
