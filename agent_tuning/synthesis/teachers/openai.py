"""The openai teacher: any OpenAI-compatible model writes, and the simulators answer its calls.

First the store is filled with an answer to every question, in the order in which the answers come.
Then the groups are written from the store in the order of their requests, as `replay` does it.
"""

import asyncio
import hashlib
from collections.abc import Iterable, Iterator

import msgspec

from agent_tuning.chat_model.budget import Budget
from agent_tuning.chat_model.fill_store import StoreFiller
from agent_tuning.chat_model.messages import Ask, ChatRequest, Reply, Service, UnusableReply
from agent_tuning.chat_model.usage import Usage
from agent_tuning.synthesis.teachers import GroupRequest, TrajectoryRequest, WrittenGroup
from agent_tuning.synthesis.teachers.replay import ReplayTeacher


class OpenAITeacher:
    """`max_failed` is the share of trajectories that may stay unanswered before the run stops."""

    def __init__(
        self,
        replay: ReplayTeacher,
        service: Service,
        budget: float | None,
        batch: bool,
        max_failed: float,
    ) -> None:
        self.replay = replay
        self.service = service
        self.budget = budget
        self.batch = batch
        self.max_failed = max_failed
        self.unanswered: dict[str, str] = {}  # key to reason; not stored: the next run asks again

    @property
    def usage(self) -> Usage:
        return self.replay.usage

    def write(self, requests: Iterable[GroupRequest]) -> Iterator[WrittenGroup]:
        wanted = list(requests)
        self.replay.store.open()
        try:
            asyncio.run(self._fill(wanted))
        finally:
            self.replay.store.close()
        return (self.replay.author.write_group(request, self._read_answer) for request in wanted)

    def estimate(self, requests: Iterable[GroupRequest]) -> Usage:
        jobs = ((request, item) for request in requests for item in request.items)
        return sum((self._estimate_job(*job) for job in jobs), Usage())

    async def _fill(self, requests: list[GroupRequest]) -> None:
        jobs = [(request, item) for request in requests for item in request.items]
        # The longest conversations first, or all would wait for some of them in the end.
        jobs.sort(key=lambda job: -self._count_turns(job[1]))
        max_unanswered = self.max_failed * len(jobs)
        store, price = self.replay.store, self.replay.price
        budget = Budget(self.budget, price.total_usage(self.replay.model.name, store))
        filler = StoreFiller(store, self.service, price, budget, self.unanswered, max_unanswered)
        async with filler.client.api:
            if self.batch:
                identity = msgspec.json.encode((self.replay.model, requests))
                run = hashlib.blake2b(identity, digest_size=16).hexdigest()
                await filler.ask_in_batches(jobs, self._find_unanswered, run)
            else:
                await filler.ask_live(jobs, self._find_unanswered)

    def _count_turns(self, item: TrajectoryRequest) -> int:
        return len(self.replay.author.catalogue.scenario(item.tool, item.scenario).turns(item.tool))

    def _find_unanswered(self, job: tuple[GroupRequest, TrajectoryRequest]) -> ChatRequest | None:
        """The first question of a trajectory that has no answer; None if there is none."""
        ask = self.replay.author.find_unanswered(*job, self._find_answer)
        return None if ask is None else self.replay.model.build_request(ask)

    def _find_answer(self, ask: Ask) -> Reply | None:
        """Raises UnusableReply if the server was asked and gave no answer."""
        reply = self.replay.find_answer(ask)
        if reply is None and (key := self.replay.model.build_request(ask).key) in self.unanswered:
            raise UnusableReply("unanswered", self.unanswered[key])
        return reply

    def _read_answer(self, ask: Ask) -> Reply:
        reply = self._find_answer(ask)
        assert reply is not None  # the store was filled before
        return self.replay.count(reply)

    def _estimate_job(self, request: GroupRequest, item: TrajectoryRequest) -> Usage:
        """What a trajectory still costs at most if the model answers as the scripted teacher."""
        author, model = self.replay.author, self.replay.model
        scripted = author.scripted_answers(item, request.language)
        bounds: list[Usage] = []

        def answer(ask: Ask) -> Reply:
            text = next(scripted, "")
            if stored := self.replay.find_answer(ask):
                return stored
            bounds.append(self.replay.price.max_usage(model.build_request(ask), self.batch))
            return Reply("", ask.name, model.name, text, "stop", 0, 0)

        author.find_unanswered(request, item, answer)
        return sum(bounds, Usage())
