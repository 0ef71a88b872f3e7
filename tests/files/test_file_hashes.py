"""Hashes of files are cached; a damaged cache is made again and changes no hash."""

from pathlib import Path

import pytest

from agent_tuning.files import file_hashes


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"a": ["b"]}', b'{"a": ["1", "\xff"]}', b"[" * 99_999]
)
def test_a_damaged_cache_is_made_again(tmp_path: Path, damage: bytes) -> None:
    file, cache = tmp_path / "file", tmp_path / "digests.json"
    file.write_text("content")
    hashes = file_hashes.hash_files([file], cache)
    sound = cache.read_bytes()
    cache.write_bytes(damage)
    assert file_hashes.hash_files([file], cache) == hashes
    assert cache.read_bytes() == sound
