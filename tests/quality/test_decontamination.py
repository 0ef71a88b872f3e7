"""Decontamination: what counts as a query of the benchmark, and what does not."""

import random

import pytest

from agent_tuning.quality.decontamination import (
    ContaminationFilter,
    ProtectedQuery,
    RewordedLimits,
)
from agent_tuning.quality.near_duplicates import normalize_tokens
from agent_tuning.quality.reworded import RewordedIndex, list_words

QUERY = "Please convert 25 euros to Swiss francs at today's rate, thanks"


TOOLS = ("convert", "tip")


def build_filter(*queries: str) -> ContaminationFilter:
    return ContaminationFilter([ProtectedQuery(query, "t", TOOLS) for query in queries], 0.6)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("What's  UP?", "what s up"),
        ("Straße ＡＢＣ", "strasse abc"),
        ("明天 weather 怎么样？", "明 天 weather 怎 么 样"),
        ("Cafe\u0301", "café"),
        ("get_user_info(3.5)", "get user info 3 5"),
        ("हिन्दी में", "हिन्दी में"),
        ("…!", ""),
    ],
    ids=["punctuation", "case and width", "CJK", "composition", "underscore", "marks", "nothing"],
)
def test_normalised_text_is_tokens_without_case_width_and_punctuation(
    text: str, tokens: str
) -> None:
    assert normalize_tokens(text) == tuple(tokens.split())


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (QUERY, "exact"),
        ("please CONVERT 25 euros -- to swiss francs at today's rate; thanks!", "exact"),
        ("Hi! Convert 25 euros to Swiss francs at today's rate now.", "8-gram"),
        ("Convert 25 euros to Swiss francs at once.", None),
        ("Convert 30 euros to Swiss francs at noon's rate, thanks", None),
        ("", None),
    ],
    ids=["same", "other punctuation", "shared run of 8", "run of 7", "other words", "empty"],
)
def test_a_protected_query_is_found_whatever_its_case_and_punctuation(
    query: str, reason: str | None
) -> None:
    assert build_filter(QUERY).overlap(query, ()) == reason


@pytest.mark.parametrize(("shared", "reason"), [(12, None), (13, "8-gram")])
def test_chinese_needs_13_characters_in_a_row(shared: int, reason: str | None) -> None:
    query = "请帮我查一下明天上海到北京的高铁票价"
    assert build_filter(query).overlap(query[:shared] + "飞机好吗", ()) == reason


def test_a_leak_names_the_task_that_it_is_of() -> None:
    protected = [
        ProtectedQuery("Which ferry leaves first?", "t/1", ("ferries",)),
        ProtectedQuery(QUERY, "t/2", TOOLS),
    ]
    contamination = ContaminationFilter(protected, 0.6)
    near = QUERY.replace("francs", "money")
    assert contamination.find_leak("which ferry leaves FIRST", ()) == ("exact", "t/1")
    assert contamination.find_leak("Now: " + QUERY, ()) == ("8-gram", "t/2")
    assert contamination.find_leak(near, ["tip"]) == ("near", "t/2")
    assert contamination.find_leak(near, ["other"]) is None


def test_a_short_query_is_protected_whole_and_not_as_a_part() -> None:
    contamination = build_filter("Cancel it", "?")
    assert contamination.overlap("cancel it!", ()) == "exact"
    assert contamination.overlap("Cancel it tomorrow", ()) is None
    assert contamination.overlap("!", TOOLS) is None


@pytest.mark.parametrize(
    ("query", "tools", "reason"),
    [
        ("Please convert 25 euros to Swiss francs at today's rate", ["tip"], "8-gram"),
        ("Please convert 25 euros to Swiss money at today's rate, thanks", ["tip"], "near"),
        ("Please convert 25 euros to Swiss money at today's rate, thanks", ["other"], None),
        ("Please change 25 euros into Swiss francs at Monday's rate, cheers", ["tip"], None),
    ],
    ids=["a run", "one word changed", "and no tool in common", "four words changed"],
)
def test_nearly_the_same_query_with_a_tool_in_common_is_an_overlap(query, tools, reason) -> None:
    assert build_filter(QUERY).overlap(query, tools) == reason


EDITED = {
    "one letter": "Please convert 25 euros to Swiss franks at today's rate, thanks",
    "two typos": "Please convrt 25 euros to Swiss francs at todays rate, thanks",
    "one word": "Please convert 25 pounds to Swiss francs at today's rate, thanks",
    "another number": "Please convert 31 euros to Swiss francs at today's rate, thanks",
    "another order": "thanks, at today's rate please convert 25 euros to Swiss francs",
}


@pytest.mark.parametrize("edit", EDITED)
def test_an_edit_of_a_query_is_a_leak_whatever_the_tools(edit: str) -> None:
    contamination = ContaminationFilter(
        [ProtectedQuery(QUERY, "t/1", TOOLS)], 0.9, RewordedLimits(0.7, 0.7)
    )
    assert contamination.find_leak(EDITED[edit], ()) in (("reworded", "t/1"), ("8-gram", "t/1"))


@pytest.mark.parametrize(
    ("query", "leaks"),
    [
        ("请帮我查一下后天上海到北京的高铁票价", True),
        ("明天上海到北京的高铁票价请帮我查一下", True),
        ("请帮我订一张后天广州到深圳的火车票", False),
        ("What is the rate of the Swiss franc?", False),
    ],
)
def test_edits_are_found_in_chinese_and_other_requests_are_none(query: str, leaks: bool) -> None:
    protected = [
        ProtectedQuery("请帮我查一下明天上海到北京的高铁票价", "t/1"),
        ProtectedQuery(QUERY, "t/2"),
    ]
    contamination = ContaminationFilter(protected, 0.9, RewordedLimits(0.7, 0.7))
    assert (contamination.find_leak(query, ()) is not None) == leaks


def test_the_index_finds_all_that_a_comparison_of_all_finds() -> None:
    rng = random.Random(1)
    words = ["order", "boat", "berth", "crew", "port", "tide", "find", "set", "next", "by", "name"]
    texts = [" ".join(rng.choices(words, k=rng.randint(1, 8))) for _ in range(300)]
    index = RewordedIndex(texts, 0.6, 1.0)
    for text in texts[:60]:
        mine = list_words(text)
        expected = [
            number
            for number, other in enumerate(map(list_words, texts))
            if len(mine & other) >= 0.6 * len(mine | other)
        ]
        assert sorted(set(index.find(text))) == expected
