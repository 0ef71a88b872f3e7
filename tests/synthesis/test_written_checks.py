"""What makes a written example unfit, and which numbers a text names."""

import pytest

from agent_tuning.synthesis.spoken_numbers import find_numbers, write_in_words
from agent_tuning.synthesis.written_checks import find_problems
from agent_tuning.synthesis.written_examples import WrittenExample
from tests.support.written_data import (
    OTHERS,
    build_checks,
    number_examples,
    price,
    write_example,
)


@pytest.mark.parametrize("example", OTHERS)
def test_a_sound_example_has_no_problem(example):
    assert build_checks().find_problem(example) is None


@pytest.mark.parametrize(
    ("example", "problem"),
    [
        (write_example("?!", kind="off_topic"), "no_query"),
        (write_example("Sell it", ("sell", {})), "not_on_menu: sell"),
        (write_example("Price?", ("get_price", {})), "missing_argument: get_price.product"),
        (write_example("Price of X?", price("X", colour="red")), "undeclared_argument"),
        (write_example("Price of X?", price("X", quantity="two")), "schema: quantity"),
        (write_example("Price of the vela kettle?", price("Vela kettle")), "unsaid_value"),
        (write_example("Mail a@b.example, subject Hi", ("send", {
            "recipients": ["a@b.example", "c@d.example"], "subject": "Hi"})), "unsaid_value"),
        (write_example("Price of some X?", price("X", quantity=3)), "unsaid_number"),
        (write_example("X and Y", price("X"), price("Y"), kind="call"), "wrong_number_of_calls"),
        (write_example("Only X", price("X"), kind="multi"), "wrong_number_of_calls"),
        (write_example("The X", price("X"), kind="follow_up"), "no_history"),
        (WrittenExample("Hi there", "missing_argument", "no_call", text="Hi"), "wrong_decision"),
        (WrittenExample("Hi there", "call", "ask", text="Hi?"), "wrong_decision"),
    ],
)  # fmt: skip
def test_a_problem_is_named(example, problem):
    assert (build_checks().find_problem(example) or "").startswith(problem)


def test_other_right_calls_are_checked_too():
    right, other = (write_example(name, price(name)).calls for name in "XY")
    example = WrittenExample("Price of X?", "call", "call", calls=right, also_right=(other,))
    assert build_checks().find_problem(example) == "unsaid_value: get_price.product: 'Y'"


def test_a_value_may_stand_in_the_history():
    example = write_example("The X one", price("X", quantity=4), kind="follow_up",
                            history=["What do 4 cost?", "Which ones?"])  # fmt: skip
    assert build_checks().find_problem(example) is None


def test_times_and_members_of_an_enum_may_be_worded_otherwise():
    for example in (
        write_example("Call Bo at noon", ("plan_call", {"attendees": ["Bo"], "time": "12:00"})),
        write_example("Quickly to Elm Row", ("checkout",
                      {"address": "Elm Row", "delivery": "express"})),
        write_example("New mails of Bo", ("inbox", {"sender": "Bo", "unread": True})),
    ):  # fmt: skip
        assert build_checks().find_problem(example) is None


def test_a_query_of_a_benchmark_is_kept_out():
    checks = build_checks("Please tell me how much the Orvel kettle costs")
    example = write_example(
        "Please tell me how much the Orvel kettle costs!", price("Orvel kettle")
    )
    assert (checks.find_problem(example) or "").startswith("benchmark_overlap: exact")


def test_of_examples_that_repeat_each_other_the_first_stays():
    examples = number_examples(
        write_example("Is there any word on the parcel?", kind="missing_argument"),
        write_example("is there any word on the parcel", kind="missing_argument"),
        write_example("Is there any word on the parcel now?", kind="missing_argument"),
        write_example("What do 5 of X cost in all?", price("X", quantity=5)),
        write_example("What do 6 of X cost in all?", price("X", quantity=6)),  # says another thing
    )
    problems = find_problems(examples, build_checks(), 0.5)
    assert {id: problem.split(":")[0] for id, problem in problems.items()} == {
        "plain.2": "duplicate",
        "plain.3": "near_duplicate",
    }


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("30 of them", 30), ("1,200 bolts", 1200), ("up to 8.50", 8.5), ("Twenty-five, please", 25),
        ("two dozen", 24), ("half a dozen", 6), ("a hundred and twenty", 120), ("a couple", 2),
        ("three hundred", 300), ("nine pounds fifty", 9.5), ("seven and a half", 7.5),
        ("half an hour", 30), ("a quarter of an hour", 15), ("three quarters of an hour", 45),
        ("an hour and a half", 90), ("four hundred and fifty euros", 450), ("one", 1),
    ],
)  # fmt: skip
def test_a_number_is_found_in_digits_and_in_words(text, number):
    assert number in find_numbers(text)


@pytest.mark.parametrize("text", ["", "someone", "to the tent", "the fortnight"])
def test_a_text_without_a_number_has_none(text):
    assert find_numbers(text) == set()


@pytest.mark.parametrize("number", range(100))
def test_a_number_is_found_again_in_its_words(number):
    assert number in find_numbers(f"give me {write_in_words(number)} of them")


def test_only_numbers_below_a_hundred_have_a_word():
    assert write_in_words(100) == write_in_words(-1) == ""
