"""Tune all parameters on packs; a killed run resumes from its checkpoint in scratch/train/."""

import sys
from pathlib import Path

import datasets

from agent_tuning.files import csv_records, metrics_file
from agent_tuning.runtime import cli, config
from agent_tuning.runtime.cpu import configure_threads
from agent_tuning.training import distributed, export
from agent_tuning.training.dataset import PackDataset
from agent_tuning.training.train_log import TrainStep, collect_steps, summarize
from agent_tuning.training.trainer import TrainConfig, build_trainer, open_run
from agent_tuning.training.validation import ValidationConfig, Validator


def main(
    packs: Path,
    base: Path,
    code: Path,
    zero3: Path,
    model: Path,
    log: Path,
    metrics: Path,
    *,
    validation: Path | None = None,
    validation_log: Path | None = None,
) -> None:
    train = config.load("train", TrainConfig)
    configure_threads(train.threads, exact=train.precision == "float32")
    datasets.disable_progress_bars()
    distributed.join_ranks()
    inputs = [packs, base, code, zero3]
    run, checkpoint = open_run(train, inputs)
    rows = datasets.Dataset.from_parquet(str(packs), cache_dir=str(run / "packs"))
    ranks = distributed.world_size()
    dataset = PackDataset(rows, train.epochs, train.seed, ranks, train.packs_per_step)
    validators = []
    if validation:
        validators = [Validator(validation, config.load("validate", ValidationConfig), run)]
    trainer, monitor = build_trainer(train, dataset, base, run, zero3, validators)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if monitor.stopped:
        sys.exit(cli.EXIT_UNFINISHED)
    export.save_model(trainer, base, model)
    if distributed.is_rank0():
        steps = collect_steps(trainer.state.log_history)
        results = summarize(steps)
        csv_records.write(log, TrainStep, steps)
        if validators and validation_log:
            validators[0].write(validation_log, len(steps))
        metrics_file.write(metrics, results)
        export.write_model_card(model, base, inputs, train, results)
        first, last = results["first_loss"], results["last_loss"]
        print(f"{model}: {len(steps)} steps, loss {first:.3f} -> {last:.3f}")


if __name__ == "__main__":
    cli.run(main)
