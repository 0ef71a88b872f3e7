"""Tools that really compute: checked by hand, and the same every time."""

import itertools
import subprocess
import sys

import msgspec
import pytest

from agent_tuning.catalogue import schema
from agent_tuning.catalogue.entry_records import LANGUAGES
from agent_tuning.catalogue.simulators import SIMULATORS, World, graph
from agent_tuning.records import Assistant, Call
from agent_tuning.synthesis.teachers import TrajectoryRequest
from tests.support import default_data

EXCHANGES = [
    [
        call
        for turn in default_data.teacher()
        .write_positive(TrajectoryRequest(tool, scenario.name, "", 0), language)
        .turns
        if isinstance(turn, Assistant)
        for call in turn.calls
    ]
    for language in LANGUAGES
    for tool, scenario in default_data.CATALOGUE.cells()
]


def observed(calls: list[Call]) -> list[dict]:
    """The observations of one exchange."""
    world = World()
    return [world.observe(call) for call in calls]


def observe(call: Call) -> dict:
    return observed([call])[0]


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
        (Call("calculate_triangle_area", {"base": 7, "height": 5}), {"area": 17.5}),
        (Call("get_hypotenuse", {"leg_a": 3, "leg_b": 4}), {"hypotenuse": 5.0}),
        (Call("measure_circle", {"radius": 2, "measure": "circumference"}), {"value": 12.57}),
        (Call("measure_circle", {"radius": 10, "measure": "area"}), {"value": 314.16}),
        (Call("compute_box_volume", {"size": {"length": 30, "width": 20, "height": 10},
                                     "unit": "inch"}),
         {"volume": 6000, "liters": 98.32}),
        (Call("compute_mean", {"numbers": [1, 2, 6, 7.5]}),
         {"mean": 4.125, "median": 4.0, "count": 4}),
        (Call("greatest_common_divisor", {"numbers": [84, 120, 36]}), {"gcd": 12}),
        (Call("find_prime_factors", {"number": 84}),
         {"factors": "2 x 2 x 3 x 7", "count": 4, "prime": False}),
        (Call("find_prime_factors", {"number": 97}), {"factors": "97", "count": 1, "prime": True}),
        (Call("find_prime_factors", {"number": 999966000289}),
         {"factors": "999983 x 999983", "count": 2, "prime": False}),
        (Call("solve_quadratic", {"a": 2, "b": 3, "c": -5}),
         {"roots": [-2.5, 1.0], "discriminant": 49}),
        (Call("solve_quadratic", {"a": 1, "b": -6, "c": 9}), {"roots": [3.0], "discriminant": 0}),
        (Call("solve_quadratic", {"a": 1, "b": 0, "c": 1}), {"roots": [], "discriminant": -4}),
        (Call("estimate_calories", {"food": "Chocolate", "grams": 50}),
         {"kcal": 273, "kcal_per_100g": 546}),
        (Call("calculate_calories_burned", {"activity": "cycling", "minutes": 40,
                                            "weight_kg": 60}),
         {"kcal": 300, "met": 7.5}),
        (Call("check_drug_interactions", {"drugs": ["Ibuprofen", "warfarin", "aspirin"]}),
         {"safe": False, "pairs": 2, "risk": "bleeding"}),
        (Call("check_drug_interactions", {"drugs": ["辛伐他汀", "fish oil"]}),
         {"safe": True, "pairs": 0, "risk": "none known"}),
        (Call("get_relations", {"entity": "kestrel films"}),
         {"count": 1, "first": "headquarters", "relations": ["headquarters"]}),
        (Call("follow_relation", {"entity": "盐路", "relation": "actor"}),
         {"count": 2, "first": "达里奥·孔蒂", "entities": ["达里奥·孔蒂", "伊内斯·杜阿尔特"]}),
        (Call("find_sources", {"relation": "director", "target": "Mara Lind"}),
         {"count": 2, "first": "The Glass Harbor",
          "entities": ["The Glass Harbor", "River of Clocks"]}),
        (Call("find_common", {"first": "Hugo Faro", "second": "Felix Amari"}),
         {"count": 3, "first": "Copper Moon",
          "entities": ["Copper Moon", "The Blue Stair", "Castelmar"]}),
        (Call("get_attribute", {"entity": "Dunmore", "attribute": "population"}),
         {"value": 19400}),
        (Call("get_attribute", {"entity": "Dunmore", "attribute": "rating"}),
         {"error": "Dunmore has no rating"}),
        (Call("follow_relation", {"entity": "Star Wars", "relation": "actor"}),
         {"error": "no entity Star Wars"}),
        (Call("web_search", {"query": "Night buses"}),
         {"found": 1, "url": "town.example/transit", "title": "Transit",
          "snippet": "Night buses leave the station hourly."}),
        (Call("get_headlines", {"topic": "航天", "region": "world"}),
         {"count": 1, "article_id": "zh-104", "headline": "探测器抵达遥远彗星"}),
        (Call("read_article", {"article_id": "en-111"}),
         {"headline": "Old station gets a new roof", "body": "Work ends before winter."}),
        (Call("read_article", {"article_id": "en-999"}), {"error": "no article en-999"}),
    ],
    ids=lambda value: value.name if isinstance(value, Call) else "",
)  # fmt: skip
def test_an_observation_is_what_a_person_computes(call, observation):
    assert observe(call) == observation


@pytest.mark.parametrize(
    ("call", "fields"),
    [
        (Call("schedule_call", {"attendees": ["Anna", "Omar"], "time": "23:45"}),
         {"ends": "00:15", "people": 2}),
        (Call("send_email", {"recipients": ["a@x.example", "b@x.example"], "subject": "Hi"}),
         {"sent": 2}),
        (Call("create_playlist", {"title": "Run", "genres": ["funk", "soul"], "songs": 30}),
         {"minutes": 120, "songs_per_genre": 15}),
        (Call("book_appointment", {"doctor": "Dr. Kim", "date": "2027-01-08",
                                   "first_visit": True}),
         {"minutes": 40}),
    ],
    ids=lambda value: value.name if isinstance(value, Call) else "",
)  # fmt: skip
def test_a_seeded_observation_keeps_what_follows_from_the_arguments(call, fields):
    observation = observe(call)
    assert {name: observation[name] for name in fields} == fields


def test_a_ticket_costs_by_its_seat_and_tickets_by_their_number():
    total = {
        (quantity, seats): observe(
            Call("buy_tickets", {"event": "Gala", "quantity": quantity, "seats": seats})
        )["total"]
        for quantity in (1, 3)
        for seats in ("standing", "stalls", "balcony")
    }
    assert total[1, "balcony"] == 2 * total[1, "standing"]
    assert total[1, "stalls"] == 1.5 * total[1, "standing"]
    assert total[3, "stalls"] == 3 * total[1, "stalls"]


@pytest.mark.parametrize("away", ["Lazio", "Monaco", "Fulham", "Girona", "Rangers"])
def test_the_winner_of_a_match_has_more_goals(away):
    result = observe(Call("get_match_result", {"home_team": "Ajax", "away_team": away}))
    home_goals, away_goals = map(int, result["score"].split(":"))
    expected = {1: "Ajax", 0: "draw", -1: away}
    assert result["winner"] == expected[(home_goals > away_goals) - (home_goals < away_goals)]


@pytest.mark.parametrize("limit", [15, 20, 200])
def test_a_recipe_is_ready_within_the_limit(limit):
    wish = {"ingredients": ["tofu", "rice"]}
    assert observe(Call("find_recipe", wish | {"max_minutes": limit}))["minutes"] <= limit
    assert observe(Call("find_recipe", wish))["minutes"] >= 20


def test_unread_mails_are_among_all_mails():
    for sender in ("Anna", "Omar", "Keiko", "Lars"):
        every, unread = (
            observe(Call("search_inbox", {"sender": sender, "unread_only": only}))["found"]
            for only in (False, True)
        )
        assert unread < every


def test_every_tool_has_exactly_one_simulator_and_back():
    assert SIMULATORS.keys() == default_data.CATALOGUE.entries.keys()


def test_the_world_is_the_same_in_every_process():
    script = (
        "import sys, msgspec; from agent_tuning.records import Call; "
        "from agent_tuning.catalogue.simulators import World; "
        "exchanges = msgspec.json.decode(sys.stdin.buffer.read(), type=list[list[Call]]); "
        "seen = [[world.observe(call) for call in calls]"
        " for calls in exchanges for world in [World()]]; "
        "sys.stdout.buffer.write(msgspec.json.encode(seen))"
    )
    rerun = subprocess.run(
        [sys.executable, "-c", script],
        input=msgspec.json.encode(EXCHANGES),
        capture_output=True,
        check=True,
        env={"PYTHONHASHSEED": "1"},
    )
    assert rerun.stdout == msgspec.json.encode(list(map(observed, EXCHANGES)))


def test_an_observation_is_a_plain_json_object():
    for observation in itertools.chain.from_iterable(map(observed, EXCHANGES)):
        assert msgspec.json.decode(msgspec.json.encode(observation)) == observation
        assert isinstance(observation, dict)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_call_of_the_catalogue_fits_its_schema(language):
    tools = [entry.tool(language) for entry in default_data.CATALOGUE.entries.values()]
    for call in (call for calls in EXCHANGES for call in calls):
        assert schema.find_call_problem(call, tools) is None


def test_the_graph_has_a_name_in_each_language_for_all_its_ends():
    ends = {name for start, _, end in graph.EDGES for name in (start, end)}
    assert ends == graph.NAMES.keys()
    assert len(graph.KNOWN) == 2 * len(graph.NAMES)


def test_a_web_search_finds_whatever_the_catalogue_asks_for():
    subjects = default_data.CATALOGUE.domain_of["web_search"].words["subject"]
    for query in (*subjects.en, *subjects.zh):
        assert observed([Call("web_search", {"query": query})])[0]["found"] == 1
