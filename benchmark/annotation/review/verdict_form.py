"""The verdict that a posted form means. Approving means what the person saw, never more.

A page shows the draft, or this person's own correction. `Approve` on the draft approves it, on the
correction it keeps the correction, and on a text that was changed it is refused.
"""

from collections.abc import Mapping

import msgspec

from agent_tuning.records import Tool
from benchmark.annotation.review import verdicts
from benchmark.annotation.review.editing import ParsedForm
from benchmark.annotation.review.gold_form import (
    Form,
    fill_form,
    normalize_forms,
    normalize_posted,
    read_lines,
)
from benchmark.annotation.review.queue import Card
from benchmark.annotation.review.verdicts import REJECTION_REASONS
from benchmark.annotation.web.events import Verdict
from benchmark.scoring.task_score import last_user_text
from benchmark.tasks.suites import Task

CHANGED = "you changed something: save it as a correction, or go back to the draft"


class NotSaved(Exception):
    """What keeps a form from being saved: problems by field; `form` is the form as a whole."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(", ".join(problems))
        self.problems = dict(problems)


def read_verdict(
    card: Card, form: Form, parsed: ParsedForm, tools: tuple[Tool, ...]
) -> Verdict | None:
    """The verdict of the form's button; None if the button makes no sense. Raises NotSaved."""
    reason, comment = form.get("reason", ""), read_lines(form, "comment").strip()
    action = "reject" if reason else form.get("action")  # a reject button sends a reason
    if action == "reject" and reason in REJECTION_REASONS:
        return Verdict("reject", reason=reason, comment=comment)
    if action == "approve":
        return _approve(card, parsed, tools, comment)
    if action == "correct":
        if parsed.problems:
            raise NotSaved(parsed.problems)
        return build_correction(card.task, parsed, comment)
    return None


def _approve(card: Card, parsed: ParsedForm, tools: tuple[Tool, ...], comment: str) -> Verdict:
    if _is_shown(parsed, card.task, "", tools):
        return Verdict("approve", comment=comment)
    mine = card.verdict
    if mine and mine.action == "correct":
        corrected = verdicts.apply_verdict(card.task, mine)
        if corrected and _is_shown(parsed, corrected, mine.reply, tools):
            return msgspec.structs.replace(mine, comment=comment)
    raise NotSaved({"form": CHANGED})


def _is_shown(parsed: ParsedForm, task: Task, reply: str, tools: tuple[Tool, ...]) -> bool:
    """Whether the form has what a page with this task has, as a browser sends it."""
    return (
        normalize_forms(parsed.forms) == normalize_forms(fill_form(task.golds, tools))
        and normalize_posted(parsed.query) == normalize_posted(last_user_text(task))
        and parsed.reply == normalize_posted(reply)
    )


def build_correction(task: Task, parsed: ParsedForm, comment: str = "") -> Verdict:
    """The verdict of a form without problems. Saving the draft unchanged approves it."""
    draft_query = normalize_posted(last_user_text(task))
    query = parsed.query if parsed.query != draft_query else ""
    reply = parsed.reply if parsed.golds[0].decision != "call" else ""
    if parsed.golds == task.golds and not query and not reply:
        return Verdict("approve", comment=comment)
    return Verdict("correct", parsed.golds, comment=comment, query=query, reply=reply)
