"""A line tells something only if the paired test, its interval and all seeds say so."""

import re
from collections.abc import Sequence

import pytest

from agent_tuning.records import BadInput
from benchmark.ablations.plan import FULL, Ablation
from benchmark.ablations.table import AblationRow, build_rows, decide, format_table, pair_tasks
from benchmark.compare.paired_tests import CompareConfig
from benchmark.scoring.outcome import Verdict
from benchmark.scoring.scorers import Score
from benchmark.scoring.task_score import ScoredAnswer

SETTINGS = CompareConfig(resamples=2000, seed=1, alpha=0.05)
RECIPES = [Ablation(FULL, "the recipe"), Ablation("x", "no x"), Ablation("y", "no y")]
TASKS = 20


def answers(right: Sequence[int] | int, tasks: int = TASKS) -> list[ScoredAnswer]:
    """One experiment: each task a group of its own; right are the first ones, or as listed."""
    values = [int(n < right) for n in range(tasks)] if isinstance(right, int) else list(right)
    return [
        ScoredAnswer(
            suite="shop",
            model="tuned",
            task=f"shop/{number:02}",
            group=f"g{number:02}",
            kind="call",
            language="en",
            template="native",
            tool_format="native",
            reply_format="native",
            wanted="call",
            outcome=Verdict.CALL,
            score=Score(value, call_exact_match=value),
        )
        for number, value in enumerate(values)
    ]


def rows(**by_ablation: Sequence[Sequence[ScoredAnswer]]) -> dict[str, AblationRow]:
    bits = {name: [1.5, 2.0][: len(seeds)] for name, seeds in by_ablation.items()}
    built = build_rows("shop", RECIPES, by_ablation, bits, 2, SETTINGS)
    return {row.ablation: row for row in decide(list(built), SETTINGS.alpha)}


def test_a_task_counts_with_its_mean_over_the_seeds():
    full = [answers([1, 1, 1]), answers([1, 0, 1])]
    own = [answers([0, 0, 1]), answers([1, 0, 0])]
    assert pair_tasks(full, own) == [("g00", 1.0, 0.5), ("g01", 0.5, 0.0), ("g02", 1.0, 0.5)]


def test_every_number_of_a_line_by_hand():
    found = rows(full=[answers(20), answers(20)], x=[answers(0), answers(0)])
    assert (found["full"].em, found["full"].difference, found["full"].result) == (1.0, None, "")
    x = found["x"]
    assert (x.n, x.seeds, x.em, x.lowest, x.highest) == (20, 2, 0.0, 0.0, 0.0)
    assert (x.call_exact_match, x.bits_per_byte) == (0.0, 1.75)
    # every task loses 1, so every resample does; of 2000 random signs none are all alike
    assert (x.difference, x.low, x.high) == (-1.0, -1.0, -1.0)
    assert x.p == pytest.approx(1 / 2001)
    assert (x.p_holm, x.result) == (x.p, "worse")


def test_a_line_that_gains_is_better():
    assert rows(full=[answers(2)] * 2, x=[answers(19)] * 2)["x"].result == "better"


def test_seeds_that_overlap_do_not_tell_however_small_p_is():
    # means 0.7 and 0.25; but the recipe's second seed is below the first seed without x
    found = rows(full=[answers(20), answers(8)], x=[answers(10), answers(0)])["x"]
    assert found.difference == pytest.approx(-0.45)
    assert found.p_holm is not None
    assert found.p_holm < 0.05
    assert (found.lowest, found.highest) == (0.0, 0.5)
    assert found.result == "not distinguishable"


def test_a_few_tasks_do_not_tell_however_well_the_seeds_agree():
    # each seed loses the same one of 20 tasks: all signs of one group are as far from 0
    found = rows(full=[answers(20)] * 2, x=[answers(19)] * 2)["x"]
    assert (found.difference, found.p) == (pytest.approx(-0.05), 1.0)
    assert found.result == "not distinguishable"


def test_p_is_corrected_for_the_number_of_lines():
    full = [answers(20)] * 2
    both = rows(full=full, x=[answers(0)] * 2, y=[answers(0)] * 2)
    assert both["x"].p is not None
    assert both["x"].p_holm == both["y"].p_holm == pytest.approx(2 * both["x"].p)


@pytest.mark.parametrize(("seeds", "full_seeds"), [(1, 2), (0, 2), (2, 1)])
def test_a_line_without_all_seeds_is_not_measured(seeds, full_seeds):
    found = rows(full=[answers(20)] * full_seeds, x=[answers(0)] * seeds)["x"]
    assert (found.result, found.seeds, found.em) == ("not measured", seeds, None)


def test_experiments_that_answered_other_tasks_are_refused():
    with pytest.raises(BadInput, match="different tasks"):
        pair_tasks([answers(1)], [answers(1, tasks=19)])
    with pytest.raises(BadInput, match="different tasks"):
        pair_tasks([answers(1), answers(1, tasks=19)], [answers(1)])


def test_the_table_has_a_line_each_and_names_a_suite_once():
    found = rows(full=[answers(20), answers(18)], x=[answers(0)] * 2, y=[answers(0)])
    lines = format_table(list(found.values())).splitlines()
    assert lines[0].startswith("| suite | trained | em |")
    assert re.fullmatch(r"\| ---( \| -+:?)+ \|", lines[1])
    assert lines[2:] == [
        "| shop, freely worded | the recipe | 0.950 | 0.900 to 1.000 | 0.950 | 1.750 |  |  |  |  |",
        "|  | no x | 0.000 | 0.000 to 0.000 | 0.000 | 1.750 "
        "| -0.950 | -1.000 to -0.875 | 0.0005 | worse |",
        "|  | no y |  |  |  |  |  |  |  | not measured (1 seeds) |",
    ]
