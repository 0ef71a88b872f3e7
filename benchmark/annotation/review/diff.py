"""What a correction changes in a drafted task, line by line."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from benchmark.annotation.review.value_text import format_value
from benchmark.scoring.task_score import last_user_text
from benchmark.tasks.suites import Gold, Task


def diff_lines(draft: Task, corrected: Task) -> list[tuple[str, str]]:
    """(`+`, `-` or space, line): an accepted value a line. The query is there only if reworded.

    Unchanged values between others of their argument are left out.
    """
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
    return list(_elide(lines))


def _elide(lines: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    keys = [(sign, text.partition(": ")[0]) for sign, text in lines]
    hidden = [
        sign == " " and 0 < at < len(lines) - 1 and keys[at - 1] == keys[at] == keys[at + 1]
        for at, (sign, _) in enumerate(lines)
    ]
    for at, line in enumerate(lines):
        if not hidden[at]:
            yield line
        elif not hidden[at - 1]:
            yield " ", "    …"


def _format_golds(golds: Sequence[Gold]) -> Iterator[str]:
    for number, gold in enumerate(golds):
        yield f"{'or ' if number else ''}{gold.decision}"
        yield f"  thought: {gold.thought}"
        for call in gold.calls:
            yield f"  {call.name}"
            for name, accepted in call.arguments.items():
                yield from (f"    {name}: {format_value(value)}" for value in accepted)
                if name in call.optional:
                    yield f"    {name}: (may be left out)"
