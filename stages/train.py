"""Tune all parameters of the base on packs; a killed run resumes and ends with the same bytes.

reads   packs, base, zero3 (settings of several ranks), code (its hash: other code is another run);
        validation: packs to measure on while training, never trained on
writes  model with its card, log, metrics; validation_log, if and only if there is `validation`
"""

from pathlib import Path

from agent_tuning.files.atomic_write import explain_full_disk
from agent_tuning.records import BadInput
from agent_tuning.runtime import cli, config
from agent_tuning.runtime.cpu import configure_threads
from agent_tuning.training import distributed, export, train_log
from agent_tuning.training.checkpoints import DISK_ERRORS
from agent_tuning.training.dataset import load_packs
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
    if (validation is None) != (validation_log is None):
        raise BadInput("--validation and --validation-log: expected both or neither")
    train = config.load("train", TrainConfig)
    configure_threads(train.threads, exact=train.precision == "float32")
    distributed.join_ranks()
    run, checkpoint = open_run(train, packs, base, [code, zero3], validation)
    with explain_full_disk(run, *DISK_ERRORS):
        rows = load_packs(packs, run, train.epochs, train.seed, train.packs_per_step, train.steps)
        validators = []
        if validation and validation_log:
            every = config.load("validate", ValidationConfig)
            validators = [Validator(validation, validation_log, every, run)]
        trainer, monitor = build_trainer(train, rows, base, run, zero3, validators)
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if monitor.stopped:
        distributed.stop(f"step {trainer.state.global_step} is saved in {run}; run it again")
    steps = train_log.collect_steps(trainer.state.log_history)
    results = train_log.summarize(steps)
    export.save_model(trainer, base, model, [packs, base, code, zero3], train, results)
    if distributed.is_rank0():
        train_log.write(steps, log, metrics)
        for validator in validators:
            validator.write(len(steps))
        print(f"{model}: {train_log.describe(results)}")


if __name__ == "__main__":
    cli.run(main)
