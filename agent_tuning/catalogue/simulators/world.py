"""What simulators share: draws that depend only on their words, and refused calls."""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def draw(*words: object, below: int) -> int:
    """A number in [0, below) that depends only on the words."""
    digest = hashlib.blake2b("\x1f".join(map(str, words)).casefold().encode(), digest_size=8)
    return int.from_bytes(digest.digest()) % below


def pick(choices: Sequence[T], *words: object) -> T:
    return choices[draw(*words, below=len(choices))]


class Refused(ValueError):
    """A call that the present state does not allow; the tool answers with the message."""
