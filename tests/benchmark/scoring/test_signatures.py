"""Signatures are read from their file, and from the metrics of older versions."""

from pathlib import Path

import pytest

from agent_tuning.files import metrics_file
from agent_tuning.records import BadInput
from benchmark.scoring import signatures
from benchmark.scoring.signatures import read_signatures, write_signatures, write_signed_metrics


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "metrics" / signatures.FILE_NAME
    write_signatures(path, {"house": "rouge_l|suite:1", "bfcl": "rouge_l|suite:2"})
    assert path.read_text() == '{\n  "bfcl": "rouge_l|suite:2",\n  "house": "rouge_l|suite:1"\n}\n'
    assert read_signatures(path.parent, ["house", "other"]) == {"house": "rouge_l|suite:1"}


def test_older_versions_hold_a_signature_as_a_key_of_the_metrics(tmp_path: Path) -> None:
    write_signed_metrics(tmp_path / "house.json", {"tuned.em": 0.5}, "rouge_l|suite:1")
    metrics_file.write(tmp_path / "bfcl.json", {"tuned.em": 0.5})
    assert read_signatures(tmp_path, ["house", "bfcl"]) == {"house": "rouge_l|suite:1"}


def test_a_suite_without_metrics_or_signatures_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"house\.json: No such file or directory"):
        read_signatures(tmp_path, ["house"])


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / signatures.FILE_NAME).write_text('{"house": 1}')
    with pytest.raises(BadInput, match=r"signatures\.json: Expected `str`, got `int`"):
        read_signatures(tmp_path, ["house"])
