"""The suites that a recipe is reported, compared, rated and released by.

`python -m benchmark.reports.reported_suites` prints their names, the first one first, for make.
"""

from agent_tuning.records import Record
from agent_tuning.runtime import cli, config
from benchmark.scoring.known_names import VALIDATION
from benchmark.tasks.requests import RequestsConfig


class ReportConfig(Record, frozen=True):
    """The section `report` of params.yaml, where each key is explained."""

    not_trained_for: tuple[str, ...]


def list_reported_suites() -> list[str]:
    """Of the suites that are asked, those that the recipe was trained for; never `validation`."""
    asked = config.load("build_requests", RequestsConfig).groups
    others = {VALIDATION, *config.load("report", ReportConfig).not_trained_for}
    return [name for name, groups in asked.items() if groups != 0 and name not in others]


def main() -> None:
    print(*list_reported_suites())


if __name__ == "__main__":
    cli.run(main)
