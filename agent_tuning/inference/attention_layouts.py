"""Attention masks of decoding: layouts for shared-prefix attention over a cache.

Shapes as the model passes them: queries [1, heads, tokens, width], keys and values
[1, kv_heads, tokens, width].
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from agent_tuning.inference.kv_cache import KVCache, TensorPair, attend_with_lse, merge_by_lse

CHUNK = 128  # queries at a time: in one square of all, half of the products would be masked


class PrefillLayout:
    """A group's prompt and all its questions in one row; keys and values go into the cache."""

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
        (prompt, _), *branches = [
            attend_causally(*part)
            for part in zip(torch.split(queries, parts, dim=2), keys, values, strict=True)
        ]
        to_own = tuple(torch.cat(tensors, 2) for tensors in zip(*branches, strict=True))
        branch_queries = queries[:, :, self.span.prefix :].flatten(1, 2)
        to_prompt = attend_with_lse(branch_queries, keys[0].mT, values[0])
        output, lse = (a.view_as(b) for a, b in zip(to_prompt, to_own, strict=True))
        merged = merge_by_lse((to_own[0], to_own[1]), (output, lse))
        return torch.cat([prompt, merged], 2).view(query.shape)


def attend_causally(query: Tensor, key: Tensor, value: Tensor) -> TensorPair:
    """Attention of each token to itself and those before: an output like the query, and its LSE.

    `query` is [kv_heads, heads per kv_head, tokens, width], `key` and `value` are
    [kv_heads, tokens, width].
    """
    kv_heads, heads_each, tokens, width = query.shape
    outputs, lses = [], []
    for start in range(0, tokens, CHUNK):
        stop = min(start + CHUNK, tokens)
        size = stop - start
        after = torch.full((size, size), -torch.inf).triu(1)
        output, lse = attend_with_lse(
            query[:, :, start:stop].reshape(kv_heads, heads_each * size, width),
            key[:, :stop].mT,
            value[:, :stop],
            F.pad(after, (start, 0)).repeat(heads_each, 1),
        )
        outputs.append(output.view(kv_heads, heads_each, size, width))
        lses.append(lse.view(kv_heads, heads_each, size))
    return torch.cat(outputs, 2), torch.cat(lses, 2)


class DecodeLayout:
    """One new token for every row of a cache; the rows of a group share a read of its prompt."""

    def __init__(self, cache: KVCache) -> None:
        self.cache = cache
        self.kv_heads = cache.prompts[0][0].shape[1]
        self.prompt_lengths = torch.tensor([span.prefix for span in cache.spans])
        rows = torch.tensor(cache.rows)
        self.groups, self.branches = rows[:, 0], rows[:, 1]
        heads = torch.arange(self.kv_heads)
        units = self.groups[:, None] * self.kv_heads + heads  # [rows, kv_heads]
        self.slots = (units * cache.widest + self.branches[:, None]).flatten()
        beyond = torch.arange(cache.longest) >= self.prompt_lengths[:, None]
        bias = torch.zeros(beyond.shape).masked_fill(beyond, -torch.inf)
        self.prompt_bias = bias.repeat_interleave(self.kv_heads, 0)[:, None]
        self.tables = [table for table in cache.tables if table.rows]
        self.biases = [table.bias(self.kv_heads) for table in self.tables]

    def positions(self) -> Tensor:
        lengths = torch.cat([table.lengths for table in self.tables])
        return (self.prompt_lengths[self.groups] + lengths)[None]

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        _, heads, rows, width = query.shape
        units = rows * self.kv_heads
        queries = (query[0].transpose(0, 1) * width**-0.5).reshape(units, -1, width)
        new = (key[0].transpose(0, 1), value[0].transpose(0, 1))
        to_own = self._attend_to_own(layer, queries, new)
        output = merge_by_lse(to_own, self._attend_to_prompt(layer, queries))
        return output.view(rows, heads, width).transpose(0, 1)[None]

    def _attend_to_own(self, layer: int, queries: Tensor, pair: TensorPair) -> TensorPair:
        counts = [len(table.rows) for table in self.tables]
        table_queries = torch.split(queries, [count * self.kv_heads for count in counts])
        new_pairs = zip(*(torch.split(part, counts) for part in pair), strict=True)
        inputs = zip(self.tables, table_queries, new_pairs, self.biases, strict=True)
        results = [table.attend(layer, query, new, bias) for table, query, new, bias in inputs]
        outputs, lses = zip(*results, strict=True)
        return torch.cat(outputs), torch.cat(lses)

    def _attend_to_prompt(self, layer: int, queries: Tensor) -> TensorPair:
        """Every group has slots for as many branches as the widest; queries of empty ones are 0."""
        keys, values = (table.flatten(0, 1) for table in self.cache.prompts[layer])
        _, heads_each, width = queries.shape
        padded = queries.new_zeros(len(keys) * self.cache.widest, heads_each, width)
        padded[self.slots] = queries
        by_group = padded.view(len(keys), -1, width)
        output, lse = attend_with_lse(by_group, keys, values, self.prompt_bias)
        return output.view(padded.shape)[self.slots], lse.view(padded.shape[:2])[self.slots]
