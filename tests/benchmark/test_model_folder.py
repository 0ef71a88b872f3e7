"""What is made of a model has a name of its own, and a hash of all that shapes its answers."""

from pathlib import Path

import pytest

from benchmark.model_folder import hash_model, name_model


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("models/specialist", "specialist"),
        ("models/350m/tuned", "350m-tuned"),
        ("models/500m/tuned/", "500m-tuned"),
        ("/disk/models/old/repo/models/500m/tuned", "500m-tuned"),
        ("data/base", "base"),
        ("owner/served-name", "served-name"),
        ("models", "models"),
    ],
)
def test_the_name_is_the_path_below_models(model: str, name: str) -> None:
    assert name_model(Path(model)) == name


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "chat_template.jinja"])
def test_weights_settings_and_template_are_in_the_hash(tmp_path: Path, file: str) -> None:
    for name in ("model.safetensors", "config.json", "chat_template.jinja"):
        (tmp_path / name).write_text("{}")
    before = hash_model(tmp_path)
    (tmp_path / file).write_text("{ }")
    assert hash_model(tmp_path) != before
