"""The bands by which people and an LLM judge rate an answer.

They are those of the reference note: 4 and 5 are usable, and any violation of policy is a veto.
"""

from pathlib import Path
from typing import NamedTuple

from agent_tuning.files import jsonl
from agent_tuning.records import Record

MIN_USABLE_SCORE = 4


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
    """The score that an LLM judge gave to a drafted task's gold or to an answer."""

    id: str
    score: int
    reason: str = ""
    by: str = ""  # the model, and a hash of its instructions


def read_judgements(path: Path) -> dict[str, Judgement]:
    """The judgements by id; empty if no judge ran."""
    if not path.exists():
        return {}
    return {judgement.id: judgement for judgement in jsonl.read(path, Judgement)}
