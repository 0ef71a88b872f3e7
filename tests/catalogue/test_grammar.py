"""The grammar's sentences are counted, numbered and told apart by part."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_tuning.catalogue.entry_records import LANGUAGES, SLOT
from agent_tuning.catalogue.grammar import Grammar, shuffle_index
from tests.support import default_data

CELLS = list(default_data.CATALOGUE.cells())


@given(total=st.integers(1, 300), seed=st.text(max_size=3))
def test_a_shuffled_range_holds_every_number_once(total, seed):
    assert sorted(shuffle_index(i, total, seed) for i in range(total)) == list(range(total))


def test_another_seed_gives_another_order():
    orders = {tuple(shuffle_index(i, 20, seed) for i in range(20)) for seed in "abcdefgh"}
    assert len(orders) == 8


@pytest.mark.parametrize("which", ["train", "held_out"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_number_of_a_phrasing_is_another_sentence(which, language):
    grammar = Grammar(default_data.CATALOGUE, which, which)
    for tool, scenario in CELLS:
        text = grammar.phrasings(scenario.queries, language)[0]
        total = min(grammar.count_sentences(text, tool, language), 500)
        drawn = [grammar.values(text, tool, language, n) for n in range(total)]
        assert {tuple(values) for values in drawn} == {tuple(dict.fromkeys(SLOT.findall(text)))}
        assert len({tuple(v.text for v in values.values()) for values in drawn}) == total


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_phrasing_stands_in_both_parts(language):
    train, held_out = (
        Grammar(default_data.CATALOGUE, part, part) for part in ("train", "held_out")
    )
    for _, scenario in CELLS:
        phrasings = [grammar.phrasings(scenario.queries, language) for grammar in (train, held_out)]
        assert not set(phrasings[0]) & set(phrasings[1])
        assert len(phrasings[0]) + len(phrasings[1]) == len(getattr(scenario.queries, language))


def test_a_cell_can_say_as_much_as_its_poorest_phrasing_allows_in_turn():
    grammar = Grammar(default_data.CATALOGUE)
    scenario = default_data.CATALOGUE.scenario("get_weather_forecast", "plan_a_day")
    (first, *_), every = (grammar.phrasings(scenario.queries, "en") for _ in range(2))
    alone = grammar.count_sentences(first, "get_weather_forecast", "en")
    assert grammar.capacity(scenario.queries, "get_weather_forecast", "en") == len(every) * alone
