"""What a record could not hold is an error with its field, and never another value."""

import json

import pytest

from agent_tuning.files import strict_json


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"a": [1, NaN]}', r"^a\.1: nan is no number of JSON$"),
        ('{"a": -Infinity}', r"^a: -inf is no number of JSON$"),
        ('{"a": 1e999}', r"^a: inf is no number of JSON$"),
        ('{"a": {"b": 1, "c": 2, "b": 3}}', r"^a\.b: this key appears twice$"),
        ('{"a": ["\\udc00"]}', r"^a\.0: half a surrogate pair, '\\udc00'"),
        ('{"\\ud800": 1}', r"^a key: half a surrogate pair"),
        (f'{{"a": {"9" * 19}}}', r"^a: a number of more than 64 bits$"),
        (f'{{"a": -{"9" * 5000}}}', r"^a: a number of more than 64 bits$"),
        ("[" * 250 + "]" * 250, r"^0\.0\.0: lists and objects are more than 200 deep$"),
        ("[" * 99999, r"^lists and objects are more than 200 deep$"),
    ],
)
def test_a_value_that_no_record_holds_is_named_with_its_field(text, problem):
    with pytest.raises(ValueError, match=problem):
        strict_json.decode(text)


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, -2.5, "x\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"), None]},
        {"long": "9" * 40, "said": "NaN", "big": 2**63 - 1, "small": -(2**63)},
        [[{"a": {}}]] * 300,
    ],
)
def test_any_other_value_is_read_as_it_is(value):
    assert strict_json.decode(json.dumps(value)) == value


def test_a_byte_order_mark_is_no_part_of_the_text():
    assert strict_json.decode(b"\xef\xbb\xbf[1]") == [1]


def test_a_text_inside_a_field_is_named_for_the_field():
    with pytest.raises(ValueError, match=r"^tools: expected JSON, found 'none at all': Expecting"):
        strict_json.decode_text("none at all", "tools")
    with pytest.raises(ValueError, match=r"^tools: 0\.a: nan is no number"):
        strict_json.decode_text('[{"a": NaN}]', "tools")
