"""Review candidates, or the tasks of any suite, in a browser: `make review`.

reads   SUITE/               the tasks; judge.jsonl if an LLM judge ran
        data/catalogue       how users write the values of arguments
        params.yaml: review, desk
writes  REVIEWS              every action as an event, sorted; DATABASE is its working copy
"""

from pathlib import Path

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.quality.decontamination import ContaminationFilter
from agent_tuning.quality.validation import TrajectoryValidator
from agent_tuning.runtime import cli, config
from benchmark import missing_step
from benchmark.annotation.rating.rubric import read_judgements
from benchmark.annotation.review import review_pages
from benchmark.annotation.review.queue import ReviewConfig, ReviewQueue
from benchmark.annotation.web import server
from benchmark.annotation.web.access import DeskConfig, build_access
from benchmark.annotation.web.journal import Journal
from benchmark.annotation.web.pages import create_app
from benchmark.tasks import suites

CATALOGUE = Path("data/catalogue")
CANDIDATES = Path("benchmark/candidates")  # what `make review` is about without OF


def main(folder: Path, reviews: Path, database: Path) -> None:
    p = config.load("review", ReviewConfig)
    if folder == CANDIDATES:
        missing_step.expect(folder / "tasks.jsonl", "candidates", "make draft")
    journal = Journal(database, reviews)
    validator = TrajectoryValidator(Catalogue(CATALOGUE), ContaminationFilter((), 1.0))
    judgements = read_judgements(folder / "judge.jsonl")
    queue = ReviewQueue(suites.read(folder), judgements, journal, p, validator.is_grounded)
    access = build_access(config.load("desk", DeskConfig), p.port, journal.people)
    command = "make merge" if folder == CANDIDATES else f"make merge OF={folder}"
    app, _ = create_app(review_pages.build_pages(queue, command), "Review", access)
    server.serve(app, access, p.port)


if __name__ == "__main__":
    cli.run(main)
