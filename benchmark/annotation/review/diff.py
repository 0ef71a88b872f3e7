"""What a correction changes in a drafted task, line by line."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from benchmark.annotation.review.value_text import format_value
from benchmark.scoring.task_score import last_user_text
from benchmark.tasks.suites import Gold, Task


def diff_lines(draft: Task, corrected: Task) -> list[tuple[str, str]]:
    """(`+`, `-` or space, line) for every line. The query is there only if it was reworded."""
    before, after = list(_format_golds(draft.golds)), list(_format_golds(corrected.golds))
    old_query, new_query = last_user_text(draft), last_user_text(corrected)
    if old_query != new_query:
        before, after = [f"user: {old_query}", *before], [f"user: {new_query}", *after]
    lines: list[tuple[str, str]] = []
    for tag, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            lines += [(" ", text) for text in before[a:b]]
        else:
            lines += [("-", text) for text in before[a:b]] + [("+", text) for text in after[c:d]]
    return lines


def _format_golds(golds: Sequence[Gold]) -> Iterator[str]:
    for number, gold in enumerate(golds):
        yield f"{'or ' if number else ''}{gold.decision}"
        yield f"  thought: {gold.thought}"
        for call in gold.calls:
            yield f"  {call.name}"
            for name, accepted in call.arguments.items():
                optional = " (may be left out)" if name in call.optional else ""
                yield f"    {name}: {' | '.join(map(format_value, accepted))}{optional}"
