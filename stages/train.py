"""Tune all parameters on packs of token ids; knows no template and no tool.

reads   data/packs.parquet      ids, labels, spans
        data/base/              the model to start from
        data/fingerprint/train.json  this code
        slurm/zero3.json        how several processes share the model's states
writes  models/tuned/           safetensors, tokenizer
        data/train_log.csv      loss, lr, grad_norm of every step
        metrics/train.json      first and last loss

Runs as one process, or under torchrun as many with DeepSpeed ZeRO-3. Checkpoints live in scratch/,
named by all that went in: the same command goes on where a killed run stopped, changed data never
does.
"""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import datasets
import torch
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from trajectory import checkpoints, command, metricfile, params, tables
from trajectory.attention import SHARED_PREFIX
from trajectory.loss import Head, supervised
from trajectory.machine import has_bf16, prepare
from trajectory.records import BadInput, Record
from trajectory.rows import Rows, collate
from trajectory.runkey import run_key
from trajectory.trainlog import TrainStep
from trajectory.watch import Watch

SCRATCH = Path("scratch/train")
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
INTERRUPTED = 75  # EX_TEMPFAIL: the same command goes on from the checkpoint


class Params(Record, frozen=True):
    seed: int
    epochs: int
    batch: int
    learning_rate: float
    warmup: float
    weight_decay: float
    clip: float
    save_steps: int
    threads: int


class PackTrainer(Trainer):
    """The Trainer with a loss over the supervised positions of a pack, each with its weight."""

    head: Head

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
        self.head.truth = targets, inputs.pop("weights")
        outputs = model(**inputs)
        count = len(targets) if num_items_in_batch is None else num_items_in_batch
        # Gradients are averaged over ranks; the count is over all of them already.
        loss = outputs.logits / count * self.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss


def arguments(p: Params, run: Path, zero3: Path) -> TrainingArguments:
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if p.batch % world:
        raise BadInput(f"params.yaml: train.batch = {p.batch} packs do not divide by {world} ranks")
    on_gpu = torch.cuda.is_available()
    if world > 1:
        import deepspeed

        # Before TrainingArguments: else DeepSpeed believes that it is alone.
        deepspeed.init_distributed(dist_backend="nccl" if on_gpu else "gloo")
    return TrainingArguments(
        output_dir=str(run),
        use_cpu=not on_gpu,
        bf16=on_gpu or (world == 1 and has_bf16()),  # gloo ranks of the tests stay in float32
        deepspeed=json.loads(zero3.read_text()) if world > 1 else None,
        seed=p.seed,
        num_train_epochs=1,  # Rows repeats itself: a resume inside a later epoch is then exact
        train_sampling_strategy="sequential",
        per_device_train_batch_size=1,
        gradient_accumulation_steps=p.batch // world,
        learning_rate=p.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=p.warmup,
        weight_decay=p.weight_decay,
        max_grad_norm=p.clip,
        optim="adamw_torch_fused",
        logging_steps=1,
        save_steps=p.save_steps,
        save_total_limit=2,
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to="none",
        dataloader_pin_memory=on_gpu,
    )


def trainer(p: Params, rows: Rows, base: Path, run: Path, zero3: Path) -> tuple[Trainer, Watch]:
    settings = arguments(p, run, zero3)  # before the model, or every rank loads all of it
    model = AutoModelForCausalLM.from_pretrained(
        base,
        # On a CPU the weights stay float32 and only the products are bf16.
        dtype=torch.float32 if settings.use_cpu else torch.bfloat16,
        attn_implementation=SHARED_PREFIX,
        local_files_only=True,
    )
    model.config.use_cache = False
    watch = Watch(rows)
    made = PackTrainer(
        model=model,
        args=settings,
        train_dataset=rows,
        data_collator=collate,
        callbacks=[watch],
    )
    made.head = supervised(model)
    made.remove_callback(PrinterCallback)
    return made, watch


def save(made: Trainer, base: Path, target: Path) -> None:
    """Whole weights as safetensors, with the tokenizer that made the ids."""
    weights = made.accelerator.get_state_dict(made.model_wrapped)
    if made.is_world_process_zero():
        assert made.model is not None
        made.model.config.use_cache = True
        made.model.save_pretrained(target, state_dict=weights)
        for name in TOKENIZER:
            shutil.copy(base / name, target / name)


def main(
    packs: Path, base: Path, fingerprint: Path, zero3: Path, target: Path, log: Path, metrics: Path
) -> None:
    p = params.load("train", Params)
    prepare(p.threads)
    world = int(os.environ.get("WORLD_SIZE", "1"))
    run = SCRATCH / run_key(p, world, [packs, base, fingerprint, zero3])
    rows = Rows(
        datasets.Dataset.from_parquet(str(packs), cache_dir=str(run / "packs")), p.epochs, p.seed
    )
    made, watch = trainer(p, rows, base, run, zero3)
    checkpoint, problems = checkpoints.newest(run)
    if made.is_world_process_zero():
        for problem in problems:
            print(f"passed over: {problem}")
        print(f"resuming from {checkpoint}" if checkpoint else f"checkpoints in {run}", flush=True)
    made.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if watch.stopped:
        sys.exit(INTERRUPTED)
    save(made, base, target)
    if made.is_world_process_zero():
        steps = [
            TrainStep(e["step"], e["loss"], e["learning_rate"], e["grad_norm"])
            for e in made.state.log_history
            if "loss" in e
        ]
        tables.write(log, TrainStep, steps)
        tail = steps[-max(1, len(steps) // 10) :]
        last = sum(step.loss for step in tail) / len(tail)
        metricfile.write(
            metrics, {"steps": len(steps), "first_loss": steps[0].loss, "last_loss": last}
        )
        print(f"{target}: {len(steps)} steps, loss {steps[0].loss:.3f} -> {last:.3f}")


if __name__ == "__main__":
    command.run(main)
