"""Rate answers of model versions, blind, in a browser: `make rate VERSION=…`.

reads   SUITE/, and the ANSWERS of every version: one file each, with the version's name
        FOLDER/judge.jsonl         an LLM judge's scores of the same answers, if one ran
        params.yaml: rate, desk
writes  FOLDER/sheet.jsonl         the answers to rate; ids come from the task and text
        FOLDER/ratings.jsonl       every action as an event, sorted; DATABASE is its working copy
        METRICS                    means, intervals and agreement
        FOLDER/disagreements.jsonl answers with scores far apart

Ctrl-C ends it and writes the metrics. The next run resumes where everybody stopped. With `--again`
it writes the metrics from the ratings, and serves no pages.
"""

from pathlib import Path

from agent_tuning.files import jsonl
from agent_tuning.runtime import cli, config
from benchmark import missing_step
from benchmark.annotation.rating import rate_pages, results
from benchmark.annotation.rating.rated_answers import draw_sheet, read_answers
from benchmark.annotation.rating.rubric import read_judgements
from benchmark.annotation.web import server
from benchmark.annotation.web.access import DeskConfig, build_access
from benchmark.annotation.web.journal import Journal
from benchmark.annotation.web.pages import create_app
from benchmark.tasks import suites


def main(
    suite_folder: Path,
    folder: Path,
    database: Path,
    metrics: Path,
    *versions: Path,
    again: bool = False,
) -> None:
    p = config.load("rate", results.RatingConfig)
    for path in (suite_folder, *versions):
        missing_step.expect(path, "answers", "make repro")
    suite = suites.read(suite_folder)
    answers = draw_sheet(suite.tasks, read_answers(versions), p.tasks, p.seed)
    jsonl.write(folder / "sheet.jsonl", answers)
    judgements = read_judgements(folder / "judge.jsonl")
    journal = Journal(database, folder / "ratings.jsonl")
    if not again:
        sheet = rate_pages.RatingSheet(suite, answers, judgements, journal, p)
        access = build_access(config.load("desk", DeskConfig), p.port, journal.people)
        app, _ = create_app(rate_pages.build_pages(sheet), "Rate", access)
        server.serve(app, access, p.port)
    disagreements = folder / "disagreements.jsonl"
    events = journal.events()
    results.write(events, answers, judgements, p, suite.digest, metrics, disagreements)
    print(f"{metrics}: {len(answers)} answers of {', '.join(path.stem for path in versions)}")


if __name__ == "__main__":
    cli.run(main)
