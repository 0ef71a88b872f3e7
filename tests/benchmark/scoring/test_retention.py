"""Retention: lm-eval scores our own items, and a loss is a loss for either measure."""

import math
from pathlib import Path

import pytest
import yaml

from agent_tuning.files import jsonl
from agent_tuning.quality.decontamination import ContaminationFilter, ProtectedQuery
from agent_tuning.records import BadInput, Record
from benchmark.scoring import lm_eval_retention, retention
from benchmark.scoring.retention import RetentionItem
from tests.support import default_data

FOLDER = Path("benchmark/suites/general")


class Cloze(Record, frozen=True):
    id: str
    kind: str
    language: str
    text: str
    choices: tuple[str, ...]
    answer: int


class Dialogue(Record, frozen=True):
    id: str
    language: str
    query: str
    reply: str


CLOZE = list(jsonl.read(FOLDER / "cloze.jsonl", Cloze))
DIALOGUES = list(jsonl.read(FOLDER / "dialogue.jsonl", Dialogue))


def item(task: str, number: int, value: float, weight: int = 1) -> RetentionItem:
    return RetentionItem(task, f"{task}.{number}", "en", "en", value, weight)


def items(right: int, bits: float) -> list[RetentionItem]:
    cloze = [item("cloze", n, float(n < right)) for n in range(10)]
    return [*cloze, *(item("dialogue", n, bits * 100, 100) for n in range(4))]


def test_a_loss_is_positive_for_either_measure():
    values = retention.compute_metrics(items(8, 1.0), items(6, 1.5), 200, 0)
    assert (values["base.accuracy"], values["tuned.accuracy"]) == (0.8, 0.6)
    assert values["accuracy_drop"] == pytest.approx(0.2)
    assert values["bits_per_byte_rise"] == pytest.approx(0.5)
    assert 0 <= values["accuracy_drop.low"] <= 0.2 <= values["accuracy_drop.high"] <= 0.6


def test_the_same_model_loses_nothing_whatever_the_order():
    same = items(7, 1.0)
    values = retention.compute_metrics(same, same[::-1], 200, 0)
    losses = {
        value
        for name, value in values.items()
        if name.startswith(("accuracy_drop", "bits_per_byte_rise"))
    }
    assert losses == {0.0}


def test_items_of_one_model_only_are_an_error():
    with pytest.raises(BadInput, match=r"cloze: 'cloze.9' has a result of one model only"):
        retention.compute_metrics(
            items(5, 1.0), [o for o in items(5, 1.0) if o.id != "cloze.9"], 9, 0
        )


def test_every_item_has_four_different_endings_and_its_own_text():
    assert (
        len({question.id for question in CLOZE})
        == len({question.text for question in CLOZE})
        == len(CLOZE)
    )
    for question in CLOZE:
        assert len(set(question.choices)) == 4
        assert 0 <= question.answer < 4
    places = [
        sum(question.answer == place for question in CLOZE) / len(CLOZE) for place in range(4)
    ]
    assert min(places) > 0.15  # no place is right much more often


def test_arithmetic_is_right():
    signs = {"plus": int.__add__, "minus": int.__sub__, "times": int.__mul__}
    sums = [question for question in CLOZE if question.kind == "arithmetic"]
    assert sums
    for question in sums:
        a, sign, b = question.text.split()[:3]
        assert question.choices[question.answer] == str(signs[sign](int(a), int(b)))


def test_no_general_question_of_training_stands_in_the_items():
    texts = [ProtectedQuery(d.query, d.id) for d in DIALOGUES] + [
        ProtectedQuery(question.text, question.id) for question in CLOZE
    ]
    contamination_filter = ContaminationFilter(texts, 0.7)
    queries = [question.query for question in default_data.GENERAL_QUESTIONS.asked("train")]
    assert not [query for query in queries if contamination_filter.overlap(query, ())]


def test_samples_of_lm_eval_become_items():
    cloze = {"doc": {"id": "a", "kind": "k", "language": "en"}, "acc": 1.0}
    text = {"doc": {"id": "b", "language": "zh"}, "bits_per_byte": (-8 * math.log(2), 4)}
    assert list(lm_eval_retention.convert_samples("cloze", [cloze])) == [
        RetentionItem("cloze", "a", "k", "en", 1.0, 1)
    ]
    assert list(lm_eval_retention.convert_samples("dialogue", [text])) == [
        RetentionItem("dialogue", "b", "zh", "zh", 8.0, 4)
    ]


def test_the_tasks_are_local():
    for path in sorted(FOLDER.glob("*.yaml")):
        task = yaml.safe_load(path.read_text())
        assert task["dataset_path"] == "json"
        assert Path(task["dataset_kwargs"]["data_files"]["test"]).exists()
