"""Hashes of files are cached; a damaged cache is made again and changes no hash."""

from pathlib import Path

import pytest

from agent_tuning.files import file_hashes
from agent_tuning.records import BadInput
from tests.support import small_disk


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


@small_disk.NEEDS_ROOT
def test_a_full_disk_is_one_line_and_leaves_the_cache_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("content")
    with small_disk.mounted(tmp_path / "disk", 100) as disk:
        cache = disk / "digests.json"
        file_hashes.hash_files([file], cache)
        before = cache.read_bytes()
        filler = small_disk.fill(disk)
        others = [tmp_path / str(number) for number in range(99)]
        for other in others:
            other.write_text(other.name)
        with pytest.raises(BadInput, match=r"digests\.json: no space left to write it"):
            file_hashes.hash_files(others, cache)
        assert cache.read_bytes() == before
        filler.unlink()
        assert [path.name for path in disk.iterdir()] == ["digests.json"]
        assert len(file_hashes.hash_files(others, cache)) == 99
