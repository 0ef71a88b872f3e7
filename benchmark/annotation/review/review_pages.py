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


def build_pages(queue: ReviewQueue) -> Blueprint:
    pages, views = Blueprint("pages", __name__), Views(queue)
    pages.get("/")(views.start)
    pages.get("/all")(views.listing)
    pages.get("/<int:place>")(views.card)
    pages.post("/<int:place>")(views.save)
    pages.post("/<int:place>/check")(views.check)
    pages.post("/<int:place>/editor")(views.editor)
    pages.post("/undo")(views.undo)
    return pages


class Views:
    """The requests that the pages answer; a method's name is its endpoint."""

    def __init__(self, queue: ReviewQueue) -> None:
        self.queue = queue

    def start(self, who: str) -> Response:
        return self._go_on(who)

    def listing(self, who: str) -> str:
        cards = self.queue.cards(who)
        queries = {card.place: last_user_text(card.outcome.task or card.task) for card in cards}
        return render_template(
            "list.html", who=who, cards=cards, queries=queries, progress=count_progress(cards)
        )

    def card(self, who: str, place: int) -> str:
        self.queue.mark_viewed(place, who)
        return self._render_page(who, place)

    def check(self, who: str, place: int) -> Response:
        """Problems and notes by field of the form as it is now, and what it changes."""
        card = _get_card(self.queue.cards(who), place)
        parsed = editing.parse_form(request.form, self.queue.suite.prompt(card.task).tools)
        lines = [] if parsed.problems else diff_lines(card.task, _apply_form(card, parsed))
        return jsonify(
            problems=_make_visible(parsed.problems),
            notes=_make_visible(self._find_notes(card, parsed)),
            changes=[(sign, make_visible(line)) for sign, line in lines],
        )

    def editor(self, who: str, place: int) -> str:
        """The form again, with the fields of the tools and decisions chosen in it."""
        card = _get_card(self.queue.cards(who), place)
        tools = self.queue.suite.prompt(card.task).tools
        parsed = editing.parse_form(request.form, tools)
        notes = self._find_notes(card, parsed)
        return render_template(
            "editor.html",
            forms=parsed.forms,
            problems=parsed.problems,
            notes=notes,
            tools=tools,
            reply=parsed.reply,
        )

    def save(self, who: str, place: int) -> Page:
        card = _get_card(self.queue.cards(who), place)
        shown = self.queue.shown[card.task.id]
        if request.form.get("shown") != shown:
            abort(409, "This page is older than the candidates; reload it.")
        parsed = editing.parse_form(request.form, self.queue.suite.prompt(card.task).tools)
        verdict = _build_verdict(card, parsed)
        if verdict is None:
            return self._render_page(who, place, parsed), 422
        event = self.queue.journal.record(who, card.task.id, verdict, shown)
        return self._go_on(who, place, did=verdict.action, at=self.queue.places[event.subject])

    def undo(self, who: str) -> Response:
        event = self.queue.journal.undo(who)
        if event is None or event.subject not in self.queue.places:
            return redirect(url_for("pages.listing", who=who, did="nothing"))
        place = self.queue.places[event.subject]
        return redirect(url_for("pages.card", who=who, place=place, did="undo"), 303)

    def _go_on(self, who: str, after: int = 0, **done: Any) -> Response:
        place = self.queue.find_next_open(self.queue.cards(who), who, after)
        if place is None:
            return redirect(url_for("pages.listing", who=who, **done), 303)
        return redirect(url_for("pages.card", who=who, place=place, **done), 303)

    def _render_page(self, who: str, place: int, typed: editing.ParsedForm | None = None) -> str:
        """Show `typed`, which could not be saved, or else what is saved."""
        cards = self.queue.cards(who)
        card = _get_card(cards, place)
        prompt = self.queue.suite.prompt(card.task)
        saved = (card.verdict and verdicts.apply_verdict(card.task, card.verdict)) or card.task
        reply = card.verdict.reply if card.verdict else ""
        parsed = typed or editing.ParsedForm(
            editing.fill_form(saved.golds, prompt.tools), (), {}, last_user_text(saved), reply
        )
        return render_template(
            "review.html",
            who=who,
            card=card,
            language=prompt.language,
            tools=prompt.tools,
            called={call.name for gold in card.task.golds for call in gold.calls},
            forms=parsed.forms,
            problems=parsed.problems,
            notes=self._find_notes(card, parsed),
            query=parsed.query,
            reply=parsed.reply,
            changes=diff_lines(card.task, saved),
            reasons=REJECTION_REASONS,
            progress=count_progress(cards),
            shown=self.queue.shown[card.task.id],
        )

    def _find_notes(self, card: Card, parsed: editing.ParsedForm) -> dict[str, str]:
        """Notes on arguments that nobody said, given the query of the form."""
        turns = verdicts.reword(card.task, parsed.query) if parsed.query else card.task.turns
        return editing.find_ungrounded(
            parsed.forms, lambda tool, value: self.queue.is_grounded(tool, value, turns)
        )


def _get_card(cards: Sequence[Card], place: int) -> Card:
    if not 1 <= place <= len(cards):
        abort(404)
    return cards[place - 1]


def _make_visible(lines: dict[str, str]) -> dict[str, str]:
    return {field: make_visible(line) for field, line in lines.items()}


def _build_verdict(card: Card, parsed: editing.ParsedForm) -> Verdict | None:
    """The verdict of the form's button; None for a correction that cannot be saved."""
    reason, comment = request.form.get("reason", ""), request.form.get("comment", "").strip()
    action = "reject" if reason else request.form.get("action")  # a reject button sends a reason
    if action == "approve":
        return Verdict("approve", comment=comment)
    if action == "reject" and reason in REJECTION_REASONS:
        return Verdict("reject", reason=reason, comment=comment)
    if action != "correct":
        abort(400, "action: expected approve, correct, or reject with a reason")
    return None if parsed.problems else _build_correction(card, parsed, comment)


def _build_correction(card: Card, parsed: editing.ParsedForm, comment: str) -> Verdict:
    """The verdict of a saved form. Saving the draft unchanged approves it."""
    draft_query = editing.normalize_posted(last_user_text(card.task))
    query = parsed.query if parsed.query != draft_query else ""
    reply = parsed.reply if parsed.golds[0].decision != "call" else ""
    if parsed.golds == card.task.golds and not query and not reply:
        return Verdict("approve", comment=comment)
    return Verdict("correct", parsed.golds, comment=comment, query=query, reply=reply)


def _apply_form(card: Card, parsed: editing.ParsedForm) -> Task:
    return verdicts.apply_verdict(card.task, _build_correction(card, parsed, "")) or card.task
