"""Packs as a dataset: every epoch has all packs in its own order; one pack is a micro-batch."""

from itertools import chain

import datasets
import pytest
import torch

from agent_tuning.training.dataset import IGNORED, PackDataset, collate

COUNT, EPOCHS = 7, 3
# A prefix of two tokens and branches of three and two; the last token of each is trained.
PACK = {
    "ids": [10, 11, 20, 21, 22, 30, 31],
    "weights": [0.0, 0.0, 0.0, 5.0, 1.0, 0.0, 2.0],
    "spans": [[2, 3, 2]],
}


@pytest.fixture(scope="module")
def packs() -> datasets.Dataset:
    return datasets.Dataset.from_dict({"number": list(range(COUNT))})


def epochs(rows: PackDataset) -> list[list[int]]:
    numbers = [rows[index]["number"] for index in range(len(rows))]
    return [numbers[start : start + COUNT] for start in range(0, len(numbers), COUNT)]


def test_every_epoch_holds_every_pack_once(packs):
    parts = epochs(PackDataset(packs, EPOCHS, 1))
    assert len(parts) == EPOCHS
    assert all(sorted(part) == list(range(COUNT)) for part in parts)


def test_epochs_differ_in_order(packs):
    first, second, third = epochs(PackDataset(packs, EPOCHS, 1))
    assert first != second != third


def test_the_order_is_the_seeds(packs):
    assert PackDataset(packs, EPOCHS, 1).order == PackDataset(packs, EPOCHS, 1).order
    assert PackDataset(packs, EPOCHS, 1).order != PackDataset(packs, EPOCHS, 2).order


def test_more_epochs_begin_like_fewer(packs):
    assert PackDataset(packs, EPOCHS, 1).order[:COUNT] == PackDataset(packs, 1, 1).order


def test_a_number_of_steps_repeats_the_epochs_and_cuts_the_last_one(packs):
    longer = PackDataset(packs, EPOCHS, 1).order
    assert PackDataset(packs, 1, 1, steps=2 * COUNT + 1).order == longer[: 2 * COUNT + 1]
    assert PackDataset(packs, EPOCHS, 1, steps=2).order == longer[:2]


def test_a_step_of_a_number_of_steps_has_all_its_packs():
    rows = PackDataset(datasets.Dataset.from_list([PACK] * COUNT), 1, 1, batch=3, steps=4)
    assert len(rows) == 12
    assert [len(list(rows.step(number, 3))) for number in range(1, 6)] == [3, 3, 3, 3, 0]


def test_only_positions_before_a_trained_token_are_projected():
    batch = collate([PACK])
    assert batch["input_ids"].tolist() == [PACK["ids"]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 3, 4, 2, 3]]
    assert batch["logits_to_keep"].tolist() == [2, 3, 5]
    assert batch["weights"].tolist() == [5.0, 1.0, 2.0]


def test_labels_are_the_trained_ids_after_one_that_is_not_counted():
    labels = collate([PACK])["labels"]
    assert labels.tolist() == [[IGNORED, 21, 22, 31]]
    assert torch.sum(labels[:, 1:] != IGNORED) == 3  # transformers counts from the second on


def test_two_packs_are_no_micro_batch():
    with pytest.raises(ValueError, match="too many values"):
        collate([PACK, PACK])


def test_blank_rows_fill_up_for_all_ranks_and_train_nothing():
    rows = PackDataset(datasets.Dataset.from_list([PACK] * COUNT), 1, 1, ranks=4)
    assert len(rows) == COUNT + 1
    labels = [collate([rows[index]])["labels"][0, 1:] for index in range(len(rows))]
    assert [len(label) for label in labels] == [3] * COUNT + [0]


def test_packs_that_divide_by_the_ranks_get_no_blank_row(packs):
    assert len(PackDataset(packs, 4, 1, ranks=2)) == 4 * COUNT


def test_the_packs_of_a_step_are_those_that_training_comes_to(packs):
    rows = PackDataset(packs, EPOCHS, 1)
    steps = [[row["number"] for row in rows.step(number, 4)] for number in range(1, 7)]
    assert [len(step) for step in steps] == [4, 4, 4, 4, 4, 1]
    assert list(chain(*steps)) == [rows[index]["number"] for index in range(len(rows))]


def test_packs_of_one_step_are_in_the_order_of_their_attention():
    lengths = [5, 1, 4, 2, 6, 3, 7]
    packs = datasets.Dataset.from_list([{"spans": [[length, 1]]} for length in lengths])
    plain, balanced = PackDataset(packs, EPOCHS, 1), PackDataset(packs, EPOCHS, 1, batch=3)
    for step in range(1, EPOCHS * COUNT // 3 + 1):
        before, after = ([row["spans"] for row in rows.step(step, 3)] for rows in (plain, balanced))
        assert after == sorted(before)


def test_a_loop_over_the_rows_ends():
    assert (
        len(list(PackDataset(datasets.Dataset.from_list([PACK] * COUNT), 1, 1, ranks=4)))
        == COUNT + 1
    )
