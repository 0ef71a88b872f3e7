"""The review pages: one candidate at a time, and the list of all."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, abort, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from benchmark.annotation.review import editing, verdicts
from benchmark.annotation.review.diff import diff_lines
from benchmark.annotation.review.queue import Card, ReviewQueue, count_progress
from benchmark.annotation.review.verdicts import REJECTION_REASONS
from benchmark.annotation.web.events import Verdict
from benchmark.annotation.web.security import make_visible
from benchmark.scoring.task_score import last_user_text
from benchmark.tasks.suites import Task

Page = str | tuple[str, int] | Response


def build_pages(desk: ReviewQueue) -> Blueprint:
    pages, views = Blueprint("pages", __name__), Views(desk)
    pages.get("/")(views.start)
    pages.get("/all")(views.listing)
    pages.get("/<int:place>")(views.card)
    pages.post("/<int:place>")(views.give)
    pages.post("/<int:place>/check")(views.check)
    pages.post("/<int:place>/editor")(views.editor)
    pages.post("/undo")(views.undo)
    return pages


class Views:
    """What the pages answer to; a method's name is its endpoint."""

    def __init__(self, desk: ReviewQueue) -> None:
        self.desk = desk

    def start(self, who: str) -> Response:
        return self._onwards(who)

    def listing(self, who: str) -> str:
        cards = self.desk.cards(who)
        queries = {card.place: last_user_text(card.settled.task or card.task) for card in cards}
        return render_template(
            "list.html", who=who, cards=cards, queries=queries, progress=count_progress(cards)
        )

    def card(self, who: str, place: int) -> str:
        self.desk.hold(place, who)
        return self._page(who, place)

    def check(self, who: str, place: int) -> Response:
        """Of the form as it stands: problems and notes by field, and what it changes."""
        card = _card(self.desk.cards(who), place)
        read = editing.parse_form(request.form, self.desk.suite.tools_of(card.task))
        lines = [] if read.problems else diff_lines(card.task, _corrected(card, read))
        return jsonify(
            problems=_visible(read.problems),
            notes=_visible(self._notes(card, read)),
            changes=[(sign, make_visible(line)) for sign, line in lines],
        )

    def editor(self, who: str, place: int) -> str:
        """The form again, with the fields of the tools and decisions chosen in it."""
        card = _card(self.desk.cards(who), place)
        menu = self.desk.suite.tools_of(card.task)
        read = editing.parse_form(request.form, menu)
        notes = self._notes(card, read)
        return render_template(
            "editor.html",
            forms=read.forms,
            problems=read.problems,
            notes=notes,
            menu=menu,
            reply=read.reply,
        )

    def give(self, who: str, place: int) -> Page:
        card = _card(self.desk.cards(who), place)
        shown = self.desk.shown[card.task.id]
        if request.form.get("shown") != shown:
            abort(409, "This page is older than the candidates; reload it.")
        read = editing.parse_form(request.form, self.desk.suite.tools_of(card.task))
        verdict = _verdict(card, read)
        if verdict is None:
            return self._page(who, place, read), 422
        event = self.desk.journal.record(who, card.task.id, verdict, shown)
        return self._onwards(who, place, did=verdict.action, at=self.desk.places[event.subject])

    def undo(self, who: str) -> Response:
        event = self.desk.journal.undo(who)
        if event is None or event.subject not in self.desk.places:
            return redirect(url_for("pages.listing", who=who, did="nothing"))
        place = self.desk.places[event.subject]
        return redirect(url_for("pages.card", who=who, place=place, did="undo"), 303)

    def _onwards(self, who: str, after: int = 0, **done: Any) -> Response:
        place = self.desk.next_open(self.desk.cards(who), who, after)
        if place is None:
            return redirect(url_for("pages.listing", who=who, **done), 303)
        return redirect(url_for("pages.card", who=who, place=place, **done), 303)

    def _page(self, who: str, place: int, typed: editing.ParsedForm | None = None) -> str:
        """With what somebody just typed, if it could not be saved; else with what holds now."""
        cards = self.desk.cards(who)
        card = _card(cards, place)
        menu = self.desk.suite.tools_of(card.task)
        now = (card.verdict and verdicts.apply_verdict(card.task, card.verdict)) or card.task
        reply = card.verdict.reply if card.verdict else ""
        read = typed or editing.ParsedForm(
            editing.fill_form(now.golds, menu), (), {}, last_user_text(now), reply
        )
        return render_template(
            "review.html",
            who=who,
            card=card,
            menu=menu,
            called={call.name for gold in card.task.golds for call in gold.calls},
            forms=read.forms,
            problems=read.problems,
            notes=self._notes(card, read),
            query=read.query,
            reply=read.reply,
            changes=diff_lines(card.task, now),
            reasons=REJECTION_REASONS,
            progress=count_progress(cards),
            shown=self.desk.shown[card.task.id],
        )

    def _notes(self, card: Card, read: editing.ParsedForm) -> dict[str, str]:
        """Arguments that nobody said, in the words that the user has in the form."""
        turns = verdicts.reword(card.task, read.query) if read.query else card.task.turns
        return editing.find_ungrounded(
            read.forms, lambda tool, value: self.desk.said(tool, value, turns)
        )


def _card(cards: Sequence[Card], place: int) -> Card:
    if not 1 <= place <= len(cards):
        abort(404)
    return cards[place - 1]


def _visible(lines: dict[str, str]) -> dict[str, str]:
    return {field: make_visible(line) for field, line in lines.items()}


def _verdict(card: Card, read: editing.ParsedForm) -> Verdict | None:
    """What the form's button says; None for a correction that cannot be saved."""
    reason, comment = request.form.get("reason", ""), request.form.get("comment", "").strip()
    action = "reject" if reason else request.form.get("action")  # a button says but one thing
    if action == "approve":
        return Verdict("approve", comment=comment)
    if action == "reject" and reason in REJECTION_REASONS:
        return Verdict("reject", reason=reason, comment=comment)
    if action != "correct":
        abort(400, "action: expected approve, correct, or reject with a reason")
    return None if read.problems else _correction(card, read, comment)


def _correction(card: Card, read: editing.ParsedForm, comment: str) -> Verdict:
    """Saving the draft unchanged approves it."""
    words = read.query if read.query != editing.normalize_posted(last_user_text(card.task)) else ""
    reply = read.reply if read.golds[0].decision != "call" else ""
    if read.golds == card.task.golds and not words and not reply:
        return Verdict("approve", comment=comment)
    return Verdict("correct", read.golds, comment=comment, query=words, reply=reply)


def _corrected(card: Card, read: editing.ParsedForm) -> Task:
    return verdicts.apply_verdict(card.task, _correction(card, read, "")) or card.task
