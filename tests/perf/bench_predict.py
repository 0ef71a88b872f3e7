"""Our shared-prefix engine beside other engines: arguments PROMPTS MODEL [--agree N] [--fast N].

Speed: our engine, transformers' `generate` one question at a time, and lm-eval's HFLM in batches
answer the same questions in alternating order. CPU seconds count: another program on the machine
hardly changes them. Agreement: does plain attention without a cache choose every token of our
answers? Where it does not, how far apart are the logits?
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


class OurEngine:
    def __init__(self, folder: Path, chat: ChatTokenizer) -> None:
        self.model, self.chat = generate.load_model(folder), chat

    def __call__(self, prompts: Sequence[Prompt]) -> list[list[int]]:
        batches = generate.plan_batches(prompts, P.batch_size)
        answered = (
            generate.decode_greedily(
                self.model, [prompts[i] for i in batch], self.chat.end, P.max_new_tokens
            )
            for batch in batches
        )
        return [answer for batch in answered for group in batch for answer in group]


class GenerateEngine:
    """One question at a time, with the cache that transformers keeps."""

    def __init__(self, model: PreTrainedModel, chat: ChatTokenizer) -> None:
        self.model, self.chat = model, chat

    def __call__(self, prompts: Sequence[Prompt]) -> list[list[int]]:
        return [self._answer(ids) for ids in question_ids(prompts)]

    @torch.inference_mode()
    def _answer(self, ids: list[int]) -> list[int]:
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


class HarnessEngine:
    """How lm-eval generates, from texts."""

    def __init__(self, model: PreTrainedModel, folder: Path, chat: ChatTokenizer) -> None:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.chat = chat
        self.lm = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=HFLM_BATCH)

    def __call__(self, prompts: Sequence[Prompt]) -> list[list[int]]:
        options = {"until": [END], "max_gen_toks": P.max_new_tokens, "do_sample": False}
        requests = [
            Instance("generate_until", {}, (self._decode(ids), dict(options)), number)
            for number, ids in enumerate(question_ids(prompts))
        ]
        texts = self.lm.generate_until(requests, disable_tqdm=True)
        return [self.chat.tokenizer.encode(text, add_special_tokens=False).ids for text in texts]

    def _decode(self, ids: list[int]) -> str:
        return str(self.chat.tokenizer.decode(ids, skip_special_tokens=False))


def question_ids(prompts: Sequence[Prompt]) -> Iterator[list[int]]:
    for prompt in prompts:
        for question in prompt.questions:
            yield [*prompt.prefix, *question]


def sample_prompts(path: Path, count: int) -> list[Prompt]:
    """Groups of every length that have together at least `count` questions, a few more at most."""
    groups = sorted(jsonl.read(path, QuestionGroup), key=lambda g: (len(g.prefix), g.group))
    step = max(1, len(groups) * 7 // count)  # a group has about 7
    chosen: list[Prompt] = []
    for group in chain.from_iterable(groups[start::step] for start in range(step)):
        if sum(len(prompt.questions) for prompt in chosen) >= count:
            break
        chosen.append(Prompt(list(group.prefix), [list(q) for q in group.questions.values()]))
    return chosen


def measure_speed(
    engines: dict[str, Callable[[Sequence[Prompt]], object]], prompts: list[Prompt]
) -> None:
    count = sum(len(prompt.questions) for prompt in prompts)
    cpu_seconds = dict.fromkeys(engines, 0.0)
    turns = islice(cycle([list(engines), list(engines)[::-1]]), ROUNDS)
    for name in chain.from_iterable(turns):
        start = time.process_time()
        engines[name](prompts)
        cpu_seconds[name] += time.process_time() - start
    ours = cpu_seconds["ours"]
    for name, seconds in cpu_seconds.items():
        rate = ROUNDS * count / seconds
        comparison = f", ours {seconds / ours:.2f} times as many" if name != "ours" else ""
        print(f"{name}: {rate:.2f} answers per CPU second{comparison}")


@torch.inference_mode()
def measure_agreement(ours: OurEngine, plain: PreTrainedModel, prompts: list[Prompt]) -> None:
    """An answer is equal if plain attention prefers every token of it, its end token too."""
    equal, gaps = 0, []
    questions = list(question_ids(prompts))
    for ids, answer in zip(questions, ours(prompts), strict=True):
        end = [ours.chat.end] if len(answer) < P.max_new_tokens else []
        tokens = torch.tensor([*answer, *end])
        row = torch.tensor([[*ids, *answer]])
        logits = plain(row, logits_to_keep=len(answer) + 1).logits[0, : len(tokens)]
        differing = (logits.argmax(-1) != tokens).nonzero().flatten().tolist()
        equal += not differing
        if differing:
            first = logits[differing[0]]
            gaps.append(float(first.max() - first[tokens[differing[0]]]))
    print(f"{equal} of {len(questions)} answers are those of plain attention", flush=True)
    if gaps:
        print(f"the others differ first at ties: logits {max(gaps):.1e} apart at most")


def main(prompts: Path, folder: Path, *, agree: int = 104, fast: int = 48) -> None:
    cpu.configure_threads(P.threads)
    chat = ChatTokenizer(folder / "tokenizer.json")
    ours = OurEngine(folder, chat)
    plain = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True
    ).eval()
    measure_agreement(ours, plain, sample_prompts(prompts, agree))
    engines = {
        "ours": ours,
        "generate": GenerateEngine(plain, chat),
        "HFLM": HarnessEngine(plain, folder, chat),
    }
    measure_speed(engines, sample_prompts(prompts, fast))


if __name__ == "__main__":
    cli.run(main)
