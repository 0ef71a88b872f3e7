"""What a server decided and what `predict`'s own engine decides, case by case."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import msgspec
import torch
from transformers import AutoModelForCausalLM

from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.prompts.formats import REPLY_FORMATS
from agent_tuning.records import NATIVE, Record
from agent_tuning.runtime.progress import Progress
from agent_tuning.tokens.chat_template import ChatTokenizer
from benchmark.engines.answer import Answer
from benchmark.engines.config import PredictConfig
from benchmark.engines.transformers_engine import TransformersEngine
from benchmark.scoring.outcome import ParsedAnswer, parse_answer
from benchmark.serving.ask_server import ServedAnswer, Server
from benchmark.serving.cases import WITHOUT, Case

FORMAT = REPLY_FORMATS[NATIVE]


class Difference(Record, frozen=True):
    """Two decisions for one case.

    `gap`: how much larger the logit of our token is where the texts first differ in a token; None
    if they do not, or if the server gave no answer. `tokens` of the prompt: ours, and those that
    the server counted.
    """

    case: str
    ours: str
    served: str
    gap: float | None
    tokens: tuple[int, int]


class Comparison:
    """Both sides' answers to all cases, which have native prompts."""

    def __init__(self, cases: Sequence[Case], folder: Path, predict: PredictConfig) -> None:
        self.cases = cases
        self.folder = folder
        self.chat = ChatTokenizer(folder / "tokenizer.json")
        groups = list(self._build_groups())
        self.prompts = {
            case: [*group.prefix, *question]
            for group in groups
            for case, question in group.questions.items()
        }
        batches = TransformersEngine(folder, "tuned", predict).answers(groups, ())
        self.ours = {answer.task: answer for batch in batches for answer in batch}
        self.served: dict[str, ServedAnswer] = {}
        self.streamed: dict[str, ServedAnswer] = {}

    def ask(self, server: Server, streamed: int) -> None:
        """Ask the server everything; the first `streamed` calls once more as streams."""
        progress = Progress("conformance", len(self.cases))
        for number, case in enumerate(_sort(self.cases), 1):
            self.served[case.id] = server.ask(case.id, case.turns, case.spec)
            if len(self.streamed) < streamed and self.count_calls(case):
                stream = server.ask(case.id, case.turns, case.spec, stream=True)
                self.streamed[case.id] = stream
            progress.show(number)

    def count_calls(self, case: Case) -> int:
        """The calls in what the server decided."""
        turn = parse_answer(case.spec, self.served[case.id].answer).turn
        return len(turn.calls) if turn else 0

    def drops_thoughts(self, case: Case) -> bool:
        """True if the server's prompt has as many tokens as that without earlier thoughts."""
        other = self.prompts.get(case.id + WITHOUT)
        if other is None or len(other) == len(self.prompts[case.id]):
            return False
        return self.served[case.id].prompt_tokens == len(other)

    def has_same_prompt(self, case: Case) -> bool:
        """True unless the server counted another number of tokens than we do."""
        return self.served[case.id].prompt_tokens in (0, len(self._find_prompt(case)))

    def is_equal(self, case: Case) -> bool:
        ours, served = self.expected(case), self.served[case.id].answer
        return _read(case, ours) == _read(case, served)

    def is_stream_equal(self, case: Case) -> bool:
        served, streamed = self.served[case.id].answer, self.streamed[case.id].answer
        return _read(case, served) == _read(case, streamed)

    def expected(self, case: Case) -> Answer:
        """Our answer to the prompt that the server saw."""
        return self.ours[case.id + WITHOUT * self.drops_thoughts(case)]

    @torch.inference_mode()
    def find_differences(self) -> Iterator[Difference]:
        differing = [case for case in self.cases if not self.is_equal(case)]
        if not differing:
            return
        model = AutoModelForCausalLM.from_pretrained(
            self.folder, dtype=torch.float32, local_files_only=True
        ).eval()
        for case in differing:
            prompt, served = self._find_prompt(case), self.served[case.id]
            ours, theirs = (_write(case, a) for a in (self.expected(case), served.answer))
            gap = None
            if not served.answer.error and (split := self._split(ours, theirs)):
                common, one, other = split
                logits = model(torch.tensor([[*prompt, *common]]), logits_to_keep=1).logits[0, -1]
                gap = float(logits[one] - logits[other])
            tokens = len(prompt), served.prompt_tokens
            yield Difference(case.id, ours, served.answer.error or theirs, gap, tokens)

    def _find_prompt(self, case: Case) -> list[int]:
        return self.prompts[case.id + WITHOUT * self.drops_thoughts(case)]

    def _split(self, one: str, other: str) -> tuple[list[int], int, int] | None:
        """The tokens that two replies begin with, and the next token of each; None if equal."""
        ours, theirs = (
            [*self.chat.tokenizer.encode(text, add_special_tokens=False).ids, self.chat.end]
            for text in (one, other)
        )
        for place, (mine, its) in enumerate(zip(ours, theirs, strict=False)):
            if mine != its:
                return ours[:place], mine, its
        return None

    def _build_groups(self) -> Iterator[QuestionGroup]:
        """The cases of a prompt together, as `predict` is asked."""
        for name, group in groupby(_sort(self.cases), key=lambda case: case.spec.id):
            cases = list(group)
            prefix = tuple(self.chat.prefix(cases[0].spec))
            questions = {
                case.id: tuple(self.chat.question(case.turns, case.spec)) for case in cases
            }
            yield QuestionGroup(name, FORMAT.VALID_PREFIXES, prefix, questions)


def _sort(cases: Sequence[Case]) -> list[Case]:
    """Those of a prompt together: servers keep the last one."""
    return sorted(cases, key=lambda case: (case.spec.id, case.id))


def _read(case: Case, answer: Answer) -> ParsedAnswer:
    """What was decided. Two answers that cannot be read are equal if their texts are."""
    parsed = parse_answer(case.spec, answer)
    text = "".join(answer.text.split()) or answer.error
    return parsed if parsed.turn else msgspec.structs.replace(parsed, reason=text)


def _write(case: Case, answer: Answer) -> str:
    """The text of an answer, in one spelling of its JSON."""
    turn = parse_answer(case.spec, answer).turn
    return FORMAT.write(turn) if turn else answer.text
