"""Flash-attn's two calls say the same as the layout without it."""

import pytest
import torch

from agent_tuning.model import flash_attention
from agent_tuning.model.flash_attention import VarlenAttention
from agent_tuning.model.shared_prefix_attention import PackLayout
from agent_tuning.tokens.pack_file import Span

SPANS = [Span(5, (3, 1, 4)), Span(1, (2,)), Span(7, (6, 2))]
HEADS, KV_HEADS, WIDTH = 4, 2, 8


def reference(q, k, v, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, causal):
    """What flash_attn_varlen_func documents: q [tokens, heads, width], k and v [tokens, kv_heads,
    width]; sequence i has the rows from cu_seqlens[i] to cu_seqlens[i + 1]; the causal mask is
    aligned to the bottom right corner; scale 1 / sqrt(width)."""
    assert causal
    assert cu_seqlens_q.dtype == cu_seqlens_k.dtype == torch.int32
    assert len(cu_seqlens_q) == len(cu_seqlens_k)
    assert (cu_seqlens_q[0], cu_seqlens_q[-1]) == (0, len(q))
    assert (cu_seqlens_k[0], cu_seqlens_k[-1]) == (0, len(k)) == (0, len(v))
    assert max_seqlen_q == cu_seqlens_q.diff().max()
    assert max_seqlen_k == cu_seqlens_k.diff().max()
    outputs = []
    for i in range(len(cu_seqlens_q) - 1):
        rows = slice(cu_seqlens_q[i], cu_seqlens_q[i + 1])
        seen = slice(cu_seqlens_k[i], cu_seqlens_k[i + 1])
        each = HEADS // KV_HEADS
        key, value = (x[seen].repeat_interleave(each, 1) for x in (k, v))
        scores = torch.einsum("qhw,khw->hqk", q[rows], key) * WIDTH**-0.5
        hidden = torch.ones(scores.shape[1:]).tril(scores.shape[2] - scores.shape[1]) == 0
        weights = scores.masked_fill(hidden, -torch.inf).softmax(-1)
        outputs.append(torch.einsum("hqk,khw->qhw", weights, value))
    return torch.cat(outputs)


def some_heads(device: str = "cpu", dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    torch.manual_seed(0)
    tokens = sum(span.tokens for span in SPANS)
    shapes = [(1, heads, tokens, WIDTH) for heads in (HEADS, KV_HEADS, KV_HEADS)]
    return [torch.randn(s, device=device, dtype=dtype, requires_grad=True) for s in shapes]


def check(kernel, inputs: list[torch.Tensor], **tolerance: float) -> None:
    ours = VarlenAttention(SPANS, inputs[0].device).attend(kernel, *inputs)
    plain = [x.detach().float().cpu().requires_grad_() for x in inputs]
    theirs = PackLayout(SPANS).attend(0, *plain)
    torch.testing.assert_close(ours.float().cpu(), theirs, **tolerance)
    for mine, other in zip(
        torch.autograd.grad(ours.square().sum(), inputs),
        torch.autograd.grad(theirs.square().sum(), plain),
        strict=True,
    ):
        torch.testing.assert_close(mine.float().cpu(), other, **tolerance)


def test_the_two_calls_are_the_attention_of_the_pack():
    check(reference, some_heads())


@pytest.mark.gpu
@pytest.mark.skipif(flash_attention.find_kernel() is None, reason="needs a GPU and flash-attn")
def test_flash_attn_itself_is_the_attention_of_the_pack():
    check(flash_attention.find_kernel(), some_heads("cuda", torch.bfloat16), rtol=2e-2, atol=2e-2)


def test_without_a_gpu_there_is_no_kernel():
    assert torch.cuda.is_available() or flash_attention.find_kernel() is None
