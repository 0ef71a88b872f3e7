"""Shared-prefix decoding gives the answers of plain generation, one question at a time."""

import pytest
import torch
from transformers import AutoModelForCausalLM

from agent_tuning.inference import generate
from agent_tuning.inference.generate import Prompt
from agent_tuning.inference.kv_cache import GROWTH, CacheTable
from agent_tuning.prompts import system_prompt
from agent_tuning.records import BadInput, User
from agent_tuning.tokens.chat_template import ChatTokenizer
from tests.conftest import prompt_in

NEW = 12


@pytest.fixture(scope="module")
def prompts(base) -> list[Prompt]:
    chat = ChatTokenizer(base / "tokenizer.json")
    return [
        Prompt(
            chat.prefix(spec),
            [chat.question([User(text)], spec) for text in ("Hi.", "How warm is it?", "a" * 30)],
        )
        for spec in (system_prompt.general_prompt("en"), prompt_in("react"))
    ]


def one_at_a_time(base, prompt: Prompt, end: int, new: int = NEW) -> list[list[int]]:
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    answers = []
    for question in prompt.questions:
        ids = torch.tensor([prompt.prefix + question])
        ids_after = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=new,
            eos_token_id=end,
            pad_token_id=end,
        )[0, ids.shape[1] :].tolist()
        answers.append(ids_after[: ids_after.index(end)] if end in ids_after else ids_after)
    return answers


def test_the_answersare_those_of_plain_generation(lively, prompts):
    model = generate.load_model(lively)
    end = ChatTokenizer(lively / "tokenizer.json").end
    expected = [one_at_a_time(lively, prompt, end) for prompt in prompts]
    assert len({tuple(ids) for group in expected for ids in group}) == 6
    assert generate.decode_greedily(model, prompts, end, NEW) == expected


def test_short_and_long_questions_grow_past_their_tables_and_give_the_same_answers(lively):
    chat = ChatTokenizer(lively / "tokenizer.json")
    questions = [
        chat.question([User(letter * n)], prompt_in("react"))
        for letter, n in (("a", 3), ("b", 90), ("c", 180))
    ]
    prompts = [
        Prompt(chat.prefix(system_prompt.general_prompt("en")), questions),
        Prompt(chat.prefix(prompt_in("native")), questions[:1]),
    ]
    new = GROWTH + 8
    answers = generate.decode_greedily(generate.load_model(lively), prompts, chat.end, new)
    assert answers == [one_at_a_time(lively, prompt, chat.end, new) for prompt in prompts]
    assert max(len(ids) for group in answers for ids in group) > GROWTH


def test_every_tensor_is_on_the_device_of_the_model(lively, prompts):
    model, end = generate.load_model(lively), ChatTokenizer(lively / "tokenizer.json").end
    expected = generate.decode_greedily(model, prompts, end, NEW)
    with torch.device("meta"):  # a tensor on it cannot be combined with the model's
        assert generate.decode_greedily(model, prompts, end, NEW) == expected


@pytest.mark.parametrize("ended", [[], [0], [4], [0, 1, 4], [1, 2, 3], [0, 1, 2, 3, 4]])
def test_rows_that_end_leave_a_table_of_the_others_without_gaps(ended):
    table = CacheTable([(0, row) for row in range(5)], [row + 1 for row in range(5)])
    for row in range(5):
        kept = torch.full((2, row + 1, 3), float(row))
        table.fill(0, row, (kept, -kept))
    order = table.keep([row not in ended for row in range(5)])
    assert sorted(order) == [row for row in range(5) if row not in ended]
    assert table.rows == [(0, row) for row in order]
    assert table.lengths.tolist() == [row + 1 for row in order]
    assert table.layers[0][0][: len(order), 0, 0, 0].tolist() == order


def test_an_answer_ends_before_the_end_token_while_others_continue(lively, prompts):
    model = generate.load_model(lively)
    free = generate.decode_greedily(model, prompts, -1, NEW)
    end = free[0][1][3]  # a token that the model emits becomes the end
    assert {end in ids for group in free for ids in group} == {True, False}
    cut = [[ids[: ids.index(end)] if end in ids else ids for ids in group] for group in free]
    assert generate.decode_greedily(model, prompts, end, NEW) == cut


def test_batches_hold_every_prompt_in_order_and_at_most_so_many_rows(prompts):
    many = prompts * 3
    batches = list(generate.plan_batches(many, 7))
    assert [index for batch in batches for index in batch] == list(range(len(many)))
    assert max(sum(len(many[i].questions) for i in batch) for batch in batches) <= 7


def test_a_folder_without_a_model_is_one_clear_line(tmp_path):
    with pytest.raises(BadInput, match=r"no model: expected a config\.json"):
        generate.load_model(tmp_path)


def test_progress_moves_within_a_batch_and_never_back(lively, prompts):
    model = generate.load_model(lively)
    end = ChatTokenizer(lively / "tokenizer.json").end
    parts: list[float] = []
    told = generate.decode_greedily(model, prompts, end, NEW, report=parts.append)
    assert told == generate.decode_greedily(model, prompts, end, NEW)
    assert parts[:2] == [1.5, 3.0]  # half of 3 questions, of 6
    assert len(parts) > NEW
    assert parts == sorted(parts)
    assert parts[-1] <= 6
