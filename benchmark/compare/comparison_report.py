"""A comparison as Markdown for people and as JSON for programs."""

import json
from pathlib import Path
from textwrap import indent

import msgspec

from agent_tuning.files import atomic_write
from agent_tuning.files.markdown_table import format_row
from agent_tuning.runtime.visible_text import show_controls
from benchmark.compare.paired_tests import Comparison, Flip, MetricChange
from benchmark.scoring.known_names import suite_title

HEADER = (
    *("suite", "metric", "n", "A", "B", "B − A"),
    *("95 % interval", "p", "p (Holm)", ""),
)


def write(comparison: Comparison, target: Path) -> None:
    """Write `target` with the suffixes .json and .md."""
    plain = json.dumps(msgspec.to_builtins(comparison), indent=2, ensure_ascii=False)
    atomic_write.write_text(target.with_suffix(".json"), plain + "\n")
    atomic_write.write_text(target.with_suffix(".md"), format_markdown(comparison))


def format_markdown(comparison: Comparison) -> str:
    """The numbers, then every flipped task with both answers, lost ones first.

    Answers are a model's: their control characters are shown, so that no terminal obeys them.
    """
    ruler = ["---", "---", *("---:" for _ in HEADER[2:-1]), "---"]
    table = [HEADER, ruler, *map(_format_cells, comparison.changes)]
    rows = "".join(map(format_row, table))
    lost = sum(flip.lost for flip in comparison.flips)
    head = f"# {comparison.a} → {comparison.b}\n\n{_format_summary(comparison)}\n\n{rows}\n"
    flips = "".join(map(_format_flip, comparison.flips))
    text = f"{head}## {len(comparison.flips)} flipped tasks, {lost} of them lost\n\n{flips}"
    return show_controls(text, kept="\n\t")


def _format_summary(comparison: Comparison) -> str:
    worse = ", ".join(f"{suite_title(c.suite)} {c.metric}" for c in comparison.worse)
    summary = f"Significantly worse: {worse}." if worse else "Nothing is significantly worse."
    before, after = comparison.unanswered
    partial = f" Partial: {before} tasks of A and {after} of B have no answer."
    return summary + partial if before or after else summary


def _format_cells(change: MetricChange) -> tuple[str, ...]:
    numbers = (f"{change.a:.3f}", f"{change.b:.3f}", f"{change.difference:+.3f}")
    interval = f"{change.low:+.3f} to {change.high:+.3f}"
    chance = (interval, f"{change.p:.2g}", f"{change.p_holm:.2g}")
    start = (suite_title(change.suite), change.metric, str(change.n))
    return (*start, *numbers, *chance, change.verdict)


def _format_flip(flip: Flip) -> str:
    moved = f"em {flip.em[0]} → {flip.em[1]}"
    if flip.call_exact_match[0] != flip.call_exact_match[1]:
        moved += f", call_exact_match {flip.call_exact_match[0]} → {flip.call_exact_match[1]}"
    answers = "".join(
        f"- {name}: {reason or 'right'}\n\n{indent(answer.strip() or '(nothing)', ' ' * 6)}\n\n"
        for name, answer, reason in zip("AB", flip.answers, flip.reasons, strict=True)
    )
    task = f"- query: {_join_lines(flip.query)}\n- gold: {_join_lines(flip.gold)}\n"
    return f"### {flip.task} ({flip.kind}): {moved}\n\n{task}{answers}"


def _join_lines(text: str) -> str:
    return " ".join(text.split())
