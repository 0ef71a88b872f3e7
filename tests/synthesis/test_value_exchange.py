"""Copies with other values: everywhere or nowhere, in the same style, within one kind."""

import random
from typing import Any

import pytest

from agent_tuning.synthesis.mentioned_names import NameFinder
from agent_tuning.synthesis.value_exchange import ValueExchange, match_style
from agent_tuning.synthesis.value_pools import list_arguments
from agent_tuning.synthesis.written_checks import join_said
from agent_tuning.synthesis.written_examples import WrittenExample
from tests.support.written_data import OTHERS, build_checks, build_pools, price, write_example

SEEDS = range(12)


def copy(example: WrittenExample, seed: int = 0) -> WrittenExample:
    return ValueExchange(build_pools(example)).copy_example(example, random.Random(seed))


def find_values(example: WrittenExample, parameter: str) -> set[Any]:
    """What stands for a parameter in twelve copies."""
    copies = [copy(example, seed) for seed in SEEDS]
    return {value for one in copies for _, name, value in list_arguments(one) if name == parameter}


@pytest.mark.parametrize("example", OTHERS)
def test_every_value_of_a_copy_was_said(example):
    for seed in SEEDS:
        assert build_checks().find_problem(copy(example, seed)) is None


def test_the_same_seed_makes_the_same_copy_and_others_make_others():
    example = write_example("What does the Vela toaster cost?", price("Vela toaster"))
    assert copy(example, 3) == copy(example, 3)
    assert len({copy(example, seed).query for seed in SEEDS}) > 2


def test_a_value_is_exchanged_in_query_history_thought_and_calls():
    example = write_example(
        "the Vela toaster, I said", price("Vela toaster"), kind="follow_up",
        thought="I should get the price of the Vela toaster.",
        history=["Is the Vela toaster dear?", "Which one?"],
    )  # fmt: skip
    new = copy(example)
    (value,) = (value for _, _, value in list_arguments(new))
    assert value != "Vela toaster"
    assert new.query == f"the {value}, I said"
    assert new.history[0].content == f"Is the {value} dear?"
    assert new.thought == f"I should get the price of the {value}."


def test_products_come_from_all_tools_and_from_nothing_else():
    example = write_example("Price of the Vela toaster?", price("Vela toaster"))
    assert find_values(example, "product") <= {
        *("Orvel kettle", "Abbot armchair", "Tarn desk fan", "Zeal lamp")
    }  # a plural stands for plurals only
    assert "Tarn desk fan" in find_values(example, "product")


def test_people_stand_for_people_and_firms_for_firms():
    person = write_example("Mails of Hugo Lane", ("inbox", {"sender": "Hugo Lane"}))
    firm = write_example("Mails of Tern Ltd", ("inbox", {"sender": "Tern Ltd"}))
    people = {"Priya Nair", "Hugo Barrand", "Priya Stone", "Odile", "Max", "Freya"}
    assert find_values(person, "sender") <= people
    assert find_values(firm, "sender") <= {"Castle Motors", "Pell Dental"}


def test_mail_addresses_stand_for_mail_addresses_wherever_they_stand():
    example = write_example(
        "Mails of info@zeal.example", ("inbox", {"sender": "info@zeal.example"})
    )
    assert find_values(example, "sender") <= {"ana@corvel.example", "bo@tern.example"}


def test_the_case_of_the_letters_stays():
    example = write_example("price of vela toaster pls", price("vela toaster"))
    assert all(value.islower() for value in find_values(example, "product"))
    assert match_style("Abc de", "XY 7") == "ABC DE"
    assert match_style("wool rugs", "Brass hooks") == "Wool rugs"


def test_a_thought_in_other_letters_follows():
    example = write_example("Brass bells?", ("search", {"keyword": "Brass bells"}),
                            thought="I should search for brass bells.")  # fmt: skip
    new = copy(example)
    value = new.calls[0].arguments["keyword"]
    assert new.thought == f"I should search for {value.lower()}."


@pytest.mark.parametrize(
    "example",
    [
        write_example("Any gloves? My gloves and glovesbox!", ("search", {"keyword": "glove"})),
        write_example("Vela toaster? My Vela broke.", price("Vela toaster")),
        write_example("Max at max speed: number of Max", ("lookup", {"name": "Max"})),
        write_example("Red Vela lamp or Blue Vela lamp?", price("Red Vela lamp"),
                      price("Blue Vela lamp")),
        write_example("Price of Vela lamp", price("Vela lamp"), thought="I should price a lamp."),
    ],
    ids=["part of a word", "half of it elsewhere", "in other letters", "a hard pair", "in thought"],
)  # fmt: skip
def test_a_value_that_leaves_doubt_stays(example):
    assert all(copy(example, seed) == example for seed in SEEDS)


def test_the_article_before_a_value_stays_right():
    example = write_example("What costs an Ember mug?", price("Ember mug"))
    assert find_values(example, "product") <= {"Orvel kettle", "Abbot armchair"}


def test_a_number_in_digits_is_exchanged_and_one_in_words_stays():
    searched = ("search", {"keyword": "wool rugs", "max_price": 45})
    thought = "I should search wool rugs up to 45."
    digits = write_example("I have 45 for wool rugs", searched, thought=thought)
    assert find_values(digits, "max_price") == {8.5}
    new = copy(digits)
    assert "8.5" in new.query
    assert "45" not in new.thought
    words = write_example("I have forty-five for wool rugs", searched)
    assert find_values(words, "max_price") == {45}


@pytest.mark.parametrize(
    ("query", "thought"),
    [
        ("20 of X, or 20 of Y?", "I should ask."),
        ("20 of X, 20% off?", "I should get the price of twenty X."),
        ("The 20th time: X?", "I should ask."),
        ("20.50 for X?", "I should ask."),
    ],
    ids=["twice", "in words in the thought", "part of a word", "part of a number"],
)
def test_a_number_that_leaves_doubt_stays(query, thought):
    example = write_example(query, price("X", quantity=20), thought=thought)
    assert find_values(example, "quantity") == {20}


def test_two_equal_numbers_stay():
    example = write_example("20 of X and 20 of Y", price("X", quantity=20), price("Y", quantity=20))
    assert find_values(example, "quantity") == {20}


def test_a_number_inside_a_product_is_no_amount():
    example = write_example("9 Nest 9 boxes", price("Nest 9 boxes", quantity=9))
    for seed in SEEDS:
        product = copy(example, seed).calls[0].arguments["product"]
        assert copy(example, seed).query == f"9 {product}"


def test_a_time_is_exchanged_within_its_half_of_the_day():
    at = {"attendees": ["Bo"], "time": "11:45"}
    assert find_values(write_example("Bo at 11:45, call", ("plan_call", at)), "time") == {
        *("10:15", "09:30")
    }
    for query in ("Call Bo at 11:45 in the morning", "Call Bo at a quarter to twelve"):
        assert find_values(write_example(query, ("plan_call", at)), "time") == {"11:45"}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Cancel K48213, please", "order_id"),
        ("Cancel Q11111, please", "order_id"),  # of the shape of the others
        ("My Zeal lamp is fine", "product"),
        ("My new Halden desk fan is fine", "product"),  # fans are products
        ("I called Hugo Barrand", "person"),
        ("I called Freya Moss", "person"),  # Freya is a person
        ("No mail to ana@corvel.example", "mail address"),
        ("I live near Whitby myself", "store"),
    ],
)
def test_a_name_is_exchanged_where_no_call_is_wanted(text, kind):
    (name,) = NameFinder(build_pools()).find(text)
    assert name.kind == kind
    assert copy(write_example(text)).query != text


@pytest.mark.parametrize(
    "text",
    ["Max. 30 please", "I own 3 fans", "Mr. Lane wrote", "Freya", "Whitby Abbey",
     "I like Nina Freya", "My desk fan hums", "it is 16:40 now"],
)  # fmt: skip
def test_what_may_be_another_word_is_no_name(text):
    assert NameFinder(build_pools()).find(text) == []


def test_a_reply_follows_the_names_of_its_query():
    example = write_example("Leave the Zeal lamp in the cart", text="The Zeal lamp stays.")
    new = copy(example)
    assert new.text != example.text
    assert new.text.removeprefix("The ").removesuffix(" stays.") in join_said(new)
