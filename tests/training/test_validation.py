"""Validation while training: rows every few steps, right numbers, no trace in the weights."""

import signal
from itertools import pairwise
from pathlib import Path

import datasets
import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, PreTrainedModel

from agent_tuning.files import csv_records
from agent_tuning.model.shared_prefix_attention import SHARED_PREFIX
from agent_tuning.records import BadInput
from agent_tuning.tokens import pack_file
from agent_tuning.training import validation
from agent_tuning.training.dataset import collate
from agent_tuning.training.validation import ValidationRow
from stages import train as stage
from tests.support import training_ranks

EVERY = 3


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("validation") / "inputs"
    training_ranks.make_inputs(folder, precision="float32", save_steps=4)
    training_ranks.add_validation(folder, every=EVERY)
    return folder


@pytest.fixture(scope="module")
def measured(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run that is measured."""
    return train(training_ranks.copy_inputs(inputs, tmp_path_factory.mktemp("measured") / "run"))


def train(folder: Path, world: int = 1) -> Path:
    succeeded, output = training_ranks.train(folder, world)
    assert succeeded, output
    return folder


def read_rows(folder: Path) -> list[ValidationRow]:
    return list(csv_records.read(folder / "validation.csv", ValidationRow))


def count_steps(folder: Path) -> int:
    return len((folder / "log.csv").read_text().splitlines()) - 1


def load(folder: Path) -> PreTrainedModel:
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation=SHARED_PREFIX
    )
    assert isinstance(model, PreTrainedModel)
    return model


def read_packs(folder: Path) -> datasets.Dataset:
    path = folder / training_ranks.VALIDATION_PACKS
    return datasets.Dataset.from_parquet(str(path), cache_dir=str(folder / "cache"))


@torch.no_grad()
def measure_slowly(model: PreTrainedModel, packs: datasets.Dataset) -> tuple[float, float]:
    """Loss and share of exact decisions, by a loop over all tokens of whole logits."""
    loss, weight_sum, decisions = 0.0, 0.0, []
    for pack in packs:
        batch = collate([pack])
        inputs = {name: batch[name] for name in ("input_ids", "position_ids", "layout")}
        logits = model.eval()(**inputs).logits[0]
        ids, weights = pack["ids"], pack["weights"]
        for position in range(1, len(ids)):
            if not weights[position]:
                continue
            if not weights[position - 1]:
                decisions.append(True)
            scores = logits[position - 1]
            loss += weights[position] * float(cross_entropy(scores, torch.tensor(ids[position])))
            weight_sum += weights[position]
            decisions[-1] &= int(scores.argmax()) == ids[position]
    return loss / weight_sum, sum(decisions) / len(decisions)


def test_there_is_a_row_every_so_many_steps_and_one_after_the_last(measured: Path) -> None:
    steps, last = [row.step for row in read_rows(measured)], count_steps(measured)
    assert steps == sorted({*range(EVERY, last + 1, EVERY), last})
    assert len(steps) > 2


def test_the_loss_falls_on_packs_of_the_same_kind(measured: Path) -> None:
    losses = [row.validation_loss for row in read_rows(measured)]
    assert losses[-1] < losses[0]


def test_the_last_row_is_what_the_saved_model_does(measured: Path) -> None:
    loss, exact = measure_slowly(load(measured / "model"), read_packs(measured))
    row = read_rows(measured)[-1]
    assert row.validation_loss == pytest.approx(loss, rel=1e-5)
    assert row.validation_exact == exact


def test_decisions_of_which_every_token_is_the_likeliest_are_counted(inputs: Path) -> None:
    """A model that knows the packs by heart, but for one token of the first decision."""
    packs = read_packs(inputs)
    model = load(inputs / "base")

    class Known(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.device, self.wrong = torch.device("cpu"), True

        def forward(self, input_ids: torch.Tensor, logits_to_keep: torch.Tensor, **_: object):  # type: ignore[no-untyped-def]
            targets = input_ids[0, logits_to_keep + 1].clone()
            if self.wrong:
                targets[0] += 1
            self.wrong = False
            scores = torch.nn.functional.one_hot(targets, model.config.vocab_size).float()
            return type("Output", (), {"logits": scores[None] * 100})

    row = validation.measure(Known(), packs, 7)  # type: ignore[arg-type]
    starts = sum(
        sum(bool(now) and not before for before, now in pairwise([0.0, *pack.weights]))
        for pack in pack_file.read(inputs / training_ranks.VALIDATION_PACKS)
    )
    assert starts > 3
    assert row.step == 7
    assert row.validation_exact == (starts - 1) / starts


def test_measuring_leaves_the_mode_and_the_gradients_of_a_model_alone(inputs: Path) -> None:
    model = load(inputs / "base")
    for training in (True, False):
        model.train(training)
        first = validation.measure(model, read_packs(inputs), 1)
        assert model.training == training
        assert all(weight.grad is None for weight in model.parameters())
        assert validation.measure(model, read_packs(inputs), 1) == first


def test_measured_or_not_the_model_has_the_same_bytes(
    inputs: Path, measured: Path, tmp_path: Path
) -> None:
    plain = training_ranks.copy_inputs(inputs, tmp_path / "run")
    (plain / training_ranks.VALIDATION_PACKS).unlink()
    train(plain)
    assert not (plain / "validation.csv").exists()
    assert training_ranks.read_outputs(plain) == training_ranks.read_outputs(measured)


@pytest.mark.parametrize("option", ["validation", "validation_log"])
def test_packs_to_measure_on_and_the_table_are_given_together(option: str) -> None:
    paths = map(Path, training_ranks.PATHS)
    with pytest.raises(BadInput, match="--validation and --validation-log: expected both"):
        stage.main(*paths, **{option: Path("validation")})


def test_a_resumed_run_keeps_the_rows_of_its_earlier_part(
    inputs: Path, measured: Path, tmp_path: Path
) -> None:
    folder = training_ranks.copy_inputs(inputs, tmp_path / "run")
    statuses, _ = training_ranks.interrupt(folder, signal.SIGTERM)
    assert statuses == [75]
    (kept,) = folder.glob("scratch/train/*/validation.jsonl")
    assert kept.read_text().startswith(f'{{"step":{EVERY},')
    assert not (folder / "validation.csv").exists()
    succeeded, output = training_ranks.train(folder)
    assert succeeded, output
    assert "resuming from" in output
    tables = [(run / "validation.csv").read_bytes() for run in (folder, measured)]
    assert tables[0] == tables[1]
    assert training_ranks.read_outputs(folder) == training_ranks.read_outputs(measured)


@pytest.mark.parametrize(
    ("groups", "every", "world"),
    [(2, 0, 1), (0, EVERY, 1), (2, EVERY, 2)],
    ids=["never", "no packs", "two ranks"],
)
def test_where_nothing_is_measured_the_table_is_empty(
    inputs: Path, tmp_path: Path, groups: int, every: int, world: int
) -> None:
    folder = training_ranks.copy_inputs(inputs, tmp_path / "run", epochs=1)
    training_ranks.add_validation(folder, groups=groups, every=every)
    train(folder, world)
    assert (folder / "validation.csv").read_text() == "step,validation_loss,validation_exact\n"
