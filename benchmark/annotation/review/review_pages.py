"""The review pages: one candidate at a time, and the list of all."""

from collections.abc import Sequence
from typing import Any

import msgspec
from flask import Blueprint, abort, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from benchmark.annotation.review import descriptions, editing, verdicts
from benchmark.annotation.review.card_filter import CHOICES, CardFilter
from benchmark.annotation.review.diff import diff_lines
from benchmark.annotation.review.gold_form import fill_form, read_fields
from benchmark.annotation.review.opinions import find_taken, list_opinions
from benchmark.annotation.review.queue import Card, ReviewQueue, count_progress, find_conflict
from benchmark.annotation.review.verdict_form import NotSaved, build_correction, read_verdict
from benchmark.annotation.review.verdicts import REJECTION_REASONS
from benchmark.annotation.web.errors import wants_json
from benchmark.annotation.web.events import Flag, Verdict
from benchmark.annotation.web.security import make_visible
from benchmark.annotation.web.wording import translate
from benchmark.scoring.task_score import last_user_text

Page = str | tuple[str, int] | Response | tuple[Response, int]
STALE = "Your verdict or the task is another now, perhaps in another window. Load the page again."


def build_pages(queue: ReviewQueue, merge_command: str = "make merge") -> Blueprint:
    """The pages of a queue; `merge_command` is shown to whoever has nothing left to review."""
    pages, views = Blueprint("pages", __name__), Views(queue, merge_command)
    pages.get("/")(views.start)
    pages.get("/all")(views.listing)
    pages.get("/<int:place>")(views.card)
    pages.post("/<int:place>")(views.save)
    pages.post("/<int:place>/take")(views.take)
    pages.post("/<int:place>/flag")(views.flag)
    pages.post("/<int:place>/check")(views.check)
    pages.post("/<int:place>/editor")(views.editor)
    pages.post("/undo")(views.undo)

    @pages.url_defaults
    def keep_filter(_: str, values: dict[str, Any]) -> None:
        """All pages that a page links to have its filter."""
        if request:
            values |= {**CardFilter.read(request.args).fields, **values}

    return pages


class Views:
    """The requests that the pages answer; a method's name is its endpoint."""

    def __init__(self, queue: ReviewQueue, merge_command: str) -> None:
        self.queue = queue
        self.merge_command = merge_command

    def start(self, who: str) -> Response:
        """To what is next; `after` skips a task for now."""
        return self._go_on(who, request.args.get("after", 0, int))

    def listing(self, who: str) -> str:
        cards, chosen = self.queue.cards(who), CardFilter.read(request.args)
        found = chosen.narrow(cards)
        return render_template(
            "list.html",
            who=who,
            cards=found,
            filter=chosen,
            merge_command=self.merge_command,
            choices=CHOICES,
            kinds=sorted({card.task.kind for card in cards}),
            languages=sorted({card.language for card in cards}),
            next_place=self.queue.find_next(chosen.narrow_subject(cards), who),
            queries={card.place: last_user_text(card.outcome.task or card.task) for card in found},
            progress=count_progress(cards),
        )

    def card(self, who: str, place: int) -> str:
        self.queue.mark_viewed(place, who)
        return self._render_page(who, place)

    def check(self, who: str, place: int) -> Response:
        """Problems and notes by field of the form as it is now, and what it changes."""
        card = _get_card(self.queue.cards(who), place)
        parsed = self._parse(card)
        lines = []
        if not parsed.problems:
            verdict = build_correction(card.task, parsed)
            lines = diff_lines(card.task, verdicts.apply_verdict(card.task, verdict) or card.task)
        return jsonify(
            problems=_make_visible(parsed.problems),
            notes=_make_visible(self._find_notes(card, parsed)),
            changes=[(sign, make_visible(line)) for sign, line in lines],
        )

    def editor(self, who: str, place: int) -> str:
        """The form again, with the fields of the tools and decisions chosen in it."""
        card = _get_card(self.queue.cards(who), place)
        tools = self.queue.suite.prompt(card.task).tools
        form, stale = descriptions.replace_stale(read_fields(request.form), card.task.golds)
        parsed = editing.parse_form(form, tools, self.queue.described)
        return render_template(
            "editor.html",
            forms=parsed.forms,
            problems=parsed.problems,
            notes=self._find_notes(card, parsed),
            stale=stale,
            tools=tools,
            reply=parsed.reply,
            language=card.language,
        )

    def save(self, who: str, place: int) -> Page:
        card = self._get_shown_card(who, place)
        parsed, tools = self._parse(card), self.queue.suite.prompt(card.task).tools
        try:
            verdict = read_verdict(card, read_fields(request.form), parsed, tools)
        except NotSaved as error:
            return self._refuse(who, place, parsed, error.problems)
        if verdict is None:
            abort(400, "action: expected approve, correct, or reject with a reason")
        # A form is sent again if the answer to it got lost: what it says is there already.
        if verdict == card.verdict and (verdict.action == "correct" or not _is_fresh(card)):
            return self._go_on(who, place, did="keep", at=place)
        if not _is_fresh(card):
            abort(409, STALE)
        self.queue.journal.record(who, card.task.id, verdict, self.queue.shown[card.task.id])
        return self._go_on(who, place, did=verdict.action, at=place)

    def take(self, who: str, place: int) -> Page:
        """Say the same as another person, whose verdict this person has seen."""
        card = self._get_shown_card(who, place)
        name = request.form.get("from", "")
        taken = find_taken(card, name, request.form.get("number", 0, int))
        if taken is None or not isinstance(taken.after, Verdict) or not _is_fresh(card):
            abort(409, STALE)
        verdict = msgspec.structs.replace(taken.after, comment="", taken_from=name)
        self.queue.journal.record(who, card.task.id, verdict, self.queue.shown[card.task.id])
        return self._go_on(who, place, did="take", at=place)

    def flag(self, who: str, place: int) -> Response:
        """Flag the task with a note, or take one's own flag off."""
        card = _get_card(self.queue.cards(who), place)
        if request.form.get("flagged"):
            note = request.form.get("note", "").strip()
            self.queue.journal.record(who, card.task.id, Flag(note))
        else:
            self.queue.journal.withdraw(who, card.task.id, Flag)
        did = "flag" if request.form.get("flagged") else "unflag"
        return redirect(url_for("pages.card", who=who, place=place, did=did), 303)

    def undo(self, who: str) -> Response:
        event = self.queue.journal.undo(who)
        if event is None or event.subject not in self.queue.places:
            return redirect(url_for("pages.listing", who=who, did="nothing"), 303)
        place = self.queue.places[event.subject]
        return redirect(url_for("pages.card", who=who, place=place, did="undo"), 303)

    def _go_on(self, who: str, after: int = 0, **done: Any) -> Response:
        chosen = CardFilter.read(request.args)
        cards = chosen.narrow_subject(self.queue.cards(who))
        place = find_conflict(cards, after) if chosen.show == "conflict" else None
        if place is None:  # the conflicts are through: back to the tasks
            done |= {"show": None} if chosen.show == "conflict" else {}
            place = self.queue.find_next(cards, who, after)
        if place is None:
            return redirect(url_for("pages.listing", who=who, **done), 303)
        return redirect(url_for("pages.card", who=who, place=place, **done), 303)

    def _get_shown_card(self, who: str, place: int) -> Card:
        """The card, if the task is the one that the form was made for."""
        card = _get_card(self.queue.cards(who), place)
        if request.form.get("shown") != self.queue.shown[card.task.id]:
            abort(409, STALE)
        return card

    def _parse(self, card: Card) -> editing.ParsedForm:
        tools = self.queue.suite.prompt(card.task).tools
        return editing.parse_form(read_fields(request.form), tools, self.queue.described)

    def _refuse(
        self, who: str, place: int, parsed: editing.ParsedForm, problems: dict[str, str]
    ) -> Page:
        if wants_json():
            problem = translate(next(iter(problems.values())))
            line = translate("Not saved: {problem}", problem=problem)
            return jsonify(error=make_visible(line), problems=_make_visible(problems)), 422
        return self._render_page(who, place, parsed._replace(problems=problems)), 422

    def _render_page(self, who: str, place: int, typed: editing.ParsedForm | None = None) -> str:
        """Show `typed`, which could not be saved, or else what is saved; the draft if asked for."""
        cards = self.queue.cards(who)
        card = _get_card(cards, place)
        tools = self.queue.suite.prompt(card.task).tools
        mine = card.verdict if card.verdict and card.verdict.golds else None
        shown = None if "draft" in request.args else mine
        saved = (shown and verdicts.apply_verdict(card.task, shown)) or card.task
        parsed = typed or editing.ParsedForm(
            fill_form(saved.golds, tools),
            (),
            {},
            last_user_text(saved),
            shown.reply if shown else "",
        )
        found = [other.place for other in CardFilter.read(request.args).narrow(cards)]
        return render_template(
            "review.html",
            who=who,
            card=card,
            opinions=list(list_opinions(card, who)),
            has_correction=mine is not None,
            shows_correction=shown is not None,
            previous=max((other for other in found if other < place), default=None),
            next=min((other for other in found if other > place), default=None),
            tools=tools,
            called={call.name for gold in card.task.golds for call in gold.calls},
            forms=parsed.forms,
            problems=parsed.problems,
            notes=self._find_notes(card, parsed),
            stale={},
            query=parsed.query,
            reply=parsed.reply,
            language=card.language,
            changes=[] if parsed.problems else diff_lines(card.task, saved),
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


def _is_fresh(card: Card) -> bool:
    """Whether this person's verdict is the one that the form was made with."""
    return request.form.get("mine", 0, int) == card.number


def _make_visible(lines: dict[str, str]) -> dict[str, str]:
    return {field: make_visible(translate(line)) for field, line in lines.items()}
