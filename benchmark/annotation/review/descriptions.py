"""Task descriptions (thoughts) of golds that a reviewer changes.

A description is scored, so that of another decision must not stay: choosing another decision
empties it, and it has to be written again wherever the suite has one.
"""

from collections.abc import Collection, Mapping, Sequence

from agent_tuning.records import Decision
from benchmark.annotation.review.gold_form import DECISIONS, Form, GoldForm
from benchmark.tasks.suites import Gold, Suite


def list_described(suite: Suite) -> frozenset[Decision]:
    """The decisions whose golds need a description: those that have one in this suite.

    A decision that no gold takes needs one if any other does.
    """
    golds = [gold for task in suite.tasks for gold in task.golds]
    described = {gold.decision for gold in golds if gold.thought}
    unused = set(DECISIONS) - {gold.decision for gold in golds}
    return frozenset(described | unused if described else ())


def find_missing(forms: Sequence[GoldForm], described: Collection[Decision]) -> dict[str, str]:
    """The fields of descriptions that are empty and must not be."""
    return {
        f"{form.field}.thought": "say what the model should do: it is scored"
        for form in forms
        if form.decision in described and not form.thought.strip()
    }


def replace_stale(form: Form, draft: Sequence[Gold]) -> tuple[Form, Mapping[str, str]]:
    """The form without the descriptions of decisions that are chosen no more.

    `N.was` is the decision that the form was shown with. Going back to the draft's decision brings
    its description back. The second value maps a field to the text that was taken out of it.
    """
    fresh, stale = dict(form), dict[str, str]()
    for name, was in form.items():
        number, _, leaf = name.partition(".")
        chosen, field = form.get(f"{number}.decision", ""), f"{number}.thought"
        if leaf != "was" or chosen in ("", was):
            continue
        drafted = draft[int(number)] if number.isdecimal() and int(number) < len(draft) else None
        fresh[field] = drafted.thought if drafted and drafted.decision == chosen else ""
        if form.get(field) and not fresh[field]:
            stale[field] = form[field]
    return fresh, stale
