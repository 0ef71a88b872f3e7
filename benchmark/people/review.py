"""Review the candidates in a browser: `python -m benchmark.people.review` (`make review`).

reads   CANDIDATES/          tools.jsonl, tasks.jsonl; judge.jsonl if an LLM judge ran
        params.yaml: review
writes  CANDIDATES/reviews.jsonl   every action as an event, sorted; DATABASE is its working copy
"""

from pathlib import Path

from benchmark import suites
from benchmark.people import review_pages, server
from benchmark.people.desk import Desk, Params
from benchmark.people.journal import Journal
from benchmark.people.pages import create
from benchmark.people.rubric import judgements
from trajectory import command, params


def main(folder: Path, database: Path) -> None:
    p = params.load("review", Params)
    journal = Journal(database, folder / "reviews.jsonl")
    desk = Desk(suites.read(folder), judgements(folder / "judge.jsonl"), journal, p)
    app, token = create(review_pages.review(desk), "Review")
    server.serve(app, token, p.port)


if __name__ == "__main__":
    command.run(main)
