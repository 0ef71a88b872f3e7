"""Encoded groups in a file, so that any number of them needs little memory."""

import hashlib
from array import array
from collections.abc import Sequence
from typing import IO

from agent_tuning.tokens.packing import GroupLengths, TokenSlice, WeightedTokens

BYTES_PER_TOKEN = 8  # a uint32 id and a float32 weight


class TokenStore:
    """Keeps tokens in `file`; a prompt that several groups share is stored once."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._end = 0
        self._prefixes: dict[bytes, TokenSlice] = {}

    def add(self, prefix: Sequence[int], branches: Sequence[WeightedTokens]) -> GroupLengths:
        """Store a group; return where its tokens are, and how many."""
        prefix_bytes = _to_bytes(WeightedTokens(list(prefix), [0.0] * len(prefix)))
        digest = hashlib.sha256(prefix_bytes)
        prefix_slice = self._prefixes.get(digest.digest())
        if prefix_slice is None:
            prefix_slice = self._prefixes[digest.digest()] = self._write(prefix_bytes)
        branch_slices = []
        for branch in branches:
            data = _to_bytes(branch)
            digest.update(len(data).to_bytes(8) + data)
            branch_slices.append(self._write(data))
        return GroupLengths(digest.hexdigest(), prefix_slice, tuple(branch_slices))

    def read(self, part: TokenSlice) -> WeightedTokens:
        """The stored tokens; weights are rounded to float32."""
        self._file.seek(part.offset)
        data = self._file.read(part.tokens * BYTES_PER_TOKEN)
        ids, weights = array("I"), array("f")
        ids.frombytes(data[: len(data) // 2])
        weights.frombytes(data[len(data) // 2 :])
        return WeightedTokens(ids.tolist(), weights.tolist())

    def _write(self, data: bytes) -> TokenSlice:
        part = TokenSlice(self._end, len(data) // BYTES_PER_TOKEN)
        self._file.seek(self._end)
        self._file.write(data)
        self._end += len(data)
        return part


def _to_bytes(tokens: WeightedTokens) -> bytes:
    return array("I", tokens.ids).tobytes() + array("f", tokens.weights).tobytes()
