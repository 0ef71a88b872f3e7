"""The data of 7b, 14b and 72b: no reply of the smallest base is in them, and no kind runs dry."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from agent_tuning.files import jsonl
from agent_tuning.records import Assistant, BadInput, Group, PromptSpec, Trajectory, User
from stages import add_hard_negatives, mix
from tests.support import default_data, general_params

ROOT = general_params.ROOT
RECIPE = "general_large"
IN_ITS_FOLDER = pytest.mark.usefixtures("folder")
LARGE = ("7b", "14b", "72b")
OURS, THEIRS = "A reply of the smallest base.", "A reply of others."
GROUPS = 60


def converse(reply: str, questions: list[str]) -> Group:
    name = reply.split()[-1]
    turns = ((User(question), Assistant("no_call", text=reply)) for question in questions)
    members = (Trajectory(f"{name}{n}", t, "general", "en") for n, t in enumerate(turns))
    return Group(name, PromptSpec(name, "en", ()), tuple(members))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Sound positives, the replies of the smallest base, and no import yet."""
    params = general_params.read() | {"recipe": RECIPE}
    params["recipes"][RECIPE]["mix"] |= {"agent_per_general": 100}  # few imports are enough
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    jsonl.write(tmp_path / "sound", default_data.verified_groups()[0][:GROUPS])
    asked = [one.query for one in default_data.GENERAL_QUESTIONS.asked("train")]
    jsonl.write(tmp_path / "general", [converse(OURS, asked)])
    jsonl.write(tmp_path / "imported", [])
    jsonl.write(tmp_path / "protected", [])
    with contextlib.chdir(tmp_path):
        yield tmp_path


def import_conversations() -> None:
    questions = [f"Why is the number {number} so well liked?" for number in range(200)]
    jsonl.write(Path("imported"), [converse(THEIRS, [question]) for question in questions])


def run_negatives() -> list[Group]:
    data = (ROOT / "data/catalogue", ROOT / "data/phrasing.yaml")
    given = ("general", "imported", "protected", "with_negatives", "metrics")
    add_hard_negatives.main(Path("sound"), *data, *map(Path, given))
    return list(jsonl.read(Path("with_negatives"), Group))


def run_mix() -> list[Group]:
    mix.main(*map(Path, ("sound", "general", "imported", "protected", "mixed", "metrics")))
    return list(jsonl.read(Path("mixed"), Group))


def test_every_large_size_trains_on_this_recipe():
    models = general_params.read()["models"]
    assert {models[name]["recipe"] for name in LARGE} == {RECIPE}


@IN_ITS_FOLDER
def test_no_hard_negative_is_a_reply_of_the_smallest_base():
    import_conversations()
    groups = run_negatives()
    text = Path("with_negatives").read_text()
    assert OURS not in text
    assert THEIRS in text  # off-topic conversation is there, and of others
    assert len(groups) == GROUPS


@IN_ITS_FOLDER
def test_no_general_conversation_is_a_reply_of_the_smallest_base():
    import_conversations()
    general = [group for group in run_mix() if not group.tools]
    assert general
    assert OURS not in Path("mixed").read_text()


@IN_ITS_FOLDER
def test_without_imports_the_kind_that_has_run_dry_is_named():
    with pytest.raises(BadInput, match=r"0 of 60 hard negatives are off_topic, wanted 9 .*= 0.05"):
        run_negatives()


@IN_ITS_FOLDER
def test_without_imports_there_is_no_general_conversation_to_mix_in():
    with pytest.raises(BadInput, match=r"mix: \d+ agent to 0 general bytes; .* imported ones"):
        run_mix()
