"""How long to wait, what a question's key depends on, and what money allows."""

import time
from email.utils import formatdate

import msgspec
import pytest

from agent_tuning.chat_model.budget import Budget, Price, find_price
from agent_tuning.chat_model.client import read_retry_after
from agent_tuning.chat_model.messages import Ask, ChatModel, Completion, Message
from agent_tuning.chat_model.usage import Usage
from agent_tuning.records import BadInput, Unfinished

MODEL = ChatModel("m", True, {"max_tokens": 100, "temperature": 0.5})
ASK = Ask("a question", (Message("user", "Hello?"),), {"type": "object"})


@pytest.mark.parametrize(
    ("value", "seconds"), [("3", 3), ("0.5", 0.5), ("-1", 0), ("", 0), ("soon", 0)]
)
def test_retry_after_in_seconds(value, seconds):
    assert read_retry_after({"retry-after": value}) == seconds


def test_retry_after_as_a_date():
    seconds = read_retry_after({"retry-after": formatdate(time.time() + 30, usegmt=True)})
    assert 28 < seconds <= 30
    assert read_retry_after({"retry-after": formatdate(time.time() - 30, usegmt=True)}) == 0


CHANGED = {
    "model": (msgspec.structs.replace(MODEL, name="n"), ASK),
    "sampling": (msgspec.structs.replace(MODEL, sampling={"max_tokens": 100}), ASK),
    "messages": (MODEL, msgspec.structs.replace(ASK, messages=(Message("user", "Hello!"),))),
    "schema": (MODEL, msgspec.structs.replace(ASK, schema={"type": "string"})),
}


@pytest.mark.parametrize("what", CHANGED)
def test_whatever_decides_the_answer_changes_the_key(what):
    model, ask = CHANGED[what]
    assert model.build_request(ask).key != MODEL.build_request(ASK).key


def test_names_and_the_order_of_parameters_do_not_change_the_key():
    model = msgspec.structs.replace(MODEL, sampling=dict(reversed(MODEL.sampling.items())))
    assert (
        model.build_request(msgspec.structs.replace(ASK, name="b")).key
        == MODEL.build_request(ASK).key
    )


@pytest.mark.parametrize(
    "sampling", [{}, {"max_tokens": 0}, {"max_tokens": 1, "max_completion_tokens": 1},
                 {"max_tokens": "9"}],
)  # fmt: skip
def test_a_model_without_one_bound_of_its_answers_is_refused(sampling):
    with pytest.raises(ValueError, match="expected one of max_tokens and max_completion_tokens"):
        ChatModel("m", True, sampling)


def test_an_answer_without_usage_counts_as_the_most_it_can_have_taken():
    completion = msgspec.json.decode(b'{"choices": [{"message": {}}]}', type=Completion)
    reply = completion.to_reply(MODEL.build_request(ASK))
    assert reply.completion_tokens == 100
    assert reply.prompt_tokens == MODEL.build_request(ASK).prompt_tokens > 0


def test_reserved_money_is_not_spent_twice_and_comes_back():
    budget = Budget(1.0, Usage(usd=0.3))
    budget.reserve(0.6)
    with pytest.raises(Unfinished, match=r"1\.0 USD is too low: 0\.3000 spent, 0\.6000 res"):
        budget.reserve(0.2)
    budget.settle(0.6, Usage(1, 10, 10, 0.1))
    budget.reserve(0.5)
    assert budget.spent.usd == pytest.approx(0.4)


def test_a_price_is_for_a_million_tokens_and_a_batch_pays_its_share():
    price = Price(2.0, 8.0, batch=0.5)
    assert price.cost(1_000_000, 500_000) == 6.0
    assert price.cost(1_000_000, 500_000, batch=True) == 3.0


def test_an_unknown_model_is_free_without_a_budget_and_named_with_one():
    prices = {"known": Price(1.0, 1.0)}
    assert find_price("local", prices, None).cost(10**6, 10**6) == 0
    with pytest.raises(BadInput, match=r"no price of local; add it, .*; available: known"):
        find_price("local", prices, 1.0)
