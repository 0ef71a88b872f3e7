"""Tune all parameters on packs of token ids; knows no template and no tool.

reads   data/packs.parquet      ids, labels, spans
        data/base/              the model to start from
        data/fingerprint/train.json  this code
        slurm/zero3.json        how several processes share the model's states
writes  models/tuned/           safetensors, tokenizer, README.md that says how they came about
        data/train_log.csv      loss, lr, grad_norm of every step
        metrics/train.json      first and last loss

Runs as one process, or under torchrun as many with DeepSpeed ZeRO-3. Checkpoints and speed.jsonl
live in scratch/, named by all that went in: the same command goes on where a killed run stopped,
changed data never does.
"""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import datasets
import msgspec
import torch
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from agent_tuning.files import csv_records, metrics_file
from agent_tuning.model.flops import ModelShape, read_model_shape
from agent_tuning.model.loss import LossHead, attach_loss_head
from agent_tuning.model.shared_prefix_attention import SHARED_PREFIX
from agent_tuning.records import BadInput, Record
from agent_tuning.runtime import cli, config
from agent_tuning.runtime.cpu import configure_threads, has_bf16
from agent_tuning.training import distributed, export, run_dir, zero3
from agent_tuning.training.callbacks import RunMonitor
from agent_tuning.training.dataset import PackDataset, collate
from agent_tuning.training.integrations import liger_arguments, reporting_arguments
from agent_tuning.training.throughput import ThroughputLog
from agent_tuning.training.train_log import TrainStep, collect_steps, summarize

INTERRUPTED = 75  # EX_TEMPFAIL: the same command goes on from the checkpoint


class TrainConfig(Record, frozen=True):
    seed: int
    epochs: int
    batch: int
    learning_rate: float
    warmup: float
    weight_decay: float
    clip: float
    precision: Literal["auto", "float32"]
    recompute: Annotated[int, msgspec.Meta(ge=0)]
    liger: bool
    report_to: Literal["none", "tensorboard", "wandb"]
    save_steps: int
    threads: int


class PackTrainer(Trainer):
    """The Trainer with a loss over the supervised positions of a pack, each with its weight."""

    head: LossHead

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Sum of weight x cross-entropy over the tokens of the whole global batch.

        Exact for any packs, ranks and accumulation: every rank divides by the same count.
        """
        # The first label is the IGNORED that transformers' own count leaves out.
        targets = inputs.pop("labels")[0, 1:]
        self.head.targets_and_weights = targets, inputs.pop("weights")
        outputs = model(**inputs)
        count = len(targets) if num_items_in_batch is None else num_items_in_batch
        # Gradients are averaged over ranks; the count is over all of them already.
        loss = outputs.logits / count * self.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss


def training_arguments(
    p: TrainConfig, run: Path, deepspeed: dict[str, Any] | None
) -> TrainingArguments:
    on_gpu = torch.cuda.is_available()
    # gloo ranks of the tests stay in float32
    bf16 = p.precision == "auto" and (on_gpu or (not deepspeed and has_bf16()))
    return TrainingArguments(
        output_dir=str(run),
        use_cpu=not on_gpu,
        bf16=bf16,
        deepspeed=deepspeed,
        ddp_timeout=int(distributed.TIMEOUT.total_seconds()),
        seed=p.seed,
        num_train_epochs=1,  # Rows repeats itself: a resume inside a later epoch is then exact
        train_sampling_strategy="sequential",
        per_device_train_batch_size=1,
        gradient_accumulation_steps=p.batch // distributed.world_size(),
        learning_rate=p.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=p.warmup,
        weight_decay=p.weight_decay,
        max_grad_norm=p.clip,
        optim="adamw_torch_fused",
        activation_checkpointing=p.recompute > 0,
        activation_checkpointing_kwargs={"every_n_layers": p.recompute} if p.recompute else None,
        logging_steps=1,
        logging_nan_inf_filter=False,  # it would show an old loss in place of nan
        save_steps=p.save_steps,
        save_total_limit=2,
        remove_unused_columns=False,
        disable_tqdm=True,
        dataloader_pin_memory=on_gpu,
        **reporting_arguments(p.report_to),
        **liger_arguments(p.liger),
    )


def build_trainer(
    p: TrainConfig, rows: PackDataset, base: Path, run: Path, sizes: ModelShape, sharing: Path
) -> tuple[Trainer, RunMonitor]:
    # Settings before the model, or every rank loads all of it.
    settings = training_arguments(
        p,
        run,
        zero3.build_deepspeed_config(sharing, sizes) if distributed.world_size() > 1 else None,
    )
    model = AutoModelForCausalLM.from_pretrained(
        base,
        # Without DeepSpeed's float32 copy the weights themselves are float32, products bf16.
        dtype=torch.bfloat16 if settings.bf16 and settings.deepspeed else torch.float32,
        attn_implementation=SHARED_PREFIX,
        local_files_only=True,
    )
    model.config.use_cache = False
    watch = RunMonitor(ThroughputLog(run / "speed.jsonl", rows, p.batch, sizes))
    made = PackTrainer(
        model=model,
        args=settings,
        train_dataset=rows,
        data_collator=collate,
        callbacks=[watch],
    )
    made.head = attach_loss_head(model)
    made.remove_callback(PrinterCallback)
    return made, watch


def check(p: TrainConfig) -> TrainConfig:
    if p.batch % distributed.world_size():
        raise BadInput(
            f"params.yaml: train.batch = {p.batch} packs do not divide by"
            f" {distributed.world_size()} ranks"
        )
    return p


def main(
    packs: Path, base: Path, code: Path, sharing: Path, target: Path, log: Path, metrics: Path
) -> None:
    p = config.load("train", TrainConfig)
    configure_threads(p.threads, exact=p.precision == "float32")
    datasets.disable_progress_bars()
    distributed.join_ranks()
    inputs = [packs, base, code, sharing]
    run, checkpoint = distributed.run_on_rank0_and_broadcast(
        lambda: run_dir.open_run_dir(check(p), inputs)
    )
    data = datasets.Dataset.from_parquet(str(packs), cache_dir=str(run / "packs"))
    rows = PackDataset(data, p.epochs, p.seed, distributed.world_size(), p.batch)
    made, watch = build_trainer(p, rows, base, run, read_model_shape(base), sharing)
    made.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if watch.stopped:
        sys.exit(INTERRUPTED)
    export.save_model(made, base, target)
    if distributed.is_rank0():
        done = collect_steps(made.state.log_history)
        csv_records.write(log, TrainStep, done)
        measured = summarize(done)
        metrics_file.write(metrics, measured)
        (target / export.CARD_FILE).write_text(
            export.build_model_card(base, inputs, p, measured), encoding="utf-8"
        )
        first, last = measured["first_loss"], measured["last_loss"]
        print(f"{target}: {len(done)} steps, loss {first:.3f} -> {last:.3f}")


if __name__ == "__main__":
    cli.run(main)
