"""The rating pages: one answer at a time, and how far the raters agree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from benchmark.annotation.rating import results
from benchmark.annotation.rating.rated_answers import RatedAnswer, shuffle_for
from benchmark.annotation.rating.rubric import BANDS, MIN_USABLE_SCORE, Judgement
from benchmark.annotation.web.events import Event, Rating, find_current
from benchmark.annotation.web.journal import Journal
from benchmark.engines.answer import Answer
from benchmark.scoring.outcome import parse_answer
from benchmark.tasks.suites import Suite, Task


@dataclass(frozen=True)
class RatingSheet:
    suite: Suite
    rated: Sequence[RatedAnswer]
    judged: Mapping[str, Judgement]
    journal: Journal
    p: results.RatingConfig

    @cached_property
    def tasks(self) -> Mapping[str, Task]:
        return {task.id: task for task in self.suite.tasks}

    def of(self, who: str) -> tuple[list[RatedAnswer], dict[str, Event]]:
        """The answers in this person's order, and what they said so far."""
        held = find_current(self.journal.events())
        mine = {answer: by[who] for answer, by in held.items() if who in by}
        return shuffle_for(self.rated, who, self.p.seed), mine


def build_pages(sheet: RatingSheet) -> Blueprint:
    pages, views = Blueprint("pages", __name__), Views(sheet)
    pages.get("/")(views.start)
    pages.get("/<int:place>")(views.answer)
    pages.post("/<int:place>")(views.give)
    pages.post("/undo")(views.undo)
    pages.get("/agreement")(views.agreement)
    return pages


class Views:
    """What the pages answer to; a method's name is its endpoint."""

    def __init__(self, sheet: RatingSheet) -> None:
        self.sheet = sheet

    def start(self, who: str) -> Response:
        return self._onwards(who)

    def answer(self, who: str, place: int) -> str:
        order, mine = self.sheet.of(who)
        if not 1 <= place <= len(order):
            abort(404)
        one = order[place - 1]
        task = self.sheet.tasks[one.task]
        menu = self.sheet.suite.tools_of(task)
        event = mine.get(one.id)
        return render_template(
            "rate.html",
            who=who,
            place=place,
            one=one,
            bands=BANDS,
            usable=MIN_USABLE_SCORE,
            task=task,
            menu=menu,
            read=parse_answer(task, menu, Answer(one.task, one.text)),
            given=event.after if event and isinstance(event.after, Rating) else None,
            progress=_progress(order, mine),
        )

    def give(self, who: str, place: int) -> Response:
        order, _ = self.sheet.of(who)
        score = request.form.get("score", "")
        if not 1 <= place <= len(order) or score not in set("012345"):
            abort(400, "score: expected 0 to 5")
        comment = request.form.get("comment", "").strip()
        self.sheet.journal.record(who, order[place - 1].id, Rating(int(score), comment))
        return self._onwards(who, place, score)

    def undo(self, who: str) -> Response:
        order, _ = self.sheet.of(who)
        places = {one.id: place for place, one in enumerate(order, 1)}
        event = self.sheet.journal.undo(who)
        if event is None or event.subject not in places:
            return self._onwards(who)
        place = places[event.subject]
        return redirect(url_for("pages.answer", who=who, place=place, did="undo"), 303)

    def agreement(self, who: str) -> str:
        sheet, events = self.sheet, self.sheet.journal.events()
        scores = results.read_scores(events, sheet.rated)
        order, mine = sheet.of(who)
        apart = results.describe_disagreements(scores, events, sheet.rated)
        return render_template(
            "agreement.html",
            who=who,
            found=results.compute_metrics(scores, sheet.rated, sheet.judged, sheet.p),
            # Who still rates must not learn which version said what.
            apart=[one for one in apart if one.id in mine],
            finished=all(one.id in mine for one in order),
            versions=sorted({version for one in sheet.rated for version in one.versions}),
            min_alpha=sheet.p.min_alpha,
            progress=_progress(order, mine),
        )

    def _onwards(self, who: str, after: int = 0, did: str | None = None) -> Response:
        """To the next answer without a rating of this person's, or to the agreement."""
        order, mine = self.sheet.of(who)
        left = [place for place, one in enumerate(order, 1) if one.id not in mine]
        if not left:
            return redirect(url_for("pages.agreement", who=who, did=did), 303)
        place = min(left, key=lambda place: (place <= after, place))
        return redirect(url_for("pages.answer", who=who, place=place, did=did), 303)


def _progress(order: Sequence[RatedAnswer], mine: Mapping[str, Event]) -> dict[str, int]:
    return {"done": sum(one.id in mine for one in order), "all": len(order)}
