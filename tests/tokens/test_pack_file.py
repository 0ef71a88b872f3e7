"""The file of packs: what is written comes back."""

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from agent_tuning.tokens import pack_file
from agent_tuning.tokens.pack_file import PACKS_IN_MEMORY, Pack, Span


@st.composite
def some_packs(draw) -> Pack:
    spans = [
        Span(prefix, tuple(branches))
        for prefix, branches in draw(
            st.lists(
                st.tuples(st.integers(1, 5), st.lists(st.integers(1, 5), min_size=1)), min_size=1
            )
        )
    ]
    count = sum(span.tokens for span in spans)
    ids = draw(st.lists(st.integers(0, 200_000), min_size=count, max_size=count))
    weights = draw(st.lists(st.floats(0, 16, width=32), min_size=count, max_size=count))
    return Pack(ids, weights, spans)


@given(st.lists(some_packs(), max_size=4))
def test_packs_are_read_as_they_were_written_and_trained_tokens_are_counted(packs):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "packs.parquet"
        trained = pack_file.write(path, packs)
        assert list(pack_file.read(path)) == packs
    assert trained == sum(weight > 0 for pack in packs for weight in pack.weights)


def test_more_packs_than_are_in_memory_at_a_time_keep_their_order(tmp_path):
    packs = [Pack([n, n], [0.0, 1.0], [Span(1, (1,))]) for n in range(PACKS_IN_MEMORY + 1)]
    pack_file.write(tmp_path / "packs.parquet", packs)
    assert list(pack_file.read(tmp_path / "packs.parquet")) == packs
