"""Rate answers of model versions, blind, in a browser: `make rate VERSION=…`.

reads   SUITE/, and the ANSWERS of every version, a file each named for it
        FOLDER/judge.jsonl         what an LLM judge said of the same answers, if one ran
        params.yaml: rate
writes  FOLDER/sheet.jsonl         the answers to rate; ids come from what was asked and said
        FOLDER/ratings.jsonl       every action as an event, sorted; DATABASE is its working copy
        METRICS                    means, intervals and agreement
        FOLDER/disagreements.jsonl the answers to talk about

Ctrl-C ends it and writes the metrics; the next run goes on where everybody stopped. With
`--again` the metrics are written from the ratings, and nothing is served.
"""

from pathlib import Path

from agent_tuning.files import jsonl
from agent_tuning.runtime import cli, config
from benchmark.annotation.rating import rate_pages, results
from benchmark.annotation.rating.rated_answers import draw_sheet, read_answers
from benchmark.annotation.rating.rubric import read_judgements
from benchmark.annotation.web import server
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
    suite = suites.read(suite_folder)
    rated = draw_sheet(suite.tasks, read_answers(versions), p.tasks, p.seed)
    jsonl.write(folder / "sheet.jsonl", rated)
    judged = read_judgements(folder / "judge.jsonl")
    journal = Journal(database, folder / "ratings.jsonl")
    if not again:
        pages = rate_pages.build_pages(rate_pages.RatingSheet(suite, rated, judged, journal, p))
        server.serve(*create_app(pages, "Rate"), p.port)
    apart = folder / "disagreements.jsonl"
    results.write(journal.events(), rated, judged, p, suite.digest, metrics, apart)
    print(f"{metrics}: {len(rated)} answers of {', '.join(path.stem for path in versions)}")


if __name__ == "__main__":
    cli.run(main)
