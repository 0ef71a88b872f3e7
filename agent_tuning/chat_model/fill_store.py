"""Fill the store with replies: workers that ask live, or batches in waves.

The first reason to stop (budget, a rejection, too many requests without a reply) starts no new
request. The requests under way still finish, because they are paid for.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

from agent_tuning.chat_model.answer_store import AnswerStore
from agent_tuning.chat_model.batch_api import Batches
from agent_tuning.chat_model.budget import Budget, Price
from agent_tuning.chat_model.client import Client, RetriesExhausted
from agent_tuning.chat_model.messages import ChatRequest, Service
from agent_tuning.chat_model.usage import Usage
from agent_tuning.records import BadInput, Unfinished
from agent_tuning.runtime.progress import Progress

Job = TypeVar("Job")
NextRequest = Callable[[Job], ChatRequest | None]  # of a job; None if the job needs no more


class StoreFiller:
    """`unanswered` maps a request's key to its last failure.

    More than `max_unanswered` failures stop the run.
    """

    def __init__(
        self,
        store: AnswerStore,
        service: Service,
        price: Price,
        budget: Budget,
        unanswered: dict[str, str],
        max_unanswered: float,
    ) -> None:
        self.store = store
        self.service = service
        self.price = price
        self.budget = budget
        self.unanswered = unanswered
        self.max_unanswered = max_unanswered
        self.client = Client(service)
        self.stop: BadInput | Unfinished | None = None
        self._under_way: dict[str, asyncio.Event] = {}

    async def ask_live(self, jobs: Sequence[Job], next_request: NextRequest[Job]) -> None:
        """Send the requests of all jobs, `service.concurrency` at a time. Raises what stops it."""
        progress = Progress(self.budget.section, len(jobs))
        waiting = iter(jobs)
        done = 0

        async def worker() -> None:
            nonlocal done
            for job in waiting:
                has_sent = await self._run_job(job, next_request)
                if self.stop:
                    return
                done += 1
                progress.first += not has_sent  # an earlier run did this job
                progress.show(done, str(self.budget))

        async with asyncio.TaskGroup() as workers:
            for _ in range(self.service.concurrency):
                workers.create_task(worker())
        if self.stop:
            raise self.stop

    async def ask_in_batches(
        self, jobs: Sequence[Job], next_request: NextRequest[Job], run: str
    ) -> None:
        """Send the requests of all jobs as the batches of `run`. Raises what stops it."""
        try:
            await self._run_waves(jobs, next_request, Batches(self.client, self.store, run))
        except RetriesExhausted as error:
            raise Unfinished(f"{error}; run the same command to resume") from error
        if self.stop:
            raise self.stop

    async def _run_waves(
        self, jobs: Sequence[Job], next_request: NextRequest[Job], batches: Batches
    ) -> None:
        """Each wave sends the next request of all jobs, and again those that the last one lost."""
        progress = Progress(self.budget.section, len(jobs))
        tries: Counter[str] = Counter()
        requests = _list_next_requests(jobs, next_request)
        if requests:
            await batches.collect_earlier(requests)
            self._settle(requests, reserved=False)
        while requests := self._reserve_affordable(_list_next_requests(jobs, next_request)):
            progress.show(len(jobs) - len(requests), str(self.budget))
            problems = await batches.answer(requests)
            self._settle(requests, reserved=True)
            tries.update(problems.keys())
            for key, problem in problems.items():
                if tries[key] > self.service.retries:
                    self._give_up(requests[key], problem)
        if not self.stop:
            progress.show(len(jobs), str(self.budget))

    async def _run_job(self, job: Job, next_request: NextRequest[Job]) -> bool:
        """Send requests until the job needs no more; False if it needed none."""
        has_sent = False
        while not self.stop and (request := next_request(job)):
            has_sent = True
            # Another job may have sent an equal request: wait for its reply, and pay once.
            if under_way := self._under_way.get(request.key):
                await under_way.wait()
                continue
            self._under_way[request.key] = asyncio.Event()
            try:
                await self._ask(request)
            finally:
                self._under_way.pop(request.key).set()
        return has_sent

    async def _ask(self, request: ChatRequest) -> None:
        max_usd = self.price.max_usage(request).usd
        try:
            self.budget.reserve(max_usd)
        except Unfinished as error:
            self.stop = self.stop or error
            return
        paid = Usage()
        try:
            reply = await self.client.ask(request)
            paid = self.price.usage_of(reply)
            await self.store.put(reply)
        except RetriesExhausted as error:
            self._give_up(request, str(error))
        except (BadInput, Unfinished) as error:
            self.stop = self.stop or error
        finally:
            self.budget.settle(max_usd, paid)

    def _give_up(self, request: ChatRequest, problem: str) -> None:
        self.unanswered[request.key] = problem
        if len(self.unanswered) > self.max_unanswered:
            self.stop = self.stop or Unfinished(
                f"{len(self.unanswered)} questions have no answer; the last error, of "
                f"`{request.name}`: {problem}; all replies are kept: run the same command to resume"
            )

    def _reserve_affordable(self, requests: dict[str, ChatRequest]) -> dict[str, ChatRequest]:
        """Reserve the cost of requests until the budget is used up; return those that fit."""
        affordable: dict[str, ChatRequest] = {}
        for key, request in requests.items():
            if self.stop:
                break
            try:
                self.budget.reserve(self.price.max_usage(request, batch=True).usd)
            except Unfinished as error:
                self.stop = error
            else:
                affordable[key] = request
        return affordable

    def _settle(self, requests: dict[str, ChatRequest], reserved: bool) -> None:
        for key, request in requests.items():
            reply = self.store.get(key)
            max_usd = self.price.max_usage(request, batch=True).usd if reserved else 0.0
            self.budget.settle(max_usd, self.price.usage_of(reply) if reply else Usage())


def _list_next_requests(
    jobs: Sequence[Job], next_request: NextRequest[Job]
) -> dict[str, ChatRequest]:
    """The next request of every job, by key."""
    requests = (next_request(job) for job in jobs)
    return {request.key: request for request in requests if request}
