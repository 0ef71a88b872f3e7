"""How many requests run at once: half as many after a 429, one more after a round of replies."""

import asyncio
import time


class Limiter:
    """Wrap each request in `async with limiter as burst:`; `burst` counts the halvings so far."""

    def __init__(self, max_limit: int) -> None:
        self.max_limit = self.limit = max_limit
        self.running = 0
        self._burst = 0
        self._successes = 0  # replies since the limit last changed
        self._not_before = 0.0
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> int:
        async with self._changed:
            await self._changed.wait_for(lambda: self.running < self.limit)
            self.running += 1
        while (wait := self._not_before - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        return self._burst

    async def __aexit__(self, *_: object) -> None:
        self.running -= 1
        async with self._changed:
            self._changed.notify(2)  # this slot, and the one that `record_success` may have added

    def record_success(self) -> None:
        """Count a reply. After as many replies as the limit, one more request may run."""
        self._successes += 1
        if self._successes >= self.limit and self.limit < self.max_limit:
            self.limit += 1
            self._successes = 0

    def halve(self, burst: int) -> None:
        """Halve the limit, once for all requests that started before the last halving."""
        if burst == self._burst:
            self._burst += 1
            self._successes = 0
            self.limit = max(1, self.limit // 2)

    def pause(self, seconds: float) -> None:
        """Start no request for so many seconds."""
        self._not_before = max(self._not_before, time.monotonic() + seconds)
