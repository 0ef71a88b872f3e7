"""Shared-prefix decoding says what plain one-at-a-time generation says."""

import pytest
import torch
from transformers import AutoModelForCausalLM

from agent_tuning.inference import generate
from agent_tuning.inference.generate import Prompt
from agent_tuning.inference.kv_cache import GROWTH, CacheTable
from agent_tuning.records import BadInput, User
from agent_tuning.tokens.chat_template import ChatTokenizer

NEW = 12


@pytest.fixture(scope="module")
def asked(base) -> list[Prompt]:
    chat = ChatTokenizer(base / "tokenizer.json")
    return [
        Prompt(
            chat.prefix(system),
            [chat.question([User(text)], "react") for text in ("Hi.", "How warm is it?", "a" * 30)],
        )
        for system in ("Be kind.", "You may use these tools: none at all.")
    ]


def one_at_a_time(base, prompt: Prompt, end: int, new: int = NEW) -> list[list[int]]:
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    answers = []
    for question in prompt.questions:
        ids = torch.tensor([prompt.prefix + question])
        said = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=new,
            eos_token_id=end,
            pad_token_id=end,
        )[0, ids.shape[1] :].tolist()
        answers.append(said[: said.index(end)] if end in said else said)
    return answers


def test_the_answers_are_those_of_plain_generation(lively, asked):
    model = generate.load_model(lively)
    end = ChatTokenizer(lively / "tokenizer.json").end
    expected = [one_at_a_time(lively, prompt, end) for prompt in asked]
    assert len({tuple(ids) for group in expected for ids in group}) == 6  # a model that listens
    assert generate.decode_greedily(model, asked, end, NEW) == expected


def test_short_and_long_questions_grow_past_their_tables_and_say_the_same(lively):
    chat = ChatTokenizer(lively / "tokenizer.json")
    questions = [
        chat.question([User(letter * n)], "react")
        for letter, n in (("a", 3), ("b", 90), ("c", 180))
    ]
    prompts = [
        Prompt(chat.prefix("Be kind."), questions),
        Prompt(chat.prefix("Be."), questions[:1]),
    ]
    new = GROWTH + 8
    said = generate.decode_greedily(generate.load_model(lively), prompts, chat.end, new)
    assert said == [one_at_a_time(lively, prompt, chat.end, new) for prompt in prompts]
    assert max(len(ids) for group in said for ids in group) > GROWTH


def test_every_tensor_is_made_where_the_model_is(lively, asked):
    model, end = generate.load_model(lively), ChatTokenizer(lively / "tokenizer.json").end
    expected = generate.decode_greedily(model, asked, end, NEW)
    with torch.device("meta"):  # a tensor made there cannot meet one of the model
        assert generate.decode_greedily(model, asked, end, NEW) == expected


@pytest.mark.parametrize("ended", [[], [0], [4], [0, 1, 4], [1, 2, 3], [0, 1, 2, 3, 4]])
def test_rows_that_end_leave_a_whole_table_of_the_others(ended):
    table = CacheTable([(0, row) for row in range(5)], [row + 1 for row in range(5)])
    for row in range(5):
        kept = torch.full((2, row + 1, 3), float(row))
        table.fill(0, row, (kept, -kept))
    order = table.keep([row not in ended for row in range(5)])
    assert sorted(order) == [row for row in range(5) if row not in ended]
    assert table.rows == [(0, row) for row in order]
    assert table.lengths.tolist() == [row + 1 for row in order]
    assert table.layers[0][0][: len(order), 0, 0, 0].tolist() == order


def test_an_answer_ends_before_the_end_token_while_others_go_on(lively, asked):
    model = generate.load_model(lively)
    free = generate.decode_greedily(model, asked, -1, NEW)
    end = free[0][1][3]  # let a token that the model does say be the end
    assert {end in ids for group in free for ids in group} == {True, False}
    cut = [[ids[: ids.index(end)] if end in ids else ids for ids in group] for group in free]
    assert generate.decode_greedily(model, asked, end, NEW) == cut


def test_batches_hold_every_prompt_in_order_and_at_most_so_many_rows(asked):
    prompts = asked * 3
    batches = list(generate.plan_batches(prompts, 7))
    assert [index for batch in batches for index in batch] == list(range(len(prompts)))
    assert max(sum(len(prompts[i].questions) for i in batch) for batch in batches) <= 7


def test_a_folder_without_a_model_is_one_clear_line(tmp_path):
    with pytest.raises(BadInput, match="no model here"):
        generate.load_model(tmp_path)
