"""Progress as plain lines with the time left, on a terminal as in a log."""

import time
from collections.abc import Callable

ReportPart = Callable[[float], None]  # gets how much of the work in hand is done


def ignore_part(_: float) -> None:
    """For a caller that shows no progress."""


class Progress:
    """Prints `train 12/150 8% 3:10 left: loss 1.2`, at most every `seconds` and at the end.

    `done`: what an earlier run did; it does not count for the speed of this one.
    """

    def __init__(self, name: str, total: int, done: int = 0, seconds: float = 5.0) -> None:
        self.name = name
        self.total = total
        self.first = self.done = done
        self.note = ""
        self.seconds = seconds
        self.started = self.printed = time.monotonic()

    def show(self, done: int, note: str = "") -> None:
        """Print a line if one is due. `done` counts from the start of the whole task."""
        self.done, self.note = done, note
        if done < self.total:
            self.show_part(0)
        else:
            self._print(done, "done")

    def show_part(self, part: float) -> None:
        """The same within the work in hand: `part` is done of it, beyond the last `show`."""
        now = time.monotonic()
        if self.done >= self.total or now - self.printed < self.seconds:
            return
        self.printed = now
        done = min(self.done + part, self.total)
        new = done - self.first
        if new:
            left = int((now - self.started) / new * (self.total - done))
            self._print(done, f"{left // 60}:{left % 60:02} left")
        else:  # without a speed nothing is known about the time left
            self._print(done, "started")

    def _print(self, done: float, clock: str) -> None:
        amount = f"{done:.1f}" if done % 1 else f"{done:.0f}"
        percent = int(100 * done / max(self.total, 1))
        note = f": {self.note}" * bool(self.note)
        print(f"{self.name} {amount}/{self.total} {percent}% {clock}{note}", flush=True)
