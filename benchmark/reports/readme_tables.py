"""The tables of README.md: `make readme`.

Written between markers, so that what the README says is what the pipeline file and the last
benchmark say.
"""

import re
from pathlib import Path

from agent_tuning.files import csv_records, yaml_records
from agent_tuning.records import BadInput, Record
from agent_tuning.runtime import cli
from benchmark.reports import leaderboard
from benchmark.scoring.metrics import BreakdownRow


class Described(Record, frozen=True, forbid_unknown_fields=False):
    desc: str = ""


class Stage(Described, frozen=True, forbid_unknown_fields=False):
    """A stage, or a family of them under `do`."""

    do: Described | None = None


class Pipeline(Record, frozen=True, forbid_unknown_fields=False):
    stages: dict[str, Stage]


def format_stages(pipeline: Pipeline) -> str:
    rows = (
        (name, stage.do.desc if stage.do else stage.desc) for name, stage in pipeline.stages.items()
    )
    return "| stage | what it does |\n|---|---|\n" + "".join(f"| `{n}` | {d} |\n" for n, d in rows)


def replace_between_markers(text: str, marker: str, content: str) -> str:
    """`text` with `content` between its two markers."""
    pattern = re.compile(rf"(<!-- {marker} -->\n).*?(<!-- /{marker} -->)", re.DOTALL)
    if not pattern.search(text):
        raise BadInput(f"README.md: no <!-- {marker} --> and <!-- /{marker} -->")
    return pattern.sub(lambda match: match.group(1) + content + match.group(2), text)


def main(readme: Path, pipeline: Path, breakdown: Path) -> None:
    text = readme.read_text(encoding="utf-8")
    text = replace_between_markers(
        text, "stages", format_stages(yaml_records.read(pipeline, Pipeline))
    )
    board = leaderboard.build_lines(csv_records.read(breakdown, BreakdownRow))
    readme.write_text(
        replace_between_markers(text, "results", leaderboard.format_markdown(board)),
        encoding="utf-8",
    )


if __name__ == "__main__":
    cli.run(main)
