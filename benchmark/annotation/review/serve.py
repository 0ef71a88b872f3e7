"""Review the candidates in a browser: `make review`.

reads   CANDIDATES/          tools.jsonl, tasks.jsonl; judge.jsonl if an LLM judge ran
        data/catalogue       the wordings of the values that people say
        params.yaml: review
writes  CANDIDATES/reviews.jsonl   every action as an event, sorted; DATABASE is its working copy
"""

from pathlib import Path

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.quality.decontamination import Fence
from agent_tuning.quality.validation import Checks
from agent_tuning.runtime import cli, config
from benchmark.annotation.rating.rubric import judgements
from benchmark.annotation.review import review_pages
from benchmark.annotation.review.queue import Desk, Params
from benchmark.annotation.web import server
from benchmark.annotation.web.journal import Journal
from benchmark.annotation.web.pages import create
from benchmark.tasks import suites

CATALOGUE = Path("data/catalogue")


def main(folder: Path, database: Path) -> None:
    p = config.load("review", Params)
    journal = Journal(database, folder / "reviews.jsonl")
    said = Checks(Catalogue(CATALOGUE), Fence((), 1.0)).grounded
    desk = Desk(suites.read(folder), judgements(folder / "judge.jsonl"), journal, p, said)
    app, token = create(review_pages.review(desk), "Review")
    server.serve(app, token, p.port)


if __name__ == "__main__":
    cli.run(main)
