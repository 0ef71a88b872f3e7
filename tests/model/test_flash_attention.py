"""The two calls of a FlashAttention kernel say the same as the layout without one."""

import pytest
import torch

from agent_tuning.model.flash_attention import VarlenAttention, call_varlen_attn, find_kernel
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


def flash_attention_forward(q, k, v, ends_q, ends_k, max_q, max_k, dropout, causal, *_, **options):
    """What torch's kernel calls on a GPU: here by the reference, since a CPU has none of it."""
    assert dropout == 0
    assert options == {"window_size_left": -1, "window_size_right": 0}  # all else is as by default
    output = reference(q, k, v, ends_q, ends_k, max_q, max_k, causal)
    nothing = torch.empty(0)
    return output, q.new_zeros(q.shape[1], len(q)), nothing, nothing, nothing


@torch.no_grad()
def test_torch_gets_the_two_calls_as_flash_attn_does():
    inputs = some_heads()
    with torch.library._scoped_library("aten", "IMPL") as library:
        library.impl("_flash_attention_forward", flash_attention_forward, "CPU")
        ours = VarlenAttention(SPANS, inputs[0].device).attend(call_varlen_attn, *inputs)
    torch.testing.assert_close(ours, PackLayout(SPANS).attend(0, *inputs))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", ["torch", "flash_attn"])
def test_the_kernel_itself_is_the_attention_of_the_pack(name):
    if name == "flash_attn":
        pytest.importorskip("flash_attn")
    check(find_kernel(name), some_heads("cuda", torch.bfloat16), rtol=2e-2, atol=2e-2)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_pack_on_a_gpu_is_computed_by_torchs_kernel_and_keeps_no_square_matrix():
    heads, tokens, width = 28, 4096, 128
    spans = [Span(1024, (512,) * 6)]
    PackLayout.choose_kernel("torch")
    shapes = [(1, n, tokens, width) for n in (heads, 4, 4)]
    query, key, value = (
        torch.randn(s, device="cuda", dtype=torch.bfloat16, requires_grad=True) for s in shapes
    )
    before = torch.cuda.memory_allocated()
    output = PackLayout(spans).attend(0, query, key, value)
    kept = torch.cuda.memory_allocated() - before
    assert kept < 16 * query.numel()  # the general attention keeps some 750 MB
    output.sum().backward()


def test_a_cpu_and_the_general_attention_need_no_kernel():
    assert find_kernel("parts") is None
    assert torch.cuda.is_available() or find_kernel("torch") is None
