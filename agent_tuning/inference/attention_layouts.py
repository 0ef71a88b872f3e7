"""Attention masks while a model answers: layouts for shared-prefix attention over a cache.

Shapes as the model passes them: queries [1, heads, tokens, width], keys and values
[1, kv_heads, tokens, width].
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from agent_tuning.inference.kv_cache import KVCache, TensorPair, attend_with_lse, merge_by_lse

CHUNK = 128  # queries of a causal pass at a time: half of a whole square is hidden anyway


class PrefillLayout:
    """One group's prompt and all its questions in one row; keys and values go into the cache."""

    def __init__(self, cache: KVCache, group: int) -> None:
        self.cache = cache
        self.group = group
        self.span = cache.spans[group]

    def positions(self) -> Tensor:
        return torch.tensor([list(self.span.positions())])

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        self.cache.fill(layer, self.group, key[0], value[0])
        _, heads, tokens, width = query.shape
        kv_heads = key.shape[1]
        queries = (query[0] * width**-0.5).reshape(kv_heads, heads // kv_heads, tokens, width)
        parts = [self.span.prefix, *self.span.branches]
        keys, values = (torch.split(x[0], parts, dim=1) for x in (key, value))
        own = [
            attend_causally(*part)
            for part in zip(torch.split(queries, parts, dim=2), keys, values, strict=True)
        ]
        rest = queries[:, :, self.span.prefix :].flatten(1, 2)
        prompt = attend_with_lse(rest, keys[0].mT, values[0])
        branches = (
            torch.cat([pair[0] for pair in own[1:]], 2),
            torch.cat([pair[1] for pair in own[1:]], 2),
        )
        both = merge_by_lse(
            branches, (prompt[0].view_as(branches[0]), prompt[1].view_as(branches[1]))
        )
        return torch.cat([own[0][0], both], 2).view(query.shape)


def attend_causally(query: Tensor, key: Tensor, value: Tensor) -> TensorPair:
    """Each token sees itself and those before: query [kv_heads, heads of one, tokens, width],
    key and value [kv_heads, tokens, width]; output like the query, and its mass."""
    kv_heads, each, tokens, width = query.shape
    outputs, masses = [], []
    for start in range(0, tokens, CHUNK):
        stop = min(start + CHUNK, tokens)
        size = stop - start
        after = torch.full((size, size), -torch.inf).triu(1)
        output, mass = attend_with_lse(
            query[:, :, start:stop].reshape(kv_heads, each * size, width),
            key[:, :stop].mT,
            value[:, :stop],
            F.pad(after, (start, 0)).repeat(each, 1),
        )
        outputs.append(output.view(kv_heads, each, size, width))
        masses.append(mass.view(kv_heads, each, size))
    return torch.cat(outputs, 2), torch.cat(masses, 2)


class DecodeLayout:
    """One new token for every live row of a cache; a prompt is read once for all rows of it."""

    def __init__(self, cache: KVCache) -> None:
        self.cache = cache
        self.kv_heads = cache.prompts[0][0].shape[1]
        self.prompt_lengths = torch.tensor([span.prefix for span in cache.spans])
        rows = torch.tensor(cache.rows)
        self.groups, self.branches = rows[:, 0], rows[:, 1]
        heads = torch.arange(self.kv_heads)
        units = self.groups[:, None] * self.kv_heads + heads  # [rows, kv_heads]
        self.seats = (units * cache.widest + self.branches[:, None]).flatten()
        beyond = torch.arange(cache.longest) >= self.prompt_lengths[:, None]
        hidden = torch.zeros(beyond.shape).masked_fill(beyond, -torch.inf)
        self.prompt_bias = hidden.repeat_interleave(self.kv_heads, 0)[:, None]
        self.live = [table for table in cache.tables if table.rows]
        self.biases = [table.bias(self.kv_heads) for table in self.live]

    def positions(self) -> Tensor:
        own = torch.cat([table.lengths for table in self.live])
        return (self.prompt_lengths[self.groups] + own)[None]

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        _, heads, rows, width = query.shape
        units = rows * self.kv_heads
        queries = (query[0].transpose(0, 1) * width**-0.5).reshape(units, -1, width)
        own = self._own(layer, queries, (key[0].transpose(0, 1), value[0].transpose(0, 1)))
        output = merge_by_lse(own, self._prompt(layer, queries))
        return output.view(rows, heads, width).transpose(0, 1)[None]

    def _own(self, layer: int, queries: Tensor, pair: TensorPair) -> TensorPair:
        counts = [len(table.rows) for table in self.live]
        asked = torch.split(queries, [count * self.kv_heads for count in counts])
        new = zip(*(torch.split(part, counts) for part in pair), strict=True)
        outputs, masses = zip(
            *(
                table.attend(layer, query, kv, bias)
                for table, query, kv, bias in zip(self.live, asked, new, self.biases, strict=True)
            ),
            strict=True,
        )
        return torch.cat(outputs), torch.cat(masses)

    def _prompt(self, layer: int, queries: Tensor) -> TensorPair:
        """Every group has seats for as many branches as the widest; empty ones ask nothing."""
        keys, values = (kept.flatten(0, 1) for kept in self.cache.prompts[layer])
        _, each, width = queries.shape
        seated = queries.new_zeros(len(keys) * self.cache.widest, each, width)
        seated[self.seats] = queries
        output, mass = attend_with_lse(
            seated.view(len(keys), -1, width), keys, values, self.prompt_bias
        )
        seats = len(seated)
        return output.view(seats, each, width)[self.seats], mass.view(seats, each)[self.seats]
