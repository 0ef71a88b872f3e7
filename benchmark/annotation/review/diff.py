"""What a correction changes in a drafted task, line by line."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from benchmark.annotation.review.value_text import format_value
from benchmark.scoring.task_score import last_user_text
from benchmark.tasks.suites import Gold, Task


def diff_lines(draft: Task, now: Task) -> list[tuple[str, str]]:
    """(`+`, `-` or space, line) of one against the other; the query only where it was reworded."""
    before, after = list(_told(draft.golds)), list(_told(now.golds))
    if last_user_text(draft) != last_user_text(now):
        before, after = (
            [f"user: {last_user_text(draft)}", *before],
            [f"user: {last_user_text(now)}", *after],
        )
    found: list[tuple[str, str]] = []
    for same, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if same == "equal":
            found += [(" ", text) for text in before[a:b]]
        else:
            found += [("-", text) for text in before[a:b]] + [("+", text) for text in after[c:d]]
    return found


def _told(golds: Sequence[Gold]) -> Iterator[str]:
    for number, gold in enumerate(golds):
        yield f"{'or ' if number else ''}{gold.decision}"
        yield f"  thought: {gold.thought}"
        for call in gold.calls:
            yield f"  {call.name}"
            for name, accepted in call.arguments.items():
                free = " (may be left out)" if name in call.optional else ""
                yield f"    {name}: {' | '.join(map(format_value, accepted))}{free}"
