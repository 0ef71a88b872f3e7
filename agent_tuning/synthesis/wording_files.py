"""The files of written examples that wordings are appended to, and which requests they hold.

`requests.txt`, beside the examples, has one line of JSON a request. What people correct or delete
in the examples stays so: no request of that list is made again. To have one again, delete its line.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from agent_tuning.files import append_log, jsonl
from agent_tuning.records import BadInput, Record
from agent_tuning.synthesis import written_examples
from agent_tuning.synthesis.wording_requests import Assignment
from agent_tuning.synthesis.written_examples import WrittenExample

LIST = "requests.txt"  # not .jsonl: those are examples


class Fulfilled(Record, frozen=True):
    """One request whose examples are in the files: how many were wanted, and how many were sound.

    An example that comes as a pair counts as one.
    """

    request: str  # the assignment's name
    wanted: int
    sound: int


class WordingFiles:
    """A folder of examples, one file a voice; if `to` is a file, all voices go into it."""

    def __init__(self, to: Path) -> None:
        is_file = to.suffix == ".jsonl" and not to.is_dir()
        if not is_file and (to.suffix or to.is_file()):
            raise BadInput(f"{to}: expected a folder, or a file *.jsonl")
        self.folder = to.parent if is_file else to
        self.only_file = to if is_file else None
        self.examples: list[WrittenExample] = []
        if any(self.folder.glob("*.jsonl")):
            self.examples = [example for _, example in written_examples.read_folder(self.folder)]
        fulfilled = self.folder / LIST
        self.fulfilled = list(jsonl.read(fulfilled, Fulfilled)) if fulfilled.exists() else []

    def find_path(self, voice: str) -> Path:
        return self.only_file or self.folder / f"{voice}.jsonl"

    def leave_out_fulfilled(self, assignments: Iterable[Assignment]) -> Iterator[Assignment]:
        """The assignments that the files do not have yet, each for as many as it still lacks."""
        for assignment in assignments:
            earlier = [one.wanted for one in self.fulfilled if one.request == assignment.name]
            missing = assignment.wanted - sum(earlier)
            if missing > 0:
                yield msgspec.structs.replace(assignment, wanted=missing, round=len(earlier))

    def append(self, path: Path, examples: Sequence[WrittenExample]) -> None:
        """Append examples to one of the files; what it has stays as it is."""
        if examples:
            append_log.append(path, examples)

    def record(self, fulfilled: Sequence[Fulfilled]) -> None:
        """Remember that these requests' examples are in the files. Call it after `append`."""
        append_log.append(self.folder / LIST, fulfilled)
