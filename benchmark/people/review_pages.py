"""The review pages: one candidate at a time, and the list of all."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, abort, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from benchmark.people import editing
from benchmark.people.desk import Card, Desk, progress
from benchmark.people.events import Event, Verdict
from benchmark.people.guard import visible
from benchmark.people.verdicts import REASONS, golds
from benchmark.scored import query
from benchmark.suites import Gold

Page = str | tuple[str, int] | Response


def review(desk: Desk) -> Blueprint:
    pages = Blueprint("pages", __name__)

    @pages.get("/")
    def start(who: str) -> Response:
        return _onwards(desk, who)

    @pages.get("/all")
    def listing(who: str) -> str:
        cards = desk.cards(who)
        queries = {card.place: query(card.task) for card in cards}
        return render_template(
            "list.html", who=who, cards=cards, queries=queries, progress=progress(cards)
        )

    @pages.get("/<int:place>")
    def card(who: str, place: int) -> str:
        desk.hold(place, who)
        return _page(desk, who, place)

    @pages.post("/<int:place>")
    def give(who: str, place: int) -> Page:
        return _give(desk, who, place)

    @pages.post("/<int:place>/check")
    def check(who: str, place: int) -> Response:
        """Of the form as it stands: problems by field, and what it changes."""
        found = _card(desk.cards(who), place)
        read = editing.read(request.form, desk.suite.menu(found.task))
        lines = [] if read.problems else editing.changes(found.task.golds, read.golds)
        seen = {field: visible(problem) for field, problem in read.problems.items()}
        return jsonify(problems=seen, changes=[(sign, visible(line)) for sign, line in lines])

    @pages.post("/<int:place>/editor")
    def editor(who: str, place: int) -> str:
        """The form again, with the fields of the tools and decisions chosen in it."""
        found = _card(desk.cards(who), place)
        menu = desk.suite.menu(found.task)
        read = editing.read(request.form, menu)
        return render_template("editor.html", forms=read.forms, problems=read.problems, menu=menu)

    @pages.post("/undo")
    def undo(who: str) -> Response:
        event = desk.journal.undo(who)
        if event is None or event.subject not in desk.places:
            return redirect(url_for("pages.listing", who=who, did="nothing"))
        place = desk.places[event.subject]
        return redirect(url_for("pages.card", who=who, place=place, did="undo"), 303)

    return pages


def _onwards(desk: Desk, who: str, after: int = 0, **done: Any) -> Response:
    place = desk.next_open(desk.cards(who), who, after)
    if place is None:
        return redirect(url_for("pages.listing", who=who, **done), 303)
    return redirect(url_for("pages.card", who=who, place=place, **done), 303)


def _card(cards: Sequence[Card], place: int) -> Card:
    if not 1 <= place <= len(cards):
        abort(404)
    return cards[place - 1]


def _page(desk: Desk, who: str, place: int, read: editing.Read | None = None) -> str:
    """With what somebody just typed, if it could not be saved; else with what holds now."""
    cards = desk.cards(who)
    card = _card(cards, place)
    menu = desk.suite.menu(card.task)
    now = (card.verdict and golds(card.task, card.verdict)) or card.task.golds
    return render_template(
        "review.html",
        who=who,
        card=card,
        menu=menu,
        called={call.name for gold in card.task.golds for call in gold.calls},
        forms=read.forms if read else editing.filled(now, menu),
        problems=read.problems if read else {},
        changes=editing.changes(card.task.golds, now),
        reasons=REASONS,
        progress=progress(cards),
        shown=desk.shown[card.task.id],
    )


def _give(desk: Desk, who: str, place: int) -> Page:
    card = _card(desk.cards(who), place)
    shown = desk.shown[card.task.id]
    if request.form.get("shown") != shown:
        abort(409, "This page is older than the candidates; reload it.")
    reason, comment = request.form.get("reason", ""), request.form.get("comment", "").strip()
    action = "reject" if reason else request.form.get("action")  # a button says but one thing
    if action == "approve":
        verdict = Verdict("approve", comment=comment)
    elif action == "reject" and reason in REASONS:
        verdict = Verdict("reject", reason=reason, comment=comment)
    elif action == "correct":
        read = editing.read(request.form, desk.suite.menu(card.task))
        if read.problems:
            return _page(desk, who, place, read), 422
        verdict = _correction(card, read.golds, comment)
    else:
        abort(400, "action: expected approve, correct, or reject with a reason")
    event: Event = desk.journal.record(who, card.task.id, verdict, shown)
    return _onwards(desk, who, place, did=verdict.action, at=desk.places[event.subject])


def _correction(card: Card, corrected: tuple[Gold, ...], comment: str) -> Verdict:
    """Saving the draft unchanged approves it."""
    if corrected == card.task.golds:
        return Verdict("approve", comment=comment)
    return Verdict("correct", corrected, comment=comment)
