"""The rating pages: one answer at a time, and how well the raters agree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from benchmark.annotation.rating import results
from benchmark.annotation.rating.rated_answers import RatedAnswer, order_for
from benchmark.annotation.rating.rubric import BANDS, MIN_USABLE_SCORE, Judgement
from benchmark.annotation.web.events import Event, Rating, find_current
from benchmark.annotation.web.journal import Journal
from benchmark.engines.answer import Answer
from benchmark.scoring.outcome import parse_answer
from benchmark.tasks.suites import Suite, Task

STALE = "Another answer stands here now. Load the page again."


@dataclass(frozen=True)
class RatingSheet:
    """The answers to rate, and the ratings so far."""

    suite: Suite
    answers: Sequence[RatedAnswer]
    judgements: Mapping[str, Judgement]
    journal: Journal
    p: results.RatingConfig

    @cached_property
    def tasks(self) -> Mapping[str, Task]:
        return {task.id: task for task in self.suite.tasks}

    def read_for(self, who: str) -> tuple[list[RatedAnswer], dict[str, Event]]:
        """The answers in this person's order, and this person's current rating of each."""
        current = find_current(self.journal.events(), Rating)
        mine = {answer: by_person[who] for answer, by_person in current.items() if who in by_person}
        return order_for(self.answers, who, self.p.seed, self.p.shared), mine


def build_pages(sheet: RatingSheet) -> Blueprint:
    pages, views = Blueprint("pages", __name__), Views(sheet)
    pages.get("/")(views.start)
    pages.get("/<int:place>")(views.answer)
    pages.post("/<int:place>")(views.save)
    pages.post("/undo")(views.undo)
    pages.get("/agreement")(views.agreement)
    return pages


class Views:
    """The requests that the pages answer; a method's name is its endpoint."""

    def __init__(self, sheet: RatingSheet) -> None:
        self.sheet = sheet

    def start(self, who: str) -> Response:
        """To what is next; `after` skips an answer for now."""
        return self._go_on(who, request.args.get("after", 0, int))

    def answer(self, who: str, place: int) -> str:
        order, mine = self.sheet.read_for(who)
        if not 1 <= place <= len(order):
            abort(404)
        answer = order[place - 1]
        task = self.sheet.tasks[answer.task]
        prompt = self.sheet.suite.prompt(task)
        event = mine.get(answer.id)
        return render_template(
            "rate.html",
            who=who,
            place=place,
            answer=answer,
            bands=BANDS,
            usable=MIN_USABLE_SCORE,
            task=task,
            tools=prompt.tools,
            language=prompt.language,
            shared=self.sheet.p.shared,
            outcome=parse_answer(prompt, Answer(answer.task, answer.text)),
            given=event.after if event and isinstance(event.after, Rating) else None,
            progress=_count_progress(order, mine),
        )

    def save(self, who: str, place: int) -> Response:
        order, _ = self.sheet.read_for(who)
        score = request.form.get("score", "")
        if score not in set("012345"):
            abort(400, "score: expected 0 to 5")
        # A server that was started again with other versions has other answers at these places.
        if not 1 <= place <= len(order) or request.form.get("answer") != order[place - 1].id:
            abort(409, STALE)
        comment = request.form.get("comment", "").strip()
        self.sheet.journal.record(who, order[place - 1].id, Rating(int(score), comment))
        return self._go_on(who, place, score)

    def undo(self, who: str) -> Response:
        order, _ = self.sheet.read_for(who)
        places = {answer.id: place for place, answer in enumerate(order, 1)}
        event = self.sheet.journal.undo(who)
        if event is None or event.subject not in places:
            return self._go_on(who)
        place = places[event.subject]
        return redirect(url_for("pages.answer", who=who, place=place, did="undo"), 303)

    def agreement(self, who: str) -> str:
        sheet, events = self.sheet, self.sheet.journal.events()
        scores = results.read_scores(events, sheet.answers)
        order, mine = sheet.read_for(who)
        disagreements = results.describe_disagreements(scores, events, sheet.answers)
        metrics = results.compute_metrics(scores, sheet.answers, sheet.judgements, sheet.p)
        return render_template(
            "agreement.html",
            who=who,
            metrics=metrics,
            has_verdict="alpha" in metrics and metrics["rated_twice"] >= sheet.p.shared,
            min_shared=sheet.p.shared,
            # Who still rates must not learn which version said what.
            disagreements=[answer for answer in disagreements if answer.id in mine],
            finished=all(answer.id in mine for answer in order),
            versions=sorted({version for answer in sheet.answers for version in answer.versions}),
            min_alpha=sheet.p.min_alpha,
            progress=_count_progress(order, mine),
        )

    def _go_on(self, who: str, after: int = 0, did: str | None = None) -> Response:
        """To the next answer that this person has not rated, or else to the agreement."""
        order, mine = self.sheet.read_for(who)
        left = [place for place, answer in enumerate(order, 1) if answer.id not in mine]
        if not left:
            return redirect(url_for("pages.agreement", who=who, did=did), 303)
        place = min(left, key=lambda place: (place <= after, place))
        return redirect(url_for("pages.answer", who=who, place=place, did=did), 303)


def _count_progress(order: Sequence[RatedAnswer], mine: Mapping[str, Event]) -> dict[str, int]:
    return {"done": sum(answer.id in mine for answer in order), "all": len(order)}
