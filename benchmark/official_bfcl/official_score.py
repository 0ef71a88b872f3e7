"""One model's official BFCL result as a file: `metrics/official_bfcl/NAME.json`."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from agent_tuning.files import atomic_write, json_file
from agent_tuning.records import BadInput, Record

TITLE = "BFCL (official)"  # never to be mistaken for the suite that is derived from BFCL


class CategoryScore(Record, frozen=True, omit_defaults=False):
    """`asked` is a hash of the ids: two scores compare only if they are of the same questions.

    `failed` of them got no answer. They count as BFCL counts them: as a text without a call.
    """

    correct: int
    questions: int
    failed: int
    asked: str


class OfficialScore(Record, frozen=True, omit_defaults=False):
    """`slice` is `all` or the file with the ids, `key` names the folder of the answers."""

    benchmark: str
    version: str
    model: str
    key: str
    slice: str
    temperature: float
    max_tokens: int
    categories: dict[str, CategoryScore]


def hash_ids(ids: Sequence[str]) -> str:
    return hashlib.blake2b("\n".join(ids).encode(), digest_size=8).hexdigest()


def write_score(path: Path, score: OfficialScore) -> None:
    text = msgspec.json.format(msgspec.json.encode(score), indent=2)
    atomic_write.write_bytes(path, text + b"\n")


def read_scores(folder: Path) -> dict[str, OfficialScore]:
    """By the name of the model. Raises BadInput with the file and the field."""
    files = sorted(folder.glob("*.json"))
    return {path.stem: json_file.read(path, OfficialScore) for path in files}


def list_rows(scores: Mapping[str, OfficialScore]) -> Iterator[tuple[str, ...]]:
    """A row for each category: its questions, and the share that each model has right.

    Raises BadInput if two models were asked different questions of a category.
    """
    yield ("category", "questions", *scores)
    for category in dict.fromkeys(c for score in scores.values() for c in score.categories):
        cells = [score.categories.get(category) for score in scores.values()]
        asked = {(cell.questions, cell.asked) for cell in cells if cell}
        if len(asked) > 1:
            names = [name for name, cell in zip(scores, cells, strict=True) if cell]
            raise BadInput(
                f"{category}: {', '.join(names)} were asked different questions; "
                "run `make bfcl` again for those of an older slice"
            )
        shares = (f"{cell.correct / cell.questions:.3f}" if cell else "" for cell in cells)
        yield (category, str(asked.pop()[0]), *shares)
