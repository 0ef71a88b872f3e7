"""An edit is accepted in dvc.lock only if no byte differs, and only over the hash it replaces."""

from pathlib import Path

import pytest

from agent_tuning.records import BadInput
from tests.support import same_bytes, smoke

CODE = "data/code_hashes/train.json"


def write_folder(folder: Path, code: str, weights: bytes = b"w", loss: str = "1.5") -> Path:
    """A pipeline of one costly stage that was run with code of this hash."""
    (folder / "models/a").mkdir(parents=True)
    (folder / "models/a/model.safetensors").write_bytes(weights)
    card = f"# a\n\n## Made from\n\n| `{code}` |\n\n## Training\n\n| loss | {loss} |\n"
    (folder / "models/a/README.md").write_text(card)
    (folder / "dvc.lock").write_text(
        f"""schema: '2.0'
stages:
  code_hashes:
    cmd: hash
    outs:
    - path: {CODE}
      hash: md5
      md5: {code}
      size: 3
  train@a:
    cmd: train
    deps:
    - path: {CODE}
      hash: md5
      md5: {code}
      size: 3
    outs:
    - path: models/a
      hash: md5
      md5: {code}w.dir
      size: 1
"""
    )
    return folder


def test_a_model_of_the_same_bytes_differs_only_in_what_its_card_says_it_was_made_from(tmp_path):
    before = write_folder(tmp_path / "before", "aaa")
    assert same_bytes.find_differences(before, write_folder(tmp_path / "after", "bbb")) == {}


def test_every_file_that_differs_or_is_only_in_one_folder_is_named(tmp_path):
    before = write_folder(tmp_path / "before", "aaa")
    after = write_folder(tmp_path / "after", "bbb", weights=b"x", loss="1.6")
    (after / "models/a/extra").touch()
    expected = ["models/a/README.md", "models/a/extra", "models/a/model.safetensors"]
    assert same_bytes.find_differences(before, after) == {"train@a": expected}


def test_hashes_and_new_keys_are_accepted_and_changed_keys_never(tmp_path, monkeypatch):
    before, after = (write_folder(tmp_path / code, code) for code in ("aaa", "bbb"))
    root = write_folder(tmp_path / "root", "aaa")
    monkeypatch.setattr(smoke, "ROOT", root)
    (root / "params.yaml").write_text("train: {steps: 3, kernel: torch}\nrecipe: a\n")
    lock = root / "dvc.lock"
    known = "    params:\n      params.yaml:\n        train:\n          steps: 2\n"
    model = "    outs:\n    - path: models"
    lock.write_text(lock.read_text().replace(model, known + model))
    accepted = [f"code_hashes: {CODE}", f"train@a: {CODE}", "train@a: train.kernel"]
    assert same_bytes.accept(before, after, []) == accepted
    expected = (after / "dvc.lock").read_text().replace("bbbw.dir", "aaaw.dir")
    assert lock.read_text() == expected.replace(model, f"{known}          kernel: torch\n{model}")


def test_a_stage_whose_files_differ_is_not_accepted(tmp_path, monkeypatch):
    before, after = (write_folder(tmp_path / code, code) for code in ("aaa", "bbb"))
    root = write_folder(tmp_path / "root", "aaa")
    (root / "params.yaml").write_text("{}\n")
    monkeypatch.setattr(smoke, "ROOT", root)
    assert same_bytes.accept(before, after, ["train@a"]) == [f"code_hashes: {CODE}"]


def test_a_lock_of_another_commit_is_refused_and_stays(tmp_path, monkeypatch):
    before, after = (write_folder(tmp_path / code, code) for code in ("aaa", "bbb"))
    root = write_folder(tmp_path / "root", "ccc")
    whole = (root / "dvc.lock").read_bytes()
    (root / "params.yaml").write_text("{}\n")
    monkeypatch.setattr(smoke, "ROOT", root)
    with pytest.raises(BadInput, match="name the commit that made it"):
        same_bytes.accept(before, after, [])
    assert (root / "dvc.lock").read_bytes() == whole
