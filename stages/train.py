"""Tune all parameters on packs of token ids; knows no template and no tool.

reads   data/packs.parquet      ids, weights, spans
        data/base/              the model to start from
        data/code_hashes/train.json  hash of this code
        slurm/zero3.json        how several processes share the model's states
writes  models/tuned/           safetensors, tokenizer, README.md with inputs and parameters
        data/train_log.csv      loss, lr, grad_norm of every step
        metrics/train.json      first and last loss

Runs as one process, or under torchrun as many with DeepSpeed ZeRO-3. Checkpoints and speed.jsonl
live in scratch/train/, in a folder named by a hash of all inputs. A killed run resumes: start the
same command again. Changed inputs start a new run.
"""

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


def main(
    packs: Path, base: Path, code: Path, zero3: Path, model: Path, log: Path, metrics: Path
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
    trainer, monitor = build_trainer(train, dataset, base, run, zero3)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if monitor.stopped:
        sys.exit(cli.EXIT_UNFINISHED)
    export.save_model(trainer, base, model)
    if distributed.is_rank0():
        steps = collect_steps(trainer.state.log_history)
        results = summarize(steps)
        csv_records.write(log, TrainStep, steps)
        metrics_file.write(metrics, results)
        export.write_model_card(model, base, inputs, train, results)
        first, last = results["first_loss"], results["last_loss"]
        print(f"{model}: {len(steps)} steps, loss {first:.3f} -> {last:.3f}")


if __name__ == "__main__":
    cli.run(main)
