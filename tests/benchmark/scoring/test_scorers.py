"""Scores stay in their range, forgive what means the same, and reward nothing invented."""

import random
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics.bleu import BLEU

from agent_tuning.quality.word_overlap import split_tokens
from agent_tuning.records import Assistant, Call, Decision, User
from benchmark.scoring.scorers import TEXT_SCORERS, Score, score_turn
from benchmark.scoring.scorers.arguments import (
    args_f1,
    args_similarity,
    call_exact_match,
    is_same_value,
)
from benchmark.scoring.scorers.match import em
from benchmark.scoring.scorers.text import ASCII_TOKEN, bleu, rouge_l, scorer_signature
from benchmark.tasks.suites import Gold, GoldCall, Task

EVERY_TEXT_SCORER = pytest.mark.parametrize("text_scorer", TEXT_SCORERS.values(), ids=TEXT_SCORERS)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
ARGUMENTS = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 3), max_size=4)
CALLS = st.lists(st.builds(Call, st.sampled_from(["f", "g"]), ARGUMENTS), max_size=5)


def golds(calls: list[Call]) -> list[GoldCall]:
    return [GoldCall(c.name, {k: (v,) for k, v in c.arguments.items()}) for c in calls]


# ---- text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Look up the Weather, please", ["look", "up", "the", "weather", ",", "please"]),
        ("查询上海weather", ["查", "询", "上", "海", "weather"]),
        ("날씨 조회", ["날", "씨", "조", "회"]),
        ("ＡＢＣ ①", ["abc", "1"]),
        ("sun🌞🌧", ["sun", "🌞", "🌧"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("snake_case x2", ["snake_case", "x2"]),
        ("STRASSE straße", ["strasse", "strasse"]),
        ("", []),
    ],
)
def test_words_are_split_in_every_script(text: str, expected: list[str]) -> None:
    assert split_tokens(text) == [unicodedata.normalize("NFKC", word) for word in expected]


@given(text=st.text(st.characters(codec="ascii")))
def test_the_short_way_through_ascii_finds_the_same_words(text: str) -> None:
    assert ASCII_TOKEN.findall(text.lower()) == split_tokens(text)


@EVERY_TEXT_SCORER
@given(gold=st.text(), answer=st.text())
def test_likeness_is_from_0_to_1(text_scorer: Any, gold: str, answer: str) -> None:
    assert 0 <= text_scorer(gold, answer) <= 1


@EVERY_TEXT_SCORER
@given(text=st.text())
def test_a_text_is_wholly_like_itself(text_scorer: Any, text: str) -> None:
    assert text_scorer(text, text) == 1


@EVERY_TEXT_SCORER
@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        pytest.param("查询上海明天的天气", "查询上海明天的天气", id="chinese"),
        pytest.param(
            "서울 날씨", unicodedata.normalize("NFD", "서울 날씨"), id="korean decomposed"
        ),
        pytest.param("café", unicodedata.normalize("NFD", "café"), id="composed and not"),
        pytest.param("Find Rain", "find rain", id="case"),
        pytest.param("🌞", "🌞", id="emoji"),
        pytest.param("👩‍👩‍👧 home", "👩‍👩‍👧 home", id="emoji of several"),
        pytest.param("天気を調べる", "天気を調べる", id="japanese"),
        pytest.param("ค้นหาสภาพอากาศ", "ค้นหาสภาพอากาศ", id="thai"),
        pytest.param("ابحث عن الطقس", "ابحث عن الطقس", id="arabic"),
        pytest.param("", "", id="empty"),
        pytest.param("", "  ", id="nothing"),
        pytest.param("ｗｅａｔｈｅｒ", "weather", id="width"),
    ],
)
def test_texts_that_read_the_same_are_wholly_alike(
    text_scorer: Any, gold: str, answer: str
) -> None:
    assert text_scorer(gold, answer) == 1


@EVERY_TEXT_SCORER
@pytest.mark.parametrize(("gold", "answer"), [("weather", ""), ("", "weather"), ("🌞", "🌧")])
def test_texts_without_a_common_word_are_not_alike(
    text_scorer: Any, gold: str, answer: str
) -> None:
    assert text_scorer(gold, answer) == 0


TEXT = st.text() | st.lists(st.sampled_from(["a", "b", "the", "查", "天", "🌞", "é"])).map(" ".join)


class OurTokenizer:
    def tokenize(self, text: str) -> list[str]:
        return split_tokens(text)


@given(gold=TEXT, answer=TEXT)
def test_rouge_l_is_rouge_scores_own_to_12_digits(gold: str, answer: str) -> None:
    reference = RougeScorer(["rougeL"], tokenizer=OurTokenizer()).score(gold, answer)["rougeL"]
    # where there is not a word on either side, the library says 0 to what is equal
    expected = reference.fmeasure if split_tokens(gold) or split_tokens(answer) else 1.0
    assert rouge_l(gold, answer) == pytest.approx(expected, abs=1e-12)


@given(gold=TEXT.filter(split_tokens), answer=TEXT.filter(split_tokens))
def test_bleu_is_sacrebleus_own_to_12_digits(gold: str, answer: str) -> None:
    spaced = (" ".join(split_tokens(text)) for text in (answer, gold))
    reference = BLEU(tokenize="none", effective_order=True)
    expected = reference.sentence_score(next(spaced), [next(spaced)]).score / 100
    assert bleu(gold, answer) == pytest.approx(expected, abs=1e-12)


@given(gold=TEXT, answer=TEXT, times=st.integers(1, 4))
def test_words_that_the_gold_has_not_never_pay(gold: str, answer: str, times: int) -> None:
    assert rouge_l(gold, answer + " zzz" * times) <= rouge_l(gold, answer)


@EVERY_TEXT_SCORER
@given(gold=TEXT.filter(split_tokens), times=st.integers(2, 4))
def test_saying_the_gold_again_never_pays(text_scorer: Any, gold: str, times: int) -> None:
    assert text_scorer(gold, f"{gold} " * times) < 1


@given(gold=st.lists(st.sampled_from("abcd查天"), min_size=1), kept=st.integers(0, 20))
def test_more_of_the_gold_is_never_less_alike(gold: list[str], kept: int) -> None:
    part, more = (" ".join(gold[:length]) for length in (kept, kept + 1))
    assert rouge_l(" ".join(gold), part) <= rouge_l(" ".join(gold), more)


def test_rouge_l_is_the_f1_of_the_longest_common_subsequence() -> None:
    # 查询天气 and 查询明天天气 share 查询天气: precision 4/6, recall 1
    assert rouge_l("查询天气", "查询明天天气") == pytest.approx(0.8)


def test_a_signature_names_scorer_tokenizer_and_library() -> None:
    assert scorer_signature("bleu").split("|")[0] == "bleu"
    assert "tok:nfkc" in scorer_signature("rouge_l")
    assert "rouge-score:" in scorer_signature("rouge_l")


# ---- values


@pytest.mark.parametrize(
    ("gold", "value", "equal"),
    [
        (12, 12.0, True),
        (12, "12", False),
        (1, True, False),
        (0.1, 0.1, True),
        ("Oslo", " oslo ", True),
        ("café", "cafe\u0301", True),
        ("Oslo", "Bergen", False),
        (None, None, True),
        (None, "", False),
        (False, 0, False),
        (["a", 1], ["A", 1.0], True),
        (["a", "b"], ["b", "a"], False),
        (["a"], ["a", "a"], False),
        ({"x": [1, {"y": "Z"}]}, {"x": [1.0, {"y": "z"}]}, True),
        ({"x": 1}, {"x": 1, "y": 2}, False),
        ({"x": 1}, {}, False),
        ([], {}, False),
        ("a", ["a"], False),
    ],
)
def test_values_are_the_same_when_a_tool_would_take_them_so(
    gold: Any, value: Any, equal: bool
) -> None:
    assert is_same_value(gold, value) is equal


@given(value=VALUES)
def test_a_value_is_the_same_as_itself(value: Any) -> None:
    assert is_same_value(value, value)


# ---- arguments

CITY = GoldCall("weather", {"city": ("Oslo",)})
CITY_DAY = GoldCall("weather", {"city": ("Oslo", "Oslo, Norway"), "day": (1,)}, ("day",))


@pytest.mark.parametrize(
    ("gold", "calls", "exact", "f1"),
    [
        pytest.param([CITY], [Call("weather", {"city": "oslo"})], 1, 1, id="right"),
        pytest.param([CITY], [Call("weather", {"city": "Rome"})], 0, 0, id="wrong value"),
        pytest.param([CITY], [Call("weather")], 0, 0, id="left out"),
        pytest.param([CITY], [Call("weather", {"city": "Oslo", "x": 1})], 0, 2 / 3, id="invented"),
        pytest.param([CITY], [Call("rain", {"city": "Oslo"})], 0, 0, id="other tool"),
        pytest.param([CITY], [], 0, 0, id="no call"),
        pytest.param([CITY], [Call("weather", {"city": "Oslo"})] * 2, 0, 2 / 3, id="repeated"),
        pytest.param([CITY_DAY], [Call("weather", {"city": "Oslo"})], 1, 1, id="optional out"),
        pytest.param(
            [CITY_DAY],
            [Call("weather", {"city": "Oslo, Norway", "day": 1})],
            1,
            1,
            id="optional in",
        ),
        pytest.param(
            [CITY_DAY],
            [Call("weather", {"city": "Oslo", "day": 2})],
            0,
            2 / 3,
            id="optional wrong",
        ),
        pytest.param([GoldCall("now")], [Call("now")], 1, 1, id="nothing to give"),
        pytest.param([GoldCall("now")], [Call("now", {"x": 1})], 0, 0, id="all invented"),
        pytest.param([GoldCall("now")], [Call("later")], 0, 0, id="nothing, other tool"),
        pytest.param(
            [CITY, GoldCall("weather", {"city": ("Rome",)})],
            [Call("weather", {"city": "Rome"}), Call("weather", {"city": "Oslo"})],
            1,
            1,
            id="two calls turned round",
        ),
        pytest.param(
            [CITY, GoldCall("weather", {"city": ("Rome",)})],
            [Call("weather", {"city": "Rome"})],
            0,
            2 / 3,
            id="one of two calls",
        ),
    ],
)
def test_arguments_count_when_present_right_and_not_invented(
    gold: list[GoldCall], calls: list[Call], exact: int, f1: float
) -> None:
    assert call_exact_match(gold, calls) == exact
    assert args_f1(gold, calls) == pytest.approx(f1)


@given(gold=CALLS, calls=CALLS)
def test_argument_scores_are_from_0_to_1_whatever_is_repeated(
    gold: list[Call], calls: list[Call]
) -> None:
    for repeated in (calls, calls * 3):
        assert 0 <= args_f1(golds(gold), repeated) <= 1
        assert 0 <= args_similarity(golds(gold), repeated, is_same_value) <= 1
        assert call_exact_match(golds(gold), repeated) in (0, 1)


@given(gold=CALLS, calls=CALLS)
def test_all_arguments_are_right_exactly_when_f1_is_1(gold: list[Call], calls: list[Call]) -> None:
    assert call_exact_match(golds(gold), calls) == (args_f1(golds(gold), calls) == 1)


@given(gold=CALLS, calls=CALLS, seed=st.integers())
def test_the_order_of_calls_is_free(gold: list[Call], calls: list[Call], seed: int) -> None:
    turned_gold, turned = list(gold), list(calls)
    random.Random(seed).shuffle(turned_gold)
    random.Random(seed + 1).shuffle(turned)
    for scorer in (call_exact_match, args_f1):
        assert scorer(golds(gold), calls) == scorer(golds(turned_gold), turned)
    before, after = (
        args_similarity(golds(a), b, is_same_value)
        for a, b in ((gold, calls), (turned_gold, turned))
    )
    assert before == pytest.approx(after)


@given(gold=CALLS.filter(bool))
def test_an_invented_argument_lowers_a_perfect_answer(gold: list[Call]) -> None:
    worse = [Call(gold[0].name, {**gold[0].arguments, "invented": 1}), *gold[1:]]
    assert call_exact_match(golds(gold), worse) == 0
    assert args_f1(golds(gold), worse) < args_f1(golds(gold), gold) == 1


@given(gold=CALLS.filter(bool), calls=CALLS, place=st.integers(0, 4), name=st.sampled_from("abcd"))
def test_mending_a_value_never_lowers_a_score(
    gold: list[Call], calls: list[Call], place: int, name: str
) -> None:
    answer = [*gold[:place], *calls][: len(gold)]
    answer += gold[len(answer) :]
    where = place % len(gold)
    wrong, mended = (dict(answer[where].arguments) for _ in range(2))
    wrong[name], mended[name] = -1, gold[where].arguments.get(name, -1)
    before, after = (
        [*answer[:where], Call(gold[where].name, given), *answer[where + 1 :]]
        for given in (wrong, mended)
    )
    for scorer in (call_exact_match, args_f1):
        assert scorer(golds(gold), before) <= scorer(golds(gold), after)


def test_repeating_a_right_call_never_pays() -> None:
    # Hammer's F1 reaches 1.5 on repeated calls
    right = [Call("weather", {"city": "Oslo"})]
    scores = [args_f1([CITY], right * times) for times in (1, 2, 3, 4)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == 1


# ---- one task


def task(*golds: Gold) -> Task:
    return Task("t", "g", (User("Rain in Oslo?"),), golds, "call")


CALL = Gold("call", "look up the rain", (CITY,))


@pytest.mark.parametrize(
    ("gold", "turn", "right"),
    [
        pytest.param(CALL, Assistant("call", "", (Call("weather"),)), 1, id="tool"),
        pytest.param(CALL, Assistant("call", "", (Call("rain"),)), 0, id="other tool"),
        pytest.param(CALL, Assistant("call", "", (Call("weather"),) * 2), 0, id="called twice"),
        pytest.param(CALL, Assistant("no_call", text="No."), 0, id="refused"),
        pytest.param(CALL, None, 0, id="malformed"),
        pytest.param(Gold("no_call"), None, 0, id="malformed is no refusal"),
        pytest.param(Gold("no_call"), Assistant("no_call"), 1, id="rightly refused"),
        pytest.param(Gold("ask"), Assistant("no_call"), 0, id="refused instead of asking"),
        pytest.param(Gold("ask"), Assistant("ask", text="Where?"), 1, id="asked"),
    ],
)
def test_em_wants_the_decision_and_the_tools(
    gold: Gold, turn: Assistant | None, right: int
) -> None:
    assert em([gold], turn) == right


def test_the_score_is_em_plus_lambda_times_text() -> None:
    turn = Assistant("call", "look up the weather", (Call("weather", {"city": "Oslo"}),))
    scores = score_turn(task(CALL), turn, rouge_l, 0.5)
    assert scores.text == pytest.approx(0.75)
    assert scores.score == pytest.approx(1.375)
    assert scores.score_gated == pytest.approx(1.375 / 1.5)
    assert scores.kagent_plan == pytest.approx(0.75)
    assert (scores.em, scores.call_exact_match, scores.args_f1, scores.kagent_tool) == (1, 1, 1, 1)


def test_text_cannot_rescue_a_wrong_tool_in_the_gated_score() -> None:
    turn = Assistant("call", "look up the rain", (Call("fly", {"city": "Oslo"}),))
    scores = score_turn(task(CALL), turn, rouge_l, 0.5)
    assert scores == Score(0, 1.0, 0.5, 0.0, 0.0, 0.0, 0, 0.0)


@pytest.mark.parametrize("decision", ["no_call", "ask"])
def test_a_description_counts_without_a_call_and_arguments_do_not(decision: Decision) -> None:
    scores = score_turn(task(Gold(decision, "say why")), Assistant(decision, "say why"), rouge_l, 1)
    assert scores == Score(1, 1.0, 2.0, 1.0, 1.0)


def test_a_task_without_descriptions_has_no_text_and_no_score() -> None:
    turn = Assistant("call", "anything", (Call("weather", {"city": "Oslo"}),))
    scores = score_turn(task(Gold("call", "", (CITY,))), turn, rouge_l, 1)
    assert scores == Score(1, kagent_tool=1.0, call_exact_match=1, args_f1=1.0)


def test_the_best_of_several_golds_counts() -> None:
    other = Gold("call", "check the forecast", (GoldCall("forecast", {"city": ("Oslo",)}),))
    turn = Assistant("call", "check the forecast", (Call("forecast", {"city": "Oslo"}),))
    scores = score_turn(task(CALL, other), turn, rouge_l, 1)
    assert (scores.em, scores.text, scores.call_exact_match) == (1, 1, 1)


@EVERY_TEXT_SCORER
@given(calls=CALLS.filter(bool), thought=st.sampled_from(["", "look up the rain", "雨"]))
def test_every_score_of_a_task_is_in_its_range(
    text_scorer: Any, calls: list[Call], thought: str
) -> None:
    scores = score_turn(task(CALL), Assistant("call", thought, tuple(calls)), text_scorer, 0.5)
    assert 0 <= (scores.score or 0) <= 1.5
    for value in (scores.text, scores.score_gated, scores.kagent_plan, scores.kagent_tool):
        assert value is not None
        assert 0 <= value <= 1


THOUGHTS = st.lists(st.sampled_from(["look", "up", "the", "rain", "雨"]), max_size=6).map(" ".join)


@EVERY_TEXT_SCORER
@given(thoughts=st.tuples(THOUGHTS, THOUGHTS), calls=CALLS.filter(bool))
def test_the_score_rises_with_text_and_with_em(
    text_scorer: Any, thoughts: tuple[str, str], calls: list[Call]
) -> None:
    first, second = (
        score_turn(task(CALL), Assistant("call", thought, tuple(calls)), text_scorer, 0.5)
        for thought in thoughts
    )
    right = score_turn(
        task(CALL), Assistant("call", thoughts[0], (Call("weather"),)), text_scorer, 0.5
    )
    for name in ("score", "score_gated", "kagent_plan"):
        if (first.text or 0) <= (second.text or 0):
            assert getattr(first, name) <= getattr(second, name)
        assert getattr(first, name) <= getattr(right, name)


@EVERY_TEXT_SCORER
@given(calls=CALLS.filter(bool), thought=THOUGHTS, seed=st.integers())
def test_the_order_of_golds_and_golds_that_stand_twice_change_nothing(
    text_scorer: Any, calls: list[Call], thought: str, seed: int
) -> None:
    several = [Gold("call", f"look up {name}", (GoldCall(name, {"a": (1,)}),)) for name in "fgh"]
    turned = random.Random(seed).choices(several, k=3) + several
    turn = Assistant("call", thought, tuple(calls))
    first, second = (
        score_turn(task(*golds), turn, text_scorer, 0.5) for golds in (several, turned)
    )
    assert first == second
