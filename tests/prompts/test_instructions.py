"""The texts of data/instructions.yaml, and which prompt gets one."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_tuning.files import yaml_records
from agent_tuning.prompts.instructions import NO_TEXTS, Instructions, draw_instructions
from agent_tuning.quality.word_overlap import split_words
from agent_tuning.records import Json, PromptSpec
from agent_tuning.synthesis.written_examples import read_folder
from benchmark.tasks import suites

FILE = Path("data/instructions.yaml")
INSTRUCTIONS = yaml_records.read(FILE, Instructions)
TRAINING, EVALUATION = INSTRUCTIONS.training["en"], INSTRUCTIONS.evaluation["en"]
TEXTS = {"en": ("Be brief.", "Be kind.")}
PROMPTS = [PromptSpec(f"p{number}", "en", ()).make_native() for number in range(1000)]


def test_a_share_of_the_native_prompts_gets_a_text_and_every_text_is_used():
    drawn = Counter(draw_instructions(prompt, TEXTS, 0.5, 1) for prompt in PROMPTS)
    assert drawn.keys() == {"", *TEXTS["en"]}
    assert drawn[""] / len(PROMPTS) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(("share", "told"), [(0.0, 0), (1.0, len(PROMPTS))])
def test_a_share_of_none_and_of_all_is_exact(share, told):
    drawn = [draw_instructions(prompt, TEXTS, share, 1) for prompt in PROMPTS]
    assert sum(map(bool, drawn)) == told


def test_the_id_of_a_prompt_and_the_seed_alone_decide():
    drawn = {prompt.id: draw_instructions(prompt, TEXTS, 0.5, 1) for prompt in PROMPTS}
    again = {prompt.id: draw_instructions(prompt, TEXTS, 0.5, 1) for prompt in PROMPTS[::-2]}
    assert again.items() <= drawn.items()
    assert drawn != {prompt.id: draw_instructions(prompt, TEXTS, 0.5, 2) for prompt in PROMPTS}


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [
        (PromptSpec("p", "en", (), "plain.en", "react", "react"), TEXTS),
        (PromptSpec("p", "zh", ()).make_native(), TEXTS),
        (PROMPTS[0], NO_TEXTS),
    ],
    ids=["not native", "a language without texts", "no texts"],
)
def test_a_prompt_that_can_have_no_text_gets_none(prompt, texts):
    assert draw_instructions(prompt, texts, 1.0, 1) == ""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("training: {en: [Be kind.]}\nevaluation: {en: [Be kind.]}", "every text once, .*Be kind"),
        ("training: {en: ['Hi. ']}\nevaluation: {}", "without outer spaces, got 'Hi. '"),
        ("training: {en: ['']}\nevaluation: {}", "without outer spaces, got ''"),
        ("training: {fr: [Bonjour.]}\nevaluation: {}", "Invalid enum value 'fr'"),
    ],
    ids=["twice", "spaces", "empty", "language"],
)
def test_a_bad_text_is_one_clear_line(tmp_path, text, problem):
    path = tmp_path / "instructions.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"instructions\.yaml:\d+: .*{problem}") as error:
        yaml_records.read(path, Instructions)
    assert "\n" not in str(error.value)


def test_there_are_many_texts_and_those_for_evaluation_are_others():
    assert len(TRAINING) >= 60
    assert len(EVALUATION) >= 16
    for one in map(split_words, EVALUATION):
        assert (
            max(len(one & other) / len(one | other) for other in map(split_words, TRAINING)) < 0.6
        )


@pytest.mark.parametrize("text", [*TRAINING, *EVALUATION])
def test_a_text_has_nothing_that_an_argument_could_take(text):
    assert not re.search(r"\d", text)
    (words,) = list_texts(text)
    assert not [value for value in VALUES if f" {value} " in f" {words} "]


def list_texts(value: Json) -> Iterator[str]:
    """All texts in a JSON value, in words."""
    if isinstance(value, str):
        yield " ".join(re.findall(r"\w+", value.casefold()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from list_texts(item)


def list_values() -> Iterator[str]:
    """What the calls of the written examples and of the shop's suites are given."""
    for _, example in read_folder(Path("data/written/shop")):
        for call in example.calls:
            yield from list_texts(list(call.arguments.values()))
    for name in ("shop", "shop_drafted"):
        for task in suites.read(Path("benchmark/suites") / name).tasks:
            for call in (call for gold in task.golds for call in gold.calls):
                yield from list_texts(list(call.arguments.values()))


VALUES = {value for value in list_values() if value}
