"""The scripted teacher: varied, right by construction, and silent about what is held out."""

from itertools import combinations

import msgspec
import pytest

from agent_tuning.catalogue import schema
from agent_tuning.catalogue.entry_records import LANGUAGES, LocalizedTexts, NumberRange
from agent_tuning.catalogue.simulators import World
from agent_tuning.catalogue.split import take_split
from agent_tuning.quality import validation
from agent_tuning.records import Assistant, BadInput, ToolResult, User
from agent_tuning.synthesis.teachers import TrajectoryRequest
from agent_tuning.synthesis.teachers.scripted import (
    ScriptedTeacher,
    build_call_thought,
    fill_slots,
    strip_thought_prefix,
)
from tests.support import default_data

CELLS = list(default_data.CATALOGUE.cells())
DRAWS = 8  # of each cell; the plan asks for no more of most
PARTS = pytest.mark.parametrize("which", ["train", "held_out"])
LANGUAGE = pytest.mark.parametrize("language", LANGUAGES)


@PARTS
@LANGUAGE
def test_a_query_is_a_phrasing_and_values_of_the_part_asked_for(which, language):
    teacher = ScriptedTeacher(
        default_data.CATALOGUE, default_data.PHRASING, default_data.PLAIN_STYLE, which, which
    )
    for tool, scenario in CELLS:
        slots = default_data.CATALOGUE.domain_of[tool].slots
        every = getattr(scenario.queries, language)
        for index in range(2 if which == "held_out" else DRAWS):
            query, values = teacher.draw(f"{tool}.{scenario.name}", scenario.queries, tool,
                                         language, index)  # fmt: skip
            fitting = [text for text in every if query == filled(text, values)]
            assert fitting
            assert (fitting[0] == every[-1]) == (which == "held_out")
            for name, value in values.items():
                assert is_of(slots[name], value, language, which), f"{tool}: {name}: {value}"


def filled(text: str, values: dict) -> str:
    try:
        return fill_slots(text, values)
    except KeyError:
        return ""


def is_of(slot: object, value: tuple, language: str, which: str) -> bool:
    if isinstance(slot, LocalizedTexts):
        words = getattr(slot, language)
        return value.text in take_split(words, which, max(1, len(words) // 4))
    if isinstance(slot, NumberRange):
        number = round((value.value - slot.start) / slot.step)
        return (number % 4 == 3) == (which == "held_out")
    return any((getattr(n, language), n.value) == value for n in slot)  # none of these is held out


@LANGUAGE
def test_no_two_queries_of_a_cell_are_equal(language):
    teacher = default_data.teacher()
    for tool, scenario in CELLS:
        items = (TrajectoryRequest(tool, scenario.name, "", index) for index in range(DRAWS))
        assert len({teacher.write_positive(item, language).query for item in items}) == DRAWS


def test_words_recur_only_when_all_were_said_and_then_with_other_polite_words():
    teacher, cell = (
        default_data.teacher(),
        default_data.CATALOGUE.scenario("search_flights", "one_way_flight"),
    )
    queries = msgspec.structs.replace(cell.queries, en=("Fly.", "Go.", "held out"))
    polite = (1 + len(default_data.PHRASING.openers.en)) * (
        1 + len(default_data.PHRASING.closers.en)
    )
    count = 2 * polite
    queries_drawn = [
        teacher.draw("cell", queries, "search_flights", "en", n).query for n in range(count)
    ]
    assert queries_drawn[:2] == ["Fly.", "Go."]
    assert len(set(queries_drawn)) == count
    assert all("Fly." in query or "Go." in query for query in queries_drawn)
    with pytest.raises(BadInput, match=f"cell: only {count} different queries; add phrasings"):
        teacher.draw("cell", queries, "search_flights", "en", count)


def test_draws_do_not_depend_on_the_order_of_requests():
    forwards, backwards = (
        ScriptedTeacher(default_data.CATALOGUE, default_data.PHRASING, default_data.NEGATIVES.style)
        for _ in range(2)
    )
    requests = default_data.requests()
    again = [backwards.group(request) for request in reversed(requests)]
    assert [forwards.group(request) for request in requests] == again[::-1]


def test_arguments_fit_the_schema_and_observations_are_the_simulators():
    for group in default_data.raw_groups():
        for trajectory in group.trajectories:
            world = World()
            for number, turn in enumerate(trajectory.turns, 1):
                calls = turn.calls if isinstance(turn, Assistant) else ()
                assert not any(schema.find_call_problem(call, group.tools) for call in calls)
                observed = [ToolResult(call.name, world.observe(call)) for call in calls]
                assert list(trajectory.turns[number : number + len(calls)]) in (observed, [])


def test_an_exchange_begins_with_the_user_and_ends_with_the_model():
    for group in default_data.raw_groups():
        for trajectory in group.trajectories:
            assert isinstance(trajectory.turns[0], User)
            assert isinstance(trajectory.turns[-1], Assistant)


def test_every_slot_is_filled():
    for group in default_data.raw_groups():
        assert b"{1." not in msgspec.json.encode(group.trajectories)
        assert not [
            trajectory.query for trajectory in group.trajectories if "{" in trajectory.query
        ]


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_simple_exchange_goes_on_to_the_reply_as_often_as_asked(share):
    teacher = default_data.teacher(
        msgspec.structs.replace(default_data.PLAIN_STYLE, final_reply_rate=share)
    )
    trajectory = teacher.write_positive(
        TrajectoryRequest("convert_currency", "travel_cash", "simple", 0), "en"
    )
    assert len(trajectory.turns) == (4 if share else 2)


def test_a_chain_always_goes_on_and_takes_arguments_from_what_it_saw():
    teacher = default_data.teacher(
        msgspec.structs.replace(default_data.PLAIN_STYLE, final_reply_rate=0.0)
    )
    trajectory = teacher.write_positive(
        TrajectoryRequest("list_directory", "peek_largest", "complex", 0), "en"
    )
    observed, second = trajectory.turns[2], trajectory.turns[3]
    assert second.calls[0].arguments == {"path": observed.content["largest"]}
    assert trajectory.turns[-1].decision == "no_call"


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_calls_at_once_are_one_decision_and_their_results_follow_in_order(share):
    teacher = default_data.teacher(
        msgspec.structs.replace(default_data.PLAIN_STYLE, final_reply_rate=share)
    )
    item = TrajectoryRequest("get_stock_price", "three_quotes", "complex", 0)
    trajectory = teacher.write_positive(item, "en")
    _, decision, *after = trajectory.turns
    first, second, third = (call.arguments["ticker"] for call in decision.calls)
    assert trajectory.kind == "multi"
    goal = f"look up the share prices of {first}, {second} and {third}"
    assert decision.thought == build_call_thought(goal, "en")
    if not share:
        assert after == []
        return
    *results, reply = after
    world = World()
    assert results == [ToolResult(call.name, world.observe(call)) for call in decision.calls]
    prices = [str(result.content["price"]) for result in results]
    assert (reply.decision, [price in reply.text for price in prices]) == ("no_call", [True] * 3)


@LANGUAGE
def test_calls_at_once_never_say_the_same(language):
    """Two slots of one scenario share no value, so that no draw makes a call twice."""
    for tool, scenario in CELLS:
        slots = default_data.CATALOGUE.domain_of[tool].slots
        for first, second in combinations(scenario.turns(tool)[0].steps, 2):
            assert first.tool != second.tool or any(
                possible(first.arguments[name], slots, language).isdisjoint(
                    possible(second.arguments[name], slots, language)
                )
                for name in first.arguments.keys() & second.arguments.keys()
            ), f"{tool}.{scenario.name}"


def possible(argument: object, slots: dict, language: str) -> set:
    """What an argument of the catalogue may become."""
    slot = slots.get(str(argument).strip("{}"))
    if isinstance(slot, LocalizedTexts):
        return set(getattr(slot, language))
    if isinstance(slot, NumberRange):
        count = round((slot.stop - slot.start) / slot.step) + 1
        return {slot.start + place * slot.step for place in range(count)}
    return {named.value for named in slot} if slot else {argument}


@pytest.mark.parametrize(
    ("tool", "scenario", "argument"),
    [("send_email", "to_two", "recipients"), ("compute_box_volume", "plain_box", "size")],
    ids=["list", "object"],
)
def test_a_list_or_an_object_is_filled_in_item_by_item(tool, scenario, argument):
    trajectory = default_data.teacher().write_positive(
        TrajectoryRequest(tool, scenario, "", 0), "en"
    )
    leaves = validation.list_leaves(trajectory.turns[1].calls[0].arguments[argument])
    assert len(set(leaves)) > 1
    assert all(str(item) in trajectory.query for item in leaves)


def test_a_list_takes_an_item_from_an_observation():
    trajectory = default_data.teacher().write_positive(
        TrajectoryRequest("lookup_contact", "mail_by_name", "", 0), "en"
    )
    assert trajectory.turns[3].calls[0].arguments["recipients"] == [
        trajectory.turns[2].content["email"]
    ]


def test_a_typing_error_swaps_letters_of_one_plain_word_and_no_value():
    style = msgspec.structs.replace(default_data.PLAIN_STYLE, typo_rate=1.0)
    clean, typed = default_data.teacher(), default_data.teacher(style)
    queries = default_data.CATALOGUE.scenario("list_directory", "contents").queries
    # Both draw the same phrasing; only the letters of its words may differ.
    for index in range(4):
        plain, with_typo = (
            t.draw("c", queries, "list_directory", "en", index) for t in (clean, typed)
        )
        assert len(plain.query.split()) == len(with_typo.query.split())
        assert all(value.text in with_typo.query for value in with_typo.values.values())


@LANGUAGE
def test_a_missing_argument_is_in_no_call_and_the_decision_is_to_ask(language):
    for name, entry in default_data.CATALOGUE.entries.items():
        if entry.missing:
            trajectory = default_data.teacher().write_missing_argument(
                name, entry.missing, language, 0
            )
            assert [turn.decision for turn in trajectory.turns[1:]] == ["ask"]
            assert trajectory.turns[1].text


@pytest.mark.parametrize(
    ("language", "goal"),
    [("en", "find a flight to Oslo"), ("en", "now find a hotel in Oslo"), ("zh", "查询上海的天气")],
)
def test_the_goal_of_an_intent_is_the_one_it_was_made_of(language, goal):
    assert strip_thought_prefix(build_call_thought(goal, language)) == goal
