"""Measure decontamination: which edits of benchmark queries it finds, and what it rejects beside.

    python -m benchmark.reports.decontamination_recall data/protected.jsonl GROUPS...

Each of a sample of house queries is edited in five ways and looked up with no tool in common:
recall by edit and language, with `decontamination.near_benchmark` alone and with `reworded` too.
False alarms are measured on clean data: the queries of a suite beside those of all suites by other
authors. GROUPS are training data: what would be rejected there is printed with its task.
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from agent_tuning.files import jsonl
from agent_tuning.quality import word_overlap
from agent_tuning.quality.decontamination import (
    ContaminationFilter,
    DecontaminationConfig,
    ProtectedQuery,
)
from agent_tuning.quality.near_duplicates import normalize_tokens
from agent_tuning.quality.validation import list_queries
from agent_tuning.records import Group
from agent_tuning.runtime import cli, config

SUITE = "house/"
SAMPLE = 600
OTHERS = ("bfcl", "nestful")  # suites by other authors than ours
LETTERS = {"en": "abcdefghijklmnopqrstuvwxyz", "zh": "的一是不了人我在有他"}
WORDS = {
    "en": ("harbour", "violet", "seven", "window", "carefully"),
    "zh": ("港口", "紫色", "窗户"),
}
Edit = Callable[[str, str, random.Random], str]


def change_letter(query: str, language: str, rng: random.Random) -> str:
    places = [number for number, char in enumerate(query) if char.isalnum()]
    place = rng.choice(places)
    return query[:place] + rng.choice(LETTERS[language]) + query[place + 1 :]


def make_typos(query: str, language: str, rng: random.Random) -> str:
    return change_letter(change_letter(query, language, rng), language, rng)


def replace_word(query: str, language: str, rng: random.Random) -> str:
    """Another word in place of one; in Chinese, of two characters."""
    word = rng.choice(WORDS[language])
    if language == "zh":
        place = rng.randrange(max(1, len(query) - 1))
        return query[:place] + word + query[place + 2 :]
    words = query.split()
    words[rng.randrange(len(words))] = word
    return " ".join(words)


def reorder(query: str, language: str, rng: random.Random) -> str:
    """The second part of the query before the first."""
    parts = list(query) if language == "zh" else query.split()
    place = rng.randrange(1, len(parts)) if len(parts) > 1 else 0
    return ("" if language == "zh" else " ").join(parts[place:] + parts[:place])


def change_number(query: str, _: str, rng: random.Random) -> str:
    return re.sub(r"\d+", lambda match: str(int(match[0]) + rng.randint(1, 9)), query, count=1)


EDITS: dict[str, Edit] = {
    "letter": change_letter,
    "typos": make_typos,
    "word": replace_word,
    "order": reorder,
    "number": change_number,
}


def measure_recall(
    queries: Sequence[str], contamination: ContaminationFilter
) -> Mapping[tuple[str, str], tuple[int, int]]:
    """Found and all edits, by edit and language. A query that an edit leaves alone is no edit."""
    found: Counter[tuple[str, str]] = Counter()
    total: Counter[tuple[str, str]] = Counter()
    for query in queries:
        language = "zh" if word_overlap.has_cjk(query) else "en"
        for name, edit in EDITS.items():
            edited = edit(query, language, random.Random(f"{name}:{query}"))
            if normalize_tokens(edited) != normalize_tokens(query):
                total[name, language] += 1
                found[name, language] += contamination.overlap(edited, ()) is not None
    return {key: (found[key], count) for key, count in sorted(total.items())}


def find_rejects(groups: Iterable[Group], contamination: ContaminationFilter) -> Iterator[str]:
    """A line for every trajectory that would be rejected."""
    for group in groups:
        tools = [tool.name for tool in group.tools]
        for trajectory in group.trajectories:
            for query in list_queries(trajectory):
                if leak := contamination.find_leak(query, tools):
                    yield f"{trajectory.id}: {leak.reason}: {leak.task}: {query}"
                    break


def measure_false_alarms(
    queries: Sequence[ProtectedQuery],
    build: Callable[[Iterable[ProtectedQuery]], ContaminationFilter],
) -> Mapping[tuple[str, str], tuple[int, int]]:
    """Rejects and all queries of each author, beside the queries of all others, by language."""
    counts: dict[tuple[str, str], tuple[int, int]] = {}
    for author in sorted({find_author(item) for item in queries}):
        contamination = build(item for item in queries if find_author(item) != author)
        own = {item.query: item.tools for item in queries if find_author(item) == author}
        for language in ("en", "zh"):
            asked = [query for query in own if word_overlap.has_cjk(query) == (language == "zh")]
            found = sum(contamination.overlap(query, own[query]) is not None for query in asked)
            if asked:
                counts[author, language] = (found, len(asked))
    return counts


def find_author(item: ProtectedQuery) -> str:
    suite = item.task.partition("/")[0]
    return suite if suite in OTHERS else "ours"


def print_table(
    head: str, columns: Sequence[Mapping[tuple[str, str], tuple[int, int]]], digits: int
) -> None:
    """Both columns as Markdown, one row for each edit or author and language."""
    print(f"| {head} | | `reworded: null` | as set | of |\n| --- | --- | ---: | ---: | ---: |")
    for key, (_, total) in columns[0].items():
        shares = [f"{column[key][0] / total:.{digits}f}" for column in columns]
        print(f"| {' | '.join([*key, *shares, str(total)])} |")
    print()


def main(protected: Path, *groups: Path) -> None:
    p = config.load("decontamination", DecontaminationConfig)
    queries = list(jsonl.read(protected, ProtectedQuery))
    house = sorted({item.query for item in queries if item.task.startswith(SUITE)})
    sample = random.Random(SUITE).sample(house, min(SAMPLE, len(house)))
    builds = [msgspec.structs.replace(p, reworded=None).build_filter, p.build_filter]
    print(f"near_benchmark = {p.near_benchmark}, reworded = {p.reworded}\n")
    print_table("edit", [measure_recall(sample, build(queries)) for build in builds], 2)
    print_table("clean data", [measure_false_alarms(queries, build) for build in builds], 4)
    contamination = p.build_filter(queries)
    for path in groups:
        lines = list(find_rejects(jsonl.read(path, Group), contamination))
        total = sum(len(group.trajectories) for group in jsonl.read(path, Group))
        print(f"{path}: rejects {len(lines)} of {total} trajectories")
        print("".join(f"  {line}\n" for line in lines), end="")


if __name__ == "__main__":
    cli.run(main)
