"""The table of official BFCL scores in docs/bfcl.md: `make readme`.

    python -m benchmark.reports.official_bfcl_table metrics/official_bfcl docs/bfcl.md

All models that were asked the same slice of the same version with the same settings stand in one
table, the base first.
"""

from collections.abc import Mapping
from itertools import groupby
from pathlib import Path

from agent_tuning.files import atomic_write
from agent_tuning.runtime import cli
from benchmark.official_bfcl.official_score import TITLE, OfficialScore, list_rows, read_scores
from benchmark.reports.readme_tables import format_rows, replace_between_markers

ORDER = ("base", "specialist", "general")  # others follow by name


def format_tables(scores: Mapping[str, OfficialScore]) -> str:
    """One for each version, slice and decoding. Raises BadInput if one would mix questions."""

    def find_kind(name: str) -> tuple[str, str, float, int]:
        score = scores[name]
        return score.version, score.slice, score.temperature, score.max_tokens

    def find_place(name: str) -> tuple[int, str]:
        return (ORDER.index(name) if name in ORDER else len(ORDER)), name

    tables = []
    for kind, names in groupby(sorted(scores, key=find_kind), find_kind):
        version, slice, temperature, most = kind
        shown = {name: scores[name] for name in sorted(names, key=find_place)}
        head, *rows = list_rows(shown)
        rule = ("---", *("---:" for _ in head[1:]))
        decoding = f"temperature {temperature:g}, at most {most} tokens"
        title = f"{TITLE}, {version}, slice `{slice}`, {decoding}; share right"
        tables.append(f"{title}:\n\n{format_rows([head, rule, *rows])}")
    return "\n".join(tables)


def main(folder: Path, page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    table = format_tables(read_scores(folder))
    atomic_write.write_text(page, replace_between_markers(text, "official-bfcl", table))


if __name__ == "__main__":
    cli.run(main)
