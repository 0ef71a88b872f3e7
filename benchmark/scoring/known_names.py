"""The suites and models that reports list first, in this order. Others follow, by name.

A new suite or model works without a line here; add one to give it a place or a title.
"""

from collections.abc import Collection, Iterable

VALIDATION = "validation"  # the suite to choose by, not to report: it stands last
# Titles: two suites are derived from BFCL and NESTFUL, and never shown under the bare names.
SUITES = {
    "shop": "shop, freely worded",
    "shop_drafted": "shop, drafted",
    "house": "house",
    "bfcl": "BFCL-derived",
    "nestful": "NESTFUL-derived",
}
MODELS = ("base", "base_two_shot", "tuned")
# Models that are asked every suite: a task that they did not answer counts as wrong. Any other
# model (`base_two_shot` is asked the house suite alone) is scored on the suites that it answered.
MODELS_ASKED_EVERYTHING = ("base", "tuned")


def sort_names(names: Iterable[str], known: Collection[str]) -> list[str]:
    """`names` in the order of `known`, then the unknown ones by name, `validation` last."""
    present = set(names)
    unknown = sorted(present - set(known), key=lambda name: (name == VALIDATION, name))
    return [*(name for name in known if name in present), *unknown]


def suite_title(suite: str) -> str:
    return SUITES.get(suite, suite)
