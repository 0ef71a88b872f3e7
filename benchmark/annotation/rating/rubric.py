"""The bands by which people, and a judge beside them, rate an answer.

They are those of the note: 4 and 5 are usable, and any violation of policy is a veto.
"""

from pathlib import Path
from typing import NamedTuple

from agent_tuning.files import jsonl
from agent_tuning.records import Record

MIN_USABLE_SCORE = 4  # the least score that counts as usable


class Band(NamedTuple):
    score: int
    mark: str
    meaning: str = ""


BANDS = (
    Band(5, "entirely right"),
    Band(4, "the core is right", "at most 10 % of the rest is wrong"),
    Band(3, "the core is right", "10–60 % of the rest is wrong"),
    Band(2, "the core is wrong", "or more than 60 % of the content is"),
    Band(1, "the core is badly wrong", "most or all of it is incorrect"),
    Band(0, "veto", "against policy, whatever else is right"),
)


class Judgement(Record, frozen=True):
    """What an LLM judge said of a drafted task's gold or of an answer, by the bands of people."""

    id: str
    score: int
    reason: str = ""
    by: str = ""  # the model, and a digest of the wording it was asked with


def read_judgements(path: Path) -> dict[str, Judgement]:
    """What a judge said, by id; nothing where none ran."""
    return {one.id: one for one in jsonl.read(path, Judgement)} if path.exists() else {}
