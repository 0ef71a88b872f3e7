"""Hard negatives: one for every four positives, each kind as it promises, and hard."""

import random
from collections import Counter
from collections.abc import Iterator
from itertools import islice

import msgspec
import pytest

from agent_tuning.catalogue.grammar import Grammar
from agent_tuning.quality.decontamination import ContaminationFilter, ProtectedQuery
from agent_tuning.quality.lexical_auc import compute_lexical_auc
from agent_tuning.quality.validation import TrajectoryValidator, list_leaves
from agent_tuning.records import BadInput, Group, PromptSpec, Trajectory
from agent_tuning.runtime import config
from agent_tuning.synthesis.hard_negatives import (
    KINDS,
    GrammarWidth,
    NegativeSource,
    _shuffle_lazily,
    strip_preface,
)
from agent_tuning.synthesis.negative_selection import (
    OUTSIDE_REQUESTS,
    NegativesConfig,
    add_negatives,
    check_shares,
    count_kinds,
    write_outside_requests,
)
from agent_tuning.synthesis.quota import allocate_quota
from tests.support import default_data

SOUND = default_data.verified_groups()[0]
POSITIVES = [positive for group in SOUND for positive in group.trajectories]
ENTRIES = default_data.CATALOGUE.entries


def of_kind(kind: str) -> Iterator[tuple[Group, Trajectory]]:
    """Up to three candidates of a kind for every fifth group."""
    source = NegativeSource(
        default_data.teacher(default_data.NEGATIVES.style),
        POSITIVES,
        default_data.GENERAL_QUESTIONS.asked("train"),
    )
    for group in SOUND[::5]:
        for candidate in islice(KINDS[kind].generate(source, group, random.Random(group.id)), 3):
            yield group, candidate


def list_tools(group: Group) -> set[str]:
    return {tool.name for tool in group.tools}


def test_four_positives_to_one_negative_exactly():
    assert len(default_data.groups_with_negatives()) == len(SOUND)
    for group in default_data.groups_with_negatives():
        *positives, negative = group.trajectories
        assert len(positives) == 4
        assert {positive.turns[1].decision for positive in positives} == {"call"}
        assert negative.turns[-1].decision != "call"


def test_the_positives_stay_as_they_were():
    by_id = {group.id: group for group in SOUND}
    for group in default_data.groups_with_negatives():
        before = by_id[group.id]
        assert msgspec.structs.replace(group, trajectories=group.trajectories[:-1]) == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_negative_speaks_the_language_of_its_group_and_calls_nothing(kind):
    candidates = list(of_kind(kind))
    assert candidates
    for group, negative in candidates:
        assert (negative.kind, negative.language) == (kind, group.language)
        *_, query, decision = negative.turns
        assert decision.decision == ("ask" if kind == "missing_argument" else "no_call")
        assert decision.thought
        assert "{" not in query.text + decision.thought + decision.text
        assert len(negative.turns) == (6 if kind == "already_answered" else 2)


def test_a_topic_is_a_remark_about_a_tool_in_the_list():
    for group, negative in of_kind("on_topic_chat"):
        assert negative.tool in list_tools(group)
        *train, held_out = (
            getattr(r.query, negative.language) for r in ENTRIES[negative.tool].remarks
        )
        assert negative.query in train
        assert negative.query != held_out


def test_a_removed_tool_is_not_in_the_list_while_a_sibling_is():
    queries = {positive.query: positive.tool for positive in POSITIVES if positive.kind == "call"}
    for group, negative in of_kind("tool_unavailable"):
        assert negative.tool not in list_tools(group)
        assert list_tools(group) & set(ENTRIES[negative.tool].siblings)
        # An exact pair: the same words lead to a call under another prompt.
        assert queries[negative.query] == negative.tool


OTHERS = default_data.CATALOGUE.list_tools(["weather", "travel"])


def write_outside_positives() -> list[Trajectory]:
    teacher = default_data.teacher(default_data.NEGATIVES.style)
    return list(write_outside_requests(teacher, OTHERS))


def test_what_users_ask_of_another_domain_is_a_few_wordings_of_every_single_call():
    written = write_outside_positives()
    scenarios = {
        (tool, scenario.name)
        for tool in OTHERS
        for scenario in ENTRIES[tool].scenarios
        if scenario.complexity == "simple"
    }
    assert {(one.tool, one.scenario) for one in written} == scenarios
    assert len(written) == OUTSIDE_REQUESTS * len(scenarios)
    assert {(one.kind, one.language) for one in written} == {("call", "en")}


def test_the_requests_of_another_domain_are_unavailable_in_every_list():
    shop = default_data.CATALOGUE.list_tools(["shop"])
    assert not set(shop) & {sibling for tool in OTHERS for sibling in ENTRIES[tool].siblings}
    tools = tuple(default_data.CATALOGUE.tool(name, "en") for name in shop)
    group = Group("g", PromptSpec("g", "en", tools), ())
    positives = write_outside_positives()
    drawn = {}
    for outside in ((), OTHERS):
        source = NegativeSource(
            default_data.teacher(default_data.NEGATIVES.style), positives, (), outside=outside
        )
        drawn[bool(outside)] = list(
            KINDS["tool_unavailable"].generate(source, group, random.Random(1))
        )
    assert drawn[False] == []  # no sibling of theirs is in the list
    assert {one.tool for one in drawn[True]} <= set(OTHERS)
    assert {one.query for one in drawn[True]} <= {one.query for one in positives}
    assert {one.turns[-1].decision for one in drawn[True]} == {"no_call"}


def test_negatives_of_other_domains_are_chosen_and_never_offered():
    shares = dict.fromkeys(KINDS, 1e-9) | {"tool_unavailable": 1.0}
    p = msgspec.structs.replace(default_data.NEGATIVES, shares=shares)
    away = [group for group in SOUND if not list_tools(group) & set(OTHERS)]
    groups = [group for group in away if group.language == "en"][:20]
    questions = default_data.GENERAL_QUESTIONS.asked("train")
    contamination = default_data.contamination_filter()
    teacher = default_data.teacher(p.style)
    added = list(add_negatives(groups, questions, teacher, contamination, p, OTHERS))
    chosen = [group.trajectories[-1] for group in added]
    assert {one.kind for one in chosen} == {"tool_unavailable"}
    assert any(one.tool in OTHERS for one in chosen)


def test_a_missing_argument_is_one_that_a_tool_in_the_list_requires():
    for group, negative in of_kind("missing_argument"):
        assert negative.tool in list_tools(group)
        assert (
            ENTRIES[negative.tool].missing.argument in ENTRIES[negative.tool].parameters["required"]
        )
        assert negative.turns[1].text == negative.turns[1].text.strip() != ""


def test_a_negated_call_names_what_a_tool_in_the_list_would_do():
    for group, negative in of_kind("not_requested"):
        assert negative.tool in list_tools(group)
        wordings = [
            getattr(w.query, negative.language) for w in default_data.PHRASING.not_requested[:-1]
        ]
        assert [w for w in wordings if all(part in negative.query for part in w.split("{goal}"))]


def test_an_answered_question_follows_a_sound_exchange_that_holds_its_answer():
    checks = TrajectoryValidator(default_data.CATALOGUE, ContaminationFilter([], 0.7))
    for group, negative in of_kind("already_answered"):
        _, call, result, reply, _, last = negative.turns
        assert checks.find_problem(negative, group.tools) is None
        assert call.calls[0].name == negative.tool == result.name
        seen = [str(leaf) for leaf in list_leaves(result.content)]
        assert last.text == reply.text or any(value in last.text for value in seen)


def test_another_ratio_than_the_parameter_fails_by_name():
    p = msgspec.structs.replace(default_data.NEGATIVES, positives_per_negative=3)
    with pytest.raises(BadInput, match=r"\d+ positives, \d+ negatives: .*per_negative = 3"):
        count_kinds(default_data.groups_with_negatives(), p)


def test_a_general_question_is_one_that_training_may_use():
    for _, negative in of_kind("off_topic"):
        questions = default_data.GENERAL_QUESTIONS
        assert negative.query in questions.training[negative.language]
        assert negative.query not in questions.held_out[negative.language]


def test_kinds_keep_their_shares_where_tool_lists_allow_it():
    counts = Counter(group.trajectories[-1].kind for group in default_data.groups_with_negatives())
    wanted = allocate_quota(default_data.NEGATIVES.shares, len(SOUND))
    assert counts.total() == sum(wanted.values())
    for kind, count in wanted.items():
        assert abs(counts[kind] - count) <= 0.05 * len(SOUND), f"{kind}: {counts} for {wanted}"


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_that_tool_lists_do_not_allow_is_made_up_for_by_others(kind):
    shares = dict.fromkeys(KINDS, 1e-9) | {kind: 1.0}
    p = msgspec.structs.replace(default_data.NEGATIVES, shares=shares)
    questions, teacher = (
        default_data.GENERAL_QUESTIONS.asked("train"),
        default_data.teacher(p.style),
    )
    groups = list(
        add_negatives(SOUND[:30], questions, teacher, default_data.contamination_filter(), p)
    )
    kinds = Counter(group.trajectories[-1].kind for group in groups)
    assert kinds.total() == 30
    assert kinds.most_common(1)[0][0] == kind


def test_no_kind_has_the_same_query_twice():
    negatives = [
        (g.trajectories[-1].kind, g.trajectories[-1].query)
        for g in default_data.groups_with_negatives()
    ]
    assert len(set(negatives)) == len(negatives)


def test_no_negative_has_a_query_of_the_benchmark():
    queries = {group.trajectories[-1].query for group in default_data.groups_with_negatives()[::10]}
    questions, teacher = (
        default_data.GENERAL_QUESTIONS.asked("train"),
        default_data.teacher(default_data.NEGATIVES.style),
    )
    contamination = ContaminationFilter([ProtectedQuery(query, "t") for query in queries], 0.7)
    groups = add_negatives(SOUND, questions, teacher, contamination, default_data.NEGATIVES)
    assert not queries & {group.trajectories[-1].query for group in groups}


def test_a_preface_hides_no_query_of_the_benchmark():
    wide = msgspec.structs.replace(default_data.NEGATIVES, prefaced=1.0)
    questions = default_data.GENERAL_QUESTIONS.asked("train")
    teacher = default_data.teacher(wide.style)
    groups = SOUND[::4]

    def list_negatives(protected: list[str]) -> dict[str, Trajectory]:
        contamination = ContaminationFilter([ProtectedQuery(text, "t") for text in protected], 0.7)
        added = add_negatives(groups, questions, teacher, contamination, wide)
        return {group.id: group.trajectories[-1] for group in added}

    source = NegativeSource(teacher, POSITIVES, ())
    first = list_negatives([])
    alone = {negative.id: strip_preface(negative.query, source, negative.language)
             for negative in first.values()}  # fmt: skip
    short = [n for n in first.values() if n.query != alone[n.id] and len(alone[n.id].split()) < 8]
    protected = [alone[negative.id] for negative in short[::2]]
    assert len(protected) > 5
    for negative in list_negatives(protected).values():
        assert strip_preface(negative.query, source, negative.language) not in protected


def test_word_overlap_hardly_tells_negatives_from_positives():
    assert compute_lexical_auc(default_data.groups_with_negatives()) <= min(
        0.7, default_data.NEGATIVES.max_auc
    )


def test_the_order_of_groups_changes_nothing():
    assert default_data.add_negatives(SOUND[::-1]) == default_data.groups_with_negatives()


def test_a_wide_grammar_has_the_queries_that_a_large_plan_wants():
    config_large = config.load("add_hard_negatives", NegativesConfig, recipe="general_large")
    grammar = Grammar(default_data.CATALOGUE)
    missing = sum(
        min(config_large.missing_wordings, grammar.capacity(entry.missing.queries, name, "en"))
        for name, entry in ENTRIES.items()
        if entry.missing
    )
    remarks = sum(len(entry.remarks) - 1 for entry in ENTRIES.values())
    prefaces = len(default_data.PHRASING.prefaces.en) - 1
    assert missing >= 8000
    assert remarks * (1 + prefaces) >= 4000


@pytest.mark.parametrize("kind", ["missing_argument", "on_topic_chat"])
def test_a_preface_comes_before_the_query_and_changes_nothing_else(kind):
    style = default_data.teacher(default_data.NEGATIVES.style)
    narrow = NegativeSource(style, POSITIVES, ())
    wide = NegativeSource(style, POSITIVES, (), width=GrammarWidth(12, 1.0))
    for group in SOUND[::20]:
        plain, prefaced = (
            next(KINDS[kind].generate(source, group, random.Random(group.id)))
            for source in (narrow, wide)
        )
        texts = getattr(default_data.PHRASING.prefaces, group.language)
        *trained, held_out = texts
        assert any(
            prefaced.query in (f"{text} {plain.query}", f"{text}{plain.query}") for text in trained
        )
        assert held_out not in prefaced.query
        assert prefaced.turns[1:] == plain.turns[1:]


def test_a_share_that_drifts_fails_by_name():
    strict = msgspec.structs.replace(default_data.NEGATIVES, tolerance=0.05)
    shares = allocate_quota(strict.shares, 100)
    check_shares(shares, strict)
    drifted = shares | {"missing_argument": 12, "tool_unavailable": 43}
    check_shares(drifted, default_data.NEGATIVES)
    with pytest.raises(BadInput, match=r"43 of 100 hard negatives are tool_unavailable, wanted 25"):
        check_shares(drifted, strict)


def test_a_lazy_shuffle_is_the_shuffle():
    for size in (0, 1, 5, 6, 90):
        drawn = list(_shuffle_lazily(range(size), random.Random(size)))
        assert drawn == random.Random(size).sample(range(size), size)


def test_a_group_without_a_new_negative_is_named():
    p = msgspec.structs.replace(default_data.NEGATIVES, shares={"off_topic": 1.0})
    asked, teacher = (
        default_data.GENERAL_QUESTIONS.asked("train")[:1],
        default_data.teacher(p.style),
    )
    with pytest.raises(BadInput, match=r"group en\d+\.\d+: no unused hard negative"):
        list(add_negatives(SOUND[:2], asked, teacher, default_data.contamination_filter(), p))


@pytest.mark.parametrize(
    ("shares", "total", "counts"),
    [
        ({"a": 1, "b": 1}, 3, {"a": 2, "b": 1}),
        ({"a": 0.7, "b": 0.2, "c": 0.1}, 9, {"a": 6, "b": 2, "c": 1}),
        ({"a": 3, "b": 0}, 4, {"a": 4, "b": 0}),
        ({"a": 1, "b": 2}, 0, {"a": 0, "b": 0}),
    ],
)
def test_a_quota_is_exact(shares, total, counts):
    assert allocate_quota(shares, total) == counts
