"""Pinned wheels: the right bytes or one clear line."""

import hashlib
import os
import zipfile
from pathlib import Path

import pytest

from agent_tuning.files import wheels
from agent_tuning.records import BadInput


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels as pip's only source."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def make_wheel(folder: Path, version: str = "1.0") -> str:
    """A wheel with one data file; returns its hash."""
    path = folder / f"small_data-{version}-py3-none-any.whl"
    info = f"small_data-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("small_data/a.txt", "hello\n")
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: small-data\nVersion: {version}\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_members_are_copied_and_nothing_else_is(index: Path, tmp_path: Path) -> None:
    sha256 = make_wheel(index)
    target = tmp_path / "out" / "copy.txt"
    wheels.extract_members(
        "small-data", "1.0", sha256, {"small_data/a.txt": target}, tmp_path / "scratch"
    )
    assert target.read_text() == "hello\n"
    assert [path.name for path in target.parent.iterdir()] == ["copy.txt"]


def test_a_wheel_that_is_there_is_not_fetched_again(index: Path, tmp_path: Path) -> None:
    sha256 = make_wheel(index)
    wheels.extract_members("small-data", "1.0", sha256, {}, tmp_path / "scratch")
    next(index.iterdir()).unlink()
    target = tmp_path / "a.txt"
    wheels.extract_members(
        "small-data", "1.0", sha256, {"small_data/a.txt": target}, tmp_path / "scratch"
    )
    assert target.exists()


def test_a_damaged_download_is_fetched_again(index: Path, tmp_path: Path) -> None:
    sha256 = make_wheel(index)
    wheels.extract_members("small-data", "1.0", sha256, {}, tmp_path / "scratch")
    next((tmp_path / "scratch").rglob("*.whl")).write_bytes(b"damaged")
    wheels.extract_members("small-data", "1.0", sha256, {}, tmp_path / "scratch")


def test_a_wrong_hash_names_both_hashes_and_the_field(index: Path, tmp_path: Path) -> None:
    actual, expected = make_wheel(index), "0" * 64
    with pytest.raises(BadInput) as caught:
        wheels.extract_members("small-data", "1.0", expected, {}, tmp_path / "scratch")
    message = str(caught.value)
    assert "\n" not in message
    for part in ("small_data-1.0", actual, expected, "`sha256` of small-data", "params.yaml"):
        assert part in message


def test_a_missing_member_is_named_and_leaves_no_file(index: Path, tmp_path: Path) -> None:
    sha256 = make_wheel(index)
    with pytest.raises(BadInput, match=r"small_data-1\.0.*: no member 'small_data/b\.txt'$"):
        wheels.extract_members(
            "small-data",
            "1.0",
            sha256,
            {"small_data/b.txt": tmp_path / "out" / "b"},
            tmp_path / "scratch",
        )
    assert not list(tmp_path.rglob("b*.partial"))


@pytest.mark.usefixtures("index")
def test_pips_own_error_is_shown_as_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        wheels.extract_members("small-data", "9.9", "0" * 64, {}, tmp_path / "scratch")
    assert (
        str(caught.value) == "small-data==9.9: No matching distribution found for small-data==9.9"
    )
