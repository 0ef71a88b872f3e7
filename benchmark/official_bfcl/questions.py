"""BFCL's categories that run offline, and which of their questions are asked.

`slice.json` beside this module has the ids of a machine that has no time for all: of every category
the same seeded choice. `python -m benchmark.official_bfcl.questions TARGET` draws it again.
"""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from agent_tuning.files import atomic_write, json_file
from agent_tuning.records import BadInput, Record
from agent_tuning.runtime import cli, config
from agent_tuning.runtime.ranges import AtLeastOne, SecondsAboveZero, Seed, Threads, Weight
from benchmark.official_bfcl import package

ALL = "all"
Slice = dict[str, list[str]]  # category -> ids of its questions, in their order


class SliceConfig(Record, frozen=True):
    """How many questions of each category the slice has; all of a smaller category."""

    seed: Seed
    questions: AtLeastOne


class BfclConfig(Record, frozen=True):
    """The section `official_bfcl` of params.yaml."""

    temperature: Weight
    max_tokens: AtLeastOne
    requests: Threads
    timeout: SecondsAboveZero
    slice: SliceConfig


def list_categories() -> list[str]:
    """All single-turn, live and multi-turn categories: none of them needs a network.

    The others do, or other models: web search, and a memory with embeddings.
    """
    from bfcl_eval.constants import category_mapping

    return [*category_mapping.SINGLE_TURN_CATEGORY, *category_mapping.MULTI_TURN_CATEGORY]


def load_questions(category: str) -> dict[str, dict[str, Any]]:
    """Their questions by id, with the tools as a model gets them."""
    from bfcl_eval.utils import load_dataset_entry

    return {entry["id"]: entry for entry in load_dataset_entry(category)}


def read_slice(path: Path) -> Slice:
    """The ids in a slice file, or with the path `all` the ids of everything that runs offline.

    Raises BadInput for a file, a category or an id that is not there.
    """
    known = list_categories()
    if str(path) == ALL:
        return {category: list(load_questions(category)) for category in known}
    try:
        chosen = msgspec.json.decode(path.read_bytes(), type=Slice)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}; expected a slice file or `all`") from error
    except json_file.UNREADABLE as error:
        raise BadInput(f"{path}: {error}") from error
    for category, ids in chosen.items():
        if category not in known:
            raise BadInput(f"{path}: {category}: available categories: {', '.join(known)}")
        if missing := set(ids) - load_questions(category).keys():
            raise BadInput(f"{path}: {category}: {package.read_version()} has no {min(missing)}")
    return chosen


def keep_categories(chosen: Slice, names: Sequence[str]) -> Slice:
    """Only these categories, or all if none is named. Raises BadInput for an unknown one."""
    for name in names:
        if name not in chosen:
            raise BadInput(f"CATEGORIES: {name}: the slice has {', '.join(chosen)}")
    return {category: ids for category, ids in chosen.items() if not names or category in names}


def draw_slice(settings: SliceConfig) -> Slice:
    chosen = {}
    for category in list_categories():
        ids = list(load_questions(category))
        count = min(settings.questions, len(ids))
        drawn = random.Random(f"{settings.seed}:{category}").sample(ids, count)
        chosen[category] = sorted(drawn, key=ids.index)
    return chosen


def main(target: Path) -> None:
    package.open_package(Path("scratch/bfcl"))
    chosen = draw_slice(config.load("official_bfcl", BfclConfig).slice)
    lines = [f"  {json.dumps(category)}: {json.dumps(ids)}" for category, ids in chosen.items()]
    atomic_write.write_text(target, "{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{target}: {sum(map(len, chosen.values()))} questions")


if __name__ == "__main__":
    cli.run(main)
