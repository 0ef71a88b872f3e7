"""Rendering: the same groups give the same bytes, and what is in them is what training needs."""

import json
from pathlib import Path

import msgspec
import pytest
import yaml

from agent_tuning.files import jsonl
from agent_tuning.records import BadInput
from agent_tuning.tokens import pack_file
from agent_tuning.tokens.chat_template import ChatTokenizer
from agent_tuning.tokens.pack_file import Pack
from agent_tuning.tokens.packing import PACKINGS
from stages import render

MAX_LEN, OPENING, NAME, NEGATIVE = 2048, 7.0, 5.0, 3.0
WEIGHTS = {
    "opening": OPENING,
    "opening_tokens": 2,
    "thought": 1.0,
    "name": NAME,
    "arguments": 1.0,
    "negative": NEGATIVE,
}


def rendered(folder: Path, base: Path, groups, **changes: object) -> bytes:
    section = {"seed": 1, "packing": "shared", "max_len": MAX_LEN, "max_dropped": 1.0}
    section |= {"weights": WEIGHTS} | changes
    (folder / "params.yaml").write_text(yaml.safe_dump({"render": section}))
    jsonl.write(folder / "mixed.jsonl", groups)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        render.main(Path("mixed.jsonl"), base, Path("packs.parquet"), Path("m.json"))
    return (folder / "packs.parquet").read_bytes()


@pytest.fixture
def packs(base, groups, tmp_path) -> list[Pack]:
    rendered(tmp_path, base, groups)
    return list(pack_file.read(tmp_path / "packs.parquet"))


def test_twice_the_same_is_the_same_bytes(base, groups, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    assert rendered(first, base, groups) == rendered(second, base, groups)


@pytest.mark.parametrize("packing", PACKINGS)
def test_the_order_of_the_groups_changes_nothing(base, groups, tmp_path, packing):
    packs = [rendered(tmp_path, base, each, packing=packing) for each in (groups, groups[::-1])]
    assert packs[0] == packs[1]


def test_the_seed_decides_the_order_of_the_packs(base, groups, tmp_path):
    packs = {rendered(tmp_path, base, groups, seed=seed) for seed in range(6)}
    assert len(packs) > 1


def test_a_pack_has_a_weight_for_every_token_and_fits(packs):
    for pack in packs:
        tokens = sum(span.tokens for span in pack.spans)
        assert tokens == len(pack.ids) == len(pack.weights) <= MAX_LEN


def weighing(packs: list[Pack], weight: float) -> list[int]:
    return [
        token
        for pack in packs
        for token, token_weight in zip(pack.ids, pack.weights, strict=True)
        if token_weight == weight
    ]


def test_tokens_of_a_called_tool_weigh_more(packs, base):
    names = ChatTokenizer(base / "tokenizer.json").text(weighing(packs, NAME))
    assert names == "get_weather" * 12  # two of three in each of six groups call it


def test_a_hard_negative_weighs_more(packs, base):
    chat = ChatTokenizer(base / "tokenizer.json")
    declined = chat.text(weighing(packs, NEGATIVE * OPENING) + weighing(packs, NEGATIVE))
    assert declined.count("I see.") == 6
    assert "Clear." not in declined  # a call's own last turn is no negative


def test_the_first_tokens_of_a_decision_weigh_more(packs):
    turns = 6 * 4  # one of a plain call, two of an answered one, one of a negative in each group
    assert len(weighing(packs, OPENING) + weighing(packs, NEGATIVE * OPENING)) == 2 * turns


def test_thoughts_and_arguments_have_weights_and_none_means_not_trained(base, groups, tmp_path):
    weights = WEIGHTS | {"opening_tokens": 0, "thought": 0.0, "arguments": 11.0}
    rendered(tmp_path, base, groups, weights=weights)
    packs = list(pack_file.read(tmp_path / "packs.parquet"))
    chat = ChatTokenizer(base / "tokenizer.json")
    assert chat.text(weighing(packs, 11.0)).count("Oslo") == 6
    trained = chat.text(
        [
            token
            for pack in packs
            for token, weight in zip(pack.ids, pack.weights, strict=True)
            if weight
        ]
    )
    assert "Look up" not in trained
    assert trained.count("Clear.") == 6


def test_the_metrics_count_what_was_left_out(base, groups, tmp_path):
    first = groups[0].trajectories[0]
    turns = (msgspec.structs.replace(first.turns[0], text="x" * MAX_LEN), *first.turns[1:])
    long = msgspec.structs.replace(first, turns=turns)
    group = msgspec.structs.replace(groups[0], trajectories=(long, *groups[0].trajectories[1:]))
    rendered(tmp_path, base, [group, *groups[1:]])
    metrics = json.loads((tmp_path / "m.json").read_text())
    assert metrics["too_long"] == 1
    assert 0 < metrics["dropped_tokens"] < 1
    assert metrics["prefix_sharing_ratio"] > 1
    assert 0 < metrics["packing_efficiency"] <= 1


def test_more_dropped_tokens_than_allowed_stop_the_stage_and_say_what_mends_it(
    base, groups, tmp_path
):
    rendered(tmp_path, base, groups, max_len=600)
    share = json.loads((tmp_path / "m.json").read_text())["dropped_tokens"]
    (tmp_path / "packs.parquet").unlink()
    with pytest.raises(
        BadInput, match=r"render\.max_len = 600; .*raise render\.max_len, or"
    ) as error:
        rendered(tmp_path, base, groups, max_len=600, max_dropped=share - 0.001)
    assert f"{share:.1%} of the tokens" in str(error.value)
    assert not (tmp_path / "packs.parquet").exists()
    rendered(tmp_path, base, groups, max_len=600, max_dropped=share + 0.001)


def test_a_base_without_tokenizer_is_one_clear_line(groups, tmp_path):
    with pytest.raises(BadInput, match="missing tokenizer; run `dvc repro fetch`"):
        rendered(tmp_path, tmp_path / "nothing", groups)
