"""Encoded groups in a file: as many as there are, in little memory."""

import hashlib
from array import array
from collections.abc import Sequence
from typing import IO

from agent_tuning.tokens.packing import GroupLengths, TokenSlice, WeightedTokens

WIDTH = 8  # bytes of a token in the file: a uint32 id and a float32 weight


class TokenStore:
    """Keeps tokens in `file`, and a prompt that comes again only once."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._end = 0
        self._prefixes: dict[bytes, TokenSlice] = {}

    def add(self, prefix: Sequence[int], branches: Sequence[WeightedTokens]) -> GroupLengths:
        first = _bytes(WeightedTokens(list(prefix), [0.0] * len(prefix)))
        digest = hashlib.sha256(first)
        known = self._prefixes.get(digest.digest())
        if known is None:
            known = self._prefixes[digest.digest()] = self._write(first)
        places = []
        for branch in branches:
            data = _bytes(branch)
            digest.update(len(data).to_bytes(8) + data)
            places.append(self._write(data))
        return GroupLengths(digest.hexdigest(), known, tuple(places))

    def tokens(self, place: TokenSlice) -> WeightedTokens:
        self._file.seek(place.at)
        data = self._file.read(place.tokens * WIDTH)
        ids, weights = array("I"), array("f")
        ids.frombytes(data[: len(data) // 2])
        weights.frombytes(data[len(data) // 2 :])
        return WeightedTokens(ids.tolist(), weights.tolist())

    def _write(self, data: bytes) -> TokenSlice:
        place = TokenSlice(self._end, len(data) // WIDTH)
        self._file.seek(self._end)
        self._file.write(data)
        self._end += len(data)
        return place


def _bytes(tokens: WeightedTokens) -> bytes:
    return array("I", tokens.ids).tobytes() + array("f", tokens.weights).tobytes()
