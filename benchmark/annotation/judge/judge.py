"""Judge every subject: with the store of paid replies first, else with the chat model."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from agent_tuning.chat_model.answer_store import AnswerStore
from agent_tuning.chat_model.budget import Budget, find_price
from agent_tuning.chat_model.config import ChatModelConfig
from agent_tuning.chat_model.messages import Ask, ChatModel, ChatRequest, UnusableReply
from agent_tuning.chat_model.usage import Usage
from agent_tuning.files import jsonl
from agent_tuning.records import BadInput, Record
from agent_tuning.runtime.ranges import Dollars, Share
from agent_tuning.synthesis.teachers import Failure
from benchmark.annotation.judge import prompt
from benchmark.annotation.rating.rubric import Judgement

SECTION = "judge"


class JudgeConfig(Record, frozen=True):
    model: ChatModel
    budget: Dollars | None
    max_failed: Share


class Judge:
    """Asks a chat model for a score of every subject. Equal questions are paid for once.

    `asks` maps a subject's id to its question. Server and prices are those of `chat`.
    """

    def __init__(
        self, asks: Mapping[str, Ask], store: Path, p: JudgeConfig, chat: ChatModelConfig
    ) -> None:
        self.p = p
        self.service = chat.service
        self.price = find_price(p.model.name, chat.prices, p.budget)
        self.store = AnswerStore(store)
        self.requests = {subject: p.model.build_request(ask) for subject, ask in asks.items()}
        self.unanswered: dict[str, str] = {}

    @property
    def missing(self) -> list[ChatRequest]:
        """The requests without a reply in the store."""
        missing = {r.key: r for r in self.requests.values() if r.key not in self.store}
        return list(missing.values())

    def estimate(self) -> str:
        usage = sum(map(self.price.max_usage, self.missing), Usage())
        return f"{SECTION}: {usage.describe_estimate()} ({SECTION}.budget = {self.p.budget})"

    def ask(self) -> None:
        """Send what is missing. Raises Unfinished or BadInput; paid replies stay in the store."""
        self.store.open()
        try:
            if missing := self.missing:
                asyncio.run(self._fill_store(missing))
        finally:
            self.store.close()

    def require_all(self) -> None:
        """Raises BadInput with the first request that has no reply in the store."""
        for request in self.missing:
            raise BadInput(
                f"{self.store.path}: no stored reply to `{request.name}` (key {request.key}) and "
                f"{len(self.missing) - 1} more; run without --replay to request them"
            )

    def read_judgements(self) -> "Judgements":
        """Every subject's judgement in the store, or the reason why it has none."""
        judgements: list[Judgement] = []
        failures: list[Failure] = []
        for subject, request in self.requests.items():
            try:
                judgements.append(self._read_judgement(subject, request))
            except UnusableReply as error:
                failures.append(Failure(subject, request.name, error.reason, error.detail))
        return Judgements(judgements, failures)

    async def _fill_store(self, missing: list[ChatRequest]) -> None:
        # The client takes a second to import.
        from agent_tuning.chat_model.fill_store import StoreFiller

        budget = Budget(
            self.p.budget, self.price.total_usage(self.p.model.name, self.store), SECTION
        )
        max_unanswered = self.p.max_failed * len(self.requests)
        filler = StoreFiller(
            self.store, self.service, self.price, budget, self.unanswered, max_unanswered
        )
        async with filler.client.api:
            await filler.ask_live(missing, self._next_request)

    def _next_request(self, request: ChatRequest) -> ChatRequest | None:
        return None if request.key in self.store or request.key in self.unanswered else request

    def _read_judgement(self, subject: str, request: ChatRequest) -> Judgement:
        reply = self.store.get(request.key)
        if reply is None:
            raise UnusableReply("unanswered", self.unanswered.get(request.key, ""))
        return prompt.parse_reply(subject, reply)


class Judgements(NamedTuple):
    judgements: list[Judgement]
    failures: list[Failure]

    def write(self, folder: Path) -> None:
        jsonl.write(folder / "judge.jsonl", self.judgements)
        jsonl.write(folder / "judge_failures.jsonl", self.failures)

    def __str__(self) -> str:
        reasons = Counter(failure.reason for failure in self.failures)
        failed = "".join(f", {count} {reason}" for reason, count in sorted(reasons.items()))
        return f"{len(self.judgements)} judged{failed}"

    def check_failures(self, folder: Path, max_failed: float) -> None:
        """Raises BadInput if a larger share than `max_failed` (0-1) has no score."""
        total = len(self.judgements) + len(self.failures)
        if len(self.failures) > max_failed * total:
            raise BadInput(
                f"{folder / 'judge_failures.jsonl'}: {len(self.failures)} of {total} have no "
                f"score, more than {SECTION}.max_failed = {max_failed} allows; "
                "the file gives each reason"
            )


def run(judge: Judge, folder: Path, dry_run: bool, replay: bool) -> Judgements | None:
    """Print an estimate and return None, or judge, write the judgements and check them."""
    if dry_run:
        print(judge.estimate())
        return None
    judge.require_all() if replay else judge.ask()
    results = judge.read_judgements()
    results.write(folder)
    print(f"{folder / 'judge.jsonl'}: {results}, by {judge.p.model.name}")
    results.check_failures(folder, judge.p.max_failed)
    return results
