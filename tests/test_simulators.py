"""Tools that really compute: checked by hand, and the same every time."""

import subprocess
import sys

import msgspec
import pytest

from tests import made
from trajectory import schema
from trajectory.catalogue import LANGUAGES
from trajectory.records import Assistant, Call
from trajectory.simulators import SIMULATORS, World
from trajectory.teachers import Item

EXCHANGES = [
    [
        call
        for turn in made.teacher().positive(Item(tool, scenario.name, "", 0), language).turns
        if isinstance(turn, Assistant)
        for call in turn.calls
    ]
    for language in LANGUAGES
    for tool, scenario in made.CATALOGUE.cells()
]


def observed(calls: list[Call]) -> list[dict]:
    """The observations of one exchange."""
    world = World()
    return [world.observe(call) for call in calls]


@pytest.mark.parametrize(
    ("call", "observation"),
    [
        (Call("days_between", {"start_date": "2024-02-28", "end_date": "2024-03-13"}),
         {"days": 14, "weeks": 2.0}),
        (Call("count_workdays", {"start_date": "2026-01-02", "end_date": "2026-01-05"}),
         {"workdays": 2, "weekend_days": 2}),
        (Call("add_days", {"date": "2023-12-31", "days": 60}),
         {"date": "2024-02-29", "day_of_year": 60}),
        (Call("get_weekday", {"date": "2000-01-01"}),
         {"weekday": "Saturday", "number": 6, "weekend": True}),
        (Call("convert_length", {"value": 3, "from_unit": "foot", "to_unit": "centimeter"}),
         {"result": 91.44, "unit": "centimeter"}),
        (Call("convert_temperature", {"value": 212, "from_unit": "fahrenheit",
                                      "to_unit": "celsius"}),
         {"result": 100.0, "unit": "celsius"}),
        (Call("calculate_bmi", {"weight_kg": 80, "height_cm": 200}),
         {"bmi": 20.0, "category": "normal"}),
        (Call("convert_currency", {"amount": 46, "from_currency": "EUR", "to_currency": "USD"}),
         {"amount": 50.0, "currency": "USD"}),
        (Call("calculate_loan_payment", {"principal": 1200, "annual_rate": 0, "years": 1}),
         {"monthly": 100.0, "total": 1200.0, "interest": 0.0}),
        (Call("calculate_loan_payment", {"principal": 1000, "annual_rate": 12, "years": 1}),
         {"monthly": 88.85, "total": 1066.19, "interest": 66.19}),
        (Call("reverse_text", {"text": "Never odd or even"}),
         {"reversed": "neve ro ddo reveN", "palindrome": True}),
        (Call("encode_text", {"text": "猫", "method": "hex"}), {"encoded": "e78cab", "bytes": 3}),
        (Call("count_characters", {"text": "Banana split", "letter": "a"}),
         {"count": 3, "distinct": 8}),
        (Call("translate_word", {"word": "Cat", "language": "german"}),
         {"translation": "Katze", "found": True}),
        (Call("find_files", {"pattern": "faq.*"}),
         {"count": 1, "first": "docs/faq.md", "paths": ["docs/faq.md"]}),
        (Call("find_relation", {"source": "Radium", "target": "Louvre"}),
         {"steps": 3, "via": "Marie Curie",
          "path": ["Radium", "Marie Curie", "Paris", "Louvre"]}),
    ],
    ids=lambda value: value.name if isinstance(value, Call) else "",
)  # fmt: skip
def test_an_observation_is_what_a_person_computes(call, observation):
    assert observed([call]) == [observation]


def test_every_tool_has_exactly_one_simulator_and_back():
    assert SIMULATORS.keys() == made.CATALOGUE.entries.keys()


def test_the_world_is_the_same_in_every_process():
    script = (
        "import sys, msgspec; from trajectory.records import Call; "
        "from trajectory.simulators import World; "
        "exchanges = msgspec.json.decode(sys.stdin.buffer.read(), type=list[list[Call]]); "
        "seen = [[world.observe(call) for call in calls]"
        " for calls in exchanges for world in [World()]]; "
        "sys.stdout.buffer.write(msgspec.json.encode(seen))"
    )
    other = subprocess.run(
        [sys.executable, "-c", script],
        input=msgspec.json.encode(EXCHANGES),
        capture_output=True,
        check=True,
        env={"PYTHONHASHSEED": "1"},
    )
    assert other.stdout == msgspec.json.encode(list(map(observed, EXCHANGES)))


def test_an_observation_is_a_plain_json_object():
    for observation in (one for calls in EXCHANGES for one in observed(calls)):
        assert msgspec.json.decode(msgspec.json.encode(observation)) == observation
        assert isinstance(observation, dict)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_call_of_the_catalogue_fits_its_schema(language):
    tools = [entry.tool(language) for entry in made.CATALOGUE.entries.values()]
    for call in (call for calls in EXCHANGES for call in calls):
        assert schema.problem(call, tools) is None
