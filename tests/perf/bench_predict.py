"""Shared-prefix answers beside others': arguments PROMPTS MODEL [--agree N].

Speed: the same questions answered by our engine, by transformers' `generate` one at a time, and by
lm-eval's HFLM in batches, in alternating order; CPU seconds count, for another program on the
machine lengthens the clock but hardly those. Agreement: what plain attention without a cache says
at every token of our answers, and by how much, where it says otherwise.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, cycle, islice
from pathlib import Path

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from agent_tuning.files import jsonl
from agent_tuning.inference import generate
from agent_tuning.inference.generate import Prompt
from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.runtime import cli, config, cpu
from agent_tuning.tokens.chat_template import END, ChatTokenizer
from benchmark.engines.config import PredictConfig

P = config.load("predict", PredictConfig)
ROUNDS = 2
HFLM_BATCH = 16  # rows, padded to the longest


class Ours:
    def __init__(self, folder: Path, chat: ChatTokenizer) -> None:
        self.model, self.chat = generate.load_model(folder), chat

    def __call__(self, prompts: Sequence[Prompt]) -> list[list[int]]:
        batches = generate.plan_batches(prompts, P.rows)
        found = (
            generate.decode_greedily(
                self.model, [prompts[i] for i in batch], self.chat.end, P.max_new_tokens
            )
            for batch in batches
        )
        return [answer for batch in found for group in batch for answer in group]


class Generate:
    """One question at a time, with the cache that transformers keeps."""

    def __init__(self, model: PreTrainedModel, chat: ChatTokenizer) -> None:
        self.model, self.chat = model, chat

    def __call__(self, prompts: Sequence[Prompt]) -> list[list[int]]:
        return [self._one(ids) for ids in questions(prompts)]

    @torch.inference_mode()
    def _one(self, ids: list[int]) -> list[int]:
        row = torch.tensor([ids])
        new: list[int] = self.model.generate(  # type: ignore[operator]
            row,
            attention_mask=torch.ones_like(row),
            do_sample=False,
            max_new_tokens=P.max_new_tokens,
            eos_token_id=self.chat.end,
            pad_token_id=self.chat.end,
        )[0, len(ids) :].tolist()
        return new[: new.index(self.chat.end)] if self.chat.end in new else new


class Harness:
    """lm-eval's own way of generating, from texts."""

    def __init__(self, model: PreTrainedModel, folder: Path, chat: ChatTokenizer) -> None:
        words = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.chat = chat
        self.lm = HFLM(pretrained=model, tokenizer=words, batch_size=HFLM_BATCH)

    def __call__(self, prompts: Sequence[Prompt]) -> list[list[int]]:
        wanted = {"until": [END], "max_gen_toks": P.max_new_tokens, "do_sample": False}
        asked = [
            Instance("generate_until", {}, (self._text(ids), dict(wanted)), number)
            for number, ids in enumerate(questions(prompts))
        ]
        said = self.lm.generate_until(asked, disable_tqdm=True)
        return [self.chat.tokenizer.encode(text, add_special_tokens=False).ids for text in said]

    def _text(self, ids: list[int]) -> str:
        return str(self.chat.tokenizer.decode(ids, skip_special_tokens=False))


def questions(prompts: Sequence[Prompt]) -> Iterator[list[int]]:
    for prompt in prompts:
        for question in prompt.questions:
            yield [*prompt.prefix, *question]


def spread(path: Path, count: int) -> list[Prompt]:
    """Groups of every length that have so many questions together, or a few more."""
    groups = sorted(jsonl.read(path, QuestionGroup), key=lambda g: (len(g.prefix), g.group))
    step = max(1, len(groups) * 7 // count)  # a group has about 7
    chosen: list[Prompt] = []
    for group in chain.from_iterable(groups[start::step] for start in range(step)):
        if sum(len(prompt.questions) for prompt in chosen) >= count:
            break
        chosen.append(Prompt(list(group.prefix), [list(q) for q in group.questions.values()]))
    return chosen


def speed(engines: dict[str, Callable[[Sequence[Prompt]], object]], prompts: list[Prompt]) -> None:
    count = sum(len(prompt.questions) for prompt in prompts)
    spent = dict.fromkeys(engines, 0.0)
    turns = islice(cycle([list(engines), list(engines)[::-1]]), ROUNDS)
    for name in chain.from_iterable(turns):
        started = time.process_time()
        engines[name](prompts)
        spent[name] += time.process_time() - started
    ours = spent["ours"]
    for name, seconds in spent.items():
        rate = ROUNDS * count / seconds
        beside = f", ours {seconds / ours:.2f} times as many" if name != "ours" else ""
        print(f"{name}: {rate:.2f} answers per CPU second{beside}")


@torch.inference_mode()
def agreement(ours: Ours, plain: PreTrainedModel, prompts: list[Prompt]) -> None:
    """An answer is equal if plain attention prefers every token of it; its end too."""
    equal, gaps = 0, []
    asked = list(questions(prompts))
    for ids, answer in zip(asked, ours(prompts), strict=True):
        ended = [ours.chat.end] if len(answer) < P.max_new_tokens else []
        said = torch.tensor([*answer, *ended])
        row = torch.tensor([[*ids, *answer]])
        logits = plain(row, logits_to_keep=len(answer) + 1).logits[0, : len(said)]
        other = (logits.argmax(-1) != said).nonzero().flatten().tolist()
        equal += not other
        if other:
            first = logits[other[0]]
            gaps.append(float(first.max() - first[said[other[0]]]))
    print(f"{equal} of {len(asked)} answers are those of plain attention", flush=True)
    if gaps:
        print(f"the others differ first at ties: logits {max(gaps):.1e} apart at most")


def main(prompts: Path, folder: Path, *, agree: int = 104, fast: int = 48) -> None:
    cpu.configure_threads(P.threads)
    chat = ChatTokenizer(folder / "tokenizer.json")
    ours = Ours(folder, chat)
    plain = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True
    ).eval()
    agreement(ours, plain, spread(prompts, agree))
    engines = {
        "ours": ours,
        "generate": Generate(plain, chat),
        "HFLM": Harness(plain, folder, chat),
    }
    speed(engines, spread(prompts, fast))


if __name__ == "__main__":
    cli.run(main)
