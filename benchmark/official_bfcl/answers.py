"""The answers of one model under one set of settings, kept in a folder that is named for both."""

from pathlib import Path

import msgspec

from agent_tuning.files import append_log
from agent_tuning.records import Json, Record
from agent_tuning.runtime import cache_key
from benchmark import model_folder
from benchmark.official_bfcl import package
from benchmark.official_bfcl.questions import BfclConfig

ROOT = Path("scratch/bfcl")


class Answer(Record, frozen=True):
    """What bfcl-eval keeps of one question: calls or a text, of several turns lists of them.

    `failed`: no answer, because the server refused the question or the package could not read the
    reply. It counts as wrong, as in their own runs.
    """

    id: str
    result: Json
    failed: bool = False
    log: Json = None  # of several turns: every message, call and result


class RunIdentity(Record, frozen=True):
    """All that shapes an answer, but for the model: `identify_run` adds what is in its folder."""

    package: str
    model: str
    url: str
    temperature: float
    max_tokens: int


def identify_run(model: str, url: str, settings: BfclConfig) -> tuple[RunIdentity, str]:
    """What is run, and its key in 16 hex digits.

    If `model` is a folder here, its weights and template count, and its server's address does not.
    """
    folder = Path(model)
    url = "" if folder.is_dir() else url
    version = package.read_version()
    run = RunIdentity(version, model, url, settings.temperature, settings.max_tokens)
    inputs = model_folder.list_inputs(folder) if folder.is_dir() else []
    return run, cache_key.compute_run_key(run, inputs)


def find_folder(name: str, key: str) -> Path:
    return ROOT / f"{name}-{key}"


def read_answers(folder: Path) -> dict[str, Answer]:
    """By id. The last line of a killed run is cut off if it is incomplete."""
    kept = append_log.read_complete(folder / "answers.jsonl", Answer)
    return {answer.id: answer for answer in kept}


def append_answer(folder: Path, answer: Answer) -> None:
    append_log.append(folder / "answers.jsonl", [answer])


def to_json(value: object) -> Json:
    """Plain JSON of what their code returns; what is none becomes its text, as in their files."""
    from bfcl_eval.utils import make_json_serializable

    return msgspec.to_builtins(make_json_serializable(value))
