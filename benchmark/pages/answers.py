"""Answers of two models, or of two versions, to the same tasks, as the rows of a page."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from agent_tuning.files import jsonl
from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.tokens.tokenizer_file import read_tokenizer
from benchmark.pages.row_page import Page, Prompt, Row, SharedTexts, Side, Sides, Text
from benchmark.scoring.known_names import suite_title
from benchmark.scoring.task_score import ScoredAnswer
from benchmark.tasks.suites import Suite

FACETS = ("suite", "kind", "tool", "decision", "language", "axis")
Pair = tuple[ScoredAnswer, ScoredAnswer]
PromptTexts = Mapping[str, tuple[str, str]]  # by task: what its group shares, and its own


def read_prompts(requests: Path, tokenizer: Path) -> dict[str, tuple[str, str]]:
    """The prompt of every task as the model saw it: its token ids as text, special tokens too."""
    words = read_tokenizer(tokenizer)
    texts: dict[str, tuple[str, str]] = {}
    for group in jsonl.read(requests, QuestionGroup):
        shared = words.decode(list(group.prefix), skip_special_tokens=False)
        for task, ids in group.questions.items():
            texts[task] = (shared, words.decode(list(ids), skip_special_tokens=False))
    return texts


def build_page(
    title: str,
    names: tuple[str, str],
    pairs: Iterable[Pair],
    suites: Mapping[str, Suite],
    prompts: PromptTexts,
) -> Page:
    """`names` of the two sides; `pairs`: the two answers to each task, of the suites given."""
    texts = SharedTexts()
    tools = {
        task.id: tuple(sorted({call.name for gold in task.golds for call in gold.calls}))
        for suite in suites.values()
        for task in suite.tasks
    }
    rows = tuple(_build_row(names, pair, tools, prompts, texts) for pair in pairs)
    one, other = names
    return Page(
        title=title,
        intro=f"Every task with what {one} and {other} answered. A row opens by click or Enter, "
        "and has an address of its own.",
        noun="tasks",
        facets=(*FACETS, f"outcome of {other}"),
        flags=(f"{one} and {other} differ", "wrong in both", f"{other} not right"),
        texts=texts.all,
        rows=rows,
    )


def pair_models(
    scores: Iterable[ScoredAnswer], one: str = "base", other: str = "tuned"
) -> Iterator[Pair]:
    """The answers of two models to the same tasks, in the order of the first's."""
    rows = list(scores)
    others = {(row.suite, row.task): row for row in rows if row.model == other}
    for row in rows:
        if row.model == one and (row.suite, row.task) in others:
            yield row, others[row.suite, row.task]


def _build_row(
    names: tuple[str, str],
    pair: Pair,
    tools: Mapping[str, Sequence[str]],
    prompts: PromptTexts,
    texts: SharedTexts,
) -> Row:
    first, second = pair
    marks = tuple(map(_mark, pair))
    asked = prompts.get(first.task)
    parts = [
        Text("query", first.query),
        *([Prompt("prompt, as the model saw it", texts.add(asked[0]), asked[1])] if asked else ()),
        Sides(first.gold, tuple(map(_build_side, names, pair, marks))),
    ]
    flags = (
        _is_right(first) != _is_right(second) or first.outcome != second.outcome,
        "right" not in marks,
        marks[1] != "right",
    )
    return Row(
        id=first.task,
        title=first.query,
        values={
            "suite": (suite_title(first.suite),),
            "kind": (first.kind,),
            "tool": tuple(tools.get(first.task, ())) or ("none",),
            "decision": (first.wanted,),
            "language": (first.language,),
            "axis": tuple(f"{axis} {part}" for axis, part in sorted(first.axes.items())),
            f"outcome of {names[1]}": (second.outcome.value,),
        },
        parts=tuple(parts),
        flags=tuple(place for place, is_set in enumerate(flags) if is_set),
        marks=tuple(zip(names, marks, strict=True)),
    )


def _build_side(name: str, row: ScoredAnswer, mark: str) -> Side:
    return Side(name, mark, row.answer, row.decision, row.reason)


def _is_right(row: ScoredAnswer) -> tuple[int, float | None]:
    return (row.score.em, row.score.call_exact_match)


def _mark(row: ScoredAnswer) -> str:
    if not row.score.em:
        return "wrong"
    return "arguments" if row.score.call_exact_match == 0 else "right"
