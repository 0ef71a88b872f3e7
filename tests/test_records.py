"""What a conversation can be, and what it cannot."""

import msgspec
import pytest

from agent_tuning.records import Assistant, Call, Record, ToolResult, Trajectory, Turn, User

CALL = Call("f", {"n": 12, "s": "12"})


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"decision": "call"}, "decision call with 0 calls"),
        ({"decision": "no_call", "calls": (CALL,)}, "decision no_call with 1 calls"),
        ({"decision": "ask", "calls": (CALL,)}, "decision ask with 1 calls"),
        ({"decision": "call", "calls": (CALL,), "text": "Sure."}, "a call has no text"),
        ({"decision": "ask", "thought": "One.\nTwo."}, "a thought is one line"),
        ({"decision": "ask", "thought": " One."}, "without outer spaces"),
    ],
)
def test_a_decision_says_one_thing(fields, problem):
    with pytest.raises(ValueError, match=problem):
        Assistant(**fields)


@pytest.mark.parametrize(
    "turn",
    [
        User("你好"),
        Assistant("call", "Do f.", (CALL, Call("g"))),
        Assistant("no_call", text=' "quoted"\n'),
        ToolResult("f", {"a": [1, 1.5, "1", None, True]}),
    ],
    ids=["user", "call", "no call", "tool"],
)
def test_a_turn_is_read_as_it_was_written(turn):
    again = msgspec.json.decode(msgspec.json.encode(turn), type=Turn)
    assert (again, type(again)) == (turn, type(turn))


def test_what_is_empty_is_not_written():
    assert msgspec.json.encode(Call("f")) == b'{"name":"f"}'


def test_a_record_never_changes():
    with pytest.raises(AttributeError):
        CALL.name = "g"


def test_an_unknown_field_is_refused():
    class Pair(Record, frozen=True):
        a: int

    with pytest.raises(msgspec.ValidationError, match="unknown field `b`"):
        msgspec.json.decode(b'{"a": 1, "b": 2}', type=Pair)


def test_the_query_is_the_first_thing_the_user_says():
    turns = (User("First"), Assistant("no_call", text="Yes."), User("Second"))
    assert Trajectory("t", turns, "general", "en").query == "First"
