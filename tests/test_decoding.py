"""Shared-prefix decoding says what plain one-at-a-time generation says."""

import pytest
import torch
from transformers import AutoModelForCausalLM

from trajectory import decoding
from trajectory.chat import Chat
from trajectory.decoding import Prompt
from trajectory.records import BadInput, User

NEW = 12


@pytest.fixture(scope="module")
def asked(base) -> list[Prompt]:
    chat = Chat(base / "tokenizer.json")
    return [
        Prompt(
            chat.prefix(system),
            [chat.question([User(text)], "react") for text in ("Hi.", "How warm is it?", "a" * 30)],
        )
        for system in ("Be kind.", "You may use these tools: none at all.")
    ]


def one_at_a_time(base, prompt: Prompt, end: int) -> list[list[int]]:
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    answers = []
    for question in prompt.questions:
        ids = torch.tensor([prompt.prefix + question])
        new = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=NEW,
            eos_token_id=end,
            pad_token_id=end,
        )[0, ids.shape[1] :].tolist()
        answers.append(new[: new.index(end)] if end in new else new)
    return answers


def test_the_answers_are_those_of_plain_generation(lively, asked):
    model = decoding.load(lively)
    end = Chat(lively / "tokenizer.json").end
    expected = [one_at_a_time(lively, prompt, end) for prompt in asked]
    assert len({tuple(ids) for group in expected for ids in group}) == 6  # a model that listens
    assert decoding.greedy(model, asked, end, NEW) == expected


def test_an_answer_ends_before_the_end_token_while_others_go_on(lively, asked):
    model = decoding.load(lively)
    free = decoding.greedy(model, asked, -1, NEW)
    end = free[0][1][3]  # let a token that the model does say be the end
    assert {end in ids for group in free for ids in group} == {True, False}
    cut = [[ids[: ids.index(end)] if end in ids else ids for ids in group] for group in free]
    assert decoding.greedy(model, asked, end, NEW) == cut


def test_batches_hold_every_prompt_in_order_and_at_most_so_many_rows(asked):
    prompts = asked * 3
    batches = list(decoding.batches(prompts, 7))
    assert [index for batch in batches for index in batch] == list(range(len(prompts)))
    assert max(sum(len(prompts[i].questions) for i in batch) for batch in batches) <= 7


def test_a_folder_without_a_model_is_one_clear_line(tmp_path):
    with pytest.raises(BadInput, match="no model here"):
        decoding.load(tmp_path)
