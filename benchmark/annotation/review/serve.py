"""Review the candidates in a browser: `make review`.

reads   CANDIDATES/          the suite of drafted tasks; judge.jsonl if an LLM judge ran
        data/catalogue       how users write the values of arguments
        params.yaml: review
writes  CANDIDATES/reviews.jsonl   every action as an event, sorted; DATABASE is its working copy
"""

from pathlib import Path

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.quality.decontamination import ContaminationFilter
from agent_tuning.quality.validation import TrajectoryValidator
from agent_tuning.runtime import cli, config
from benchmark.annotation.rating.rubric import read_judgements
from benchmark.annotation.review import review_pages
from benchmark.annotation.review.queue import ReviewConfig, ReviewQueue
from benchmark.annotation.web import server
from benchmark.annotation.web.journal import Journal
from benchmark.annotation.web.pages import create_app
from benchmark.tasks import suites

CATALOGUE = Path("data/catalogue")


def main(folder: Path, database: Path) -> None:
    p = config.load("review", ReviewConfig)
    journal = Journal(database, folder / "reviews.jsonl")
    validator = TrajectoryValidator(Catalogue(CATALOGUE), ContaminationFilter((), 1.0))
    judgements = read_judgements(folder / "judge.jsonl")
    queue = ReviewQueue(suites.read(folder), judgements, journal, p, validator.is_grounded)
    app, token = create_app(review_pages.build_pages(queue), "Review")
    server.serve(app, token, p.port)


if __name__ == "__main__":
    cli.run(main)
