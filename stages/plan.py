"""Decide what the training data will hold, before anything is written.

reads   data/catalogue/     tools and scenarios
writes  data/plan.jsonl     GroupRequest, one for each group of positives
        data/coverage.csv   tool x scenario x complexity x language, counted in the plan
        metrics/plan.json   counts, ratios and the least covered cell
"""

from pathlib import Path

from agent_tuning.catalogue.entries import Catalogue, CatalogueConfig
from agent_tuning.files import csv_records, jsonl, metrics_file
from agent_tuning.runtime import cli, config
from agent_tuning.synthesis.coverage import CoverageRow
from agent_tuning.synthesis.held_out import HeldOut
from agent_tuning.synthesis.planner import (
    PlanConfig,
    Planner,
    check_ratio,
    count_coverage,
    summarize,
)


def main(catalogue: Path, plan: Path, coverage: Path, metrics: Path) -> None:
    p = config.load("plan", PlanConfig)
    held_out = config.load("held_out", HeldOut)
    tools = Catalogue(catalogue, config.load("catalogue", CatalogueConfig).domains)
    if tools.left_out:
        print(f"plan: {catalogue}: left out: {', '.join(tools.left_out)}")
    planner = Planner(tools, p, held_out.tools)
    requests = [request for language in p.groups for request in planner.requests(language)]
    rows = count_coverage(planner, requests)
    check_ratio(planner, requests)
    jsonl.write(plan, requests)
    csv_records.write(coverage, CoverageRow, rows)
    metrics_file.write(metrics, summarize(requests, rows))
    print(f"{plan}: {len(requests)} groups, {len(rows)} cells, all filled")


if __name__ == "__main__":
    cli.run(main)
