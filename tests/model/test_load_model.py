"""A damaged model is one line that names it, and its missing tensors are never random numbers."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from agent_tuning.model import flops, load_model
from agent_tuning.records import BadInput
from agent_tuning.tokens.chat_template import ChatTokenizer

WEIGHTS = "model.safetensors"
Damage = Callable[[Path], object]


def change_config(**fields: object) -> Damage:
    def damage(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    return damage


def overwrite(name: str, content: bytes) -> Damage:
    return lambda folder: (folder / name).write_bytes(content)


def cut(name: str, share: float) -> Damage:
    def damage(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(len(content) * share)])

    return damage


def change_tensor(change: Callable[[torch.Tensor], torch.Tensor], name: str = "") -> Damage:
    def damage(folder: Path) -> None:
        tensors = load_file(folder / WEIGHTS)
        first = sorted(tensors)[3]
        tensors[name or first] = change(tensors.pop(first)).clone()
        save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})

    return damage


DAMAGES: dict[str, tuple[Damage, str]] = {
    "no config": (lambda f: (f / "config.json").unlink(), "expected a config.json"),
    "empty config": (
        overwrite("config.json", b""),
        "config.json: expected JSON: Input data was truncated",
    ),
    "config cut": (cut("config.json", 0.5), "config.json: "),
    "config no object": (overwrite("config.json", b"[]"), "config.json: Expected `object`"),
    "config not UTF-8": (overwrite("config.json", b'{"a": "\xff"}'), "config.json: "),
    "config nested deep": (overwrite("config.json", b'{"a":' * 9000), "config.json: "),
    "config without a type": (overwrite("config.json", b"{}"), "cannot be read as a model"),
    "unknown type": (change_config(model_type="x"), "cannot be read as a model"),
    "more layers than weights": (change_config(num_hidden_layers=3), "its weights lack 9 tensors"),
    "fewer layers": (change_config(num_hidden_layers=1), "its config has no place for 9 tensors"),
    "no layers": (change_config(num_hidden_layers=0), "cannot be read as a model"),
    "another width": (change_config(hidden_size=48), "its config gives other sizes to 20 tensors"),
    "fewer words": (change_config(vocab_size=10), "other sizes to 1 tensors: model.embed_tokens"),
    "no heads": (change_config(num_attention_heads=0), "cannot be read as a model"),
    "untied head": (change_config(tie_word_embeddings=False), "lack 1 tensors: lm_head.weight"),
    "text for a number": (change_config(rms_norm_eps="x"), "cannot be read as a model"),
    "unknown activation": (change_config(hidden_act="zz"), "cannot be read as a model"),
    "no weights": (lambda f: (f / WEIGHTS).unlink(), "cannot be read as a model"),
    "empty weights": (overwrite(WEIGHTS, b""), "safetensors: Error while deserializing"),
    "weights of text": (overwrite(WEIGHTS, b"hello" * 99), "safetensors: Error while deserializ"),
    "weights cut": (cut(WEIGHTS, 0.9), "safetensors: Error while deserializing header"),
    "integers for weights": (change_tensor(torch.Tensor.int), "expected floats, found I32"),
    "renamed tensor": (change_tensor(lambda t: t, "another"), "its weights lack 1 tensors"),
    "cut tensor": (change_tensor(lambda t: t[:3]), "its config gives other sizes to 1 tensors"),
}


def test_a_sound_model_is_loaded_with_its_own_numbers(base: Path) -> None:
    model = load_model.load_model(base, torch.float32)
    for name, tensor in load_file(base / WEIGHTS).items():
        assert torch.equal(model.state_dict()[name], tensor)
    assert load_model.read_vocabulary_size(base) == model.config.vocab_size


def read_all_of(folder: Path) -> None:
    """As training reads a model."""
    load_model.check_files(folder)
    load_model.read_vocabulary_size(folder)
    flops.read_model_shape(folder)
    load_model.load_model(folder, torch.float32)


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_model_is_one_line(name: str, base: Path, tmp_path: Path) -> None:
    damage, line = DAMAGES[name]
    folder = tmp_path / "model"
    shutil.copytree(base, folder)
    damage(folder)
    with pytest.raises(BadInput) as error:
        read_all_of(folder)
    assert line in str(error.value)
    assert str(folder) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (lambda f: (f / "tokenizer.json").unlink(), "missing tokenizer"),
        (overwrite("tokenizer.json", b""), "Input data was truncated"),
        (cut("tokenizer.json", 0.5), "tokenizer.json: "),
        (overwrite("tokenizer.json", b"\xff\xfe"), "tokenizer.json: "),
        (overwrite("tokenizer.json", b"{}"), "expected a tokenizer"),
        (overwrite("tokenizer.json", b'{"model": {"type": "BPE"}}'), "expected a tokenizer"),
    ],
    ids=["missing", "empty", "cut", "not UTF-8", "no model", "no words"],
)
def test_a_damaged_tokenizer_is_one_line(
    damage: Damage, line: str, base: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(base, folder)
    damage(folder)
    with pytest.raises(BadInput, match=line) as error:
        ChatTokenizer(folder / "tokenizer.json")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["tokenizer_config.json", "chat_template.jinja"])
def test_damaged_files_beside_the_tokenizer_are_one_line(
    name: str, base: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(base, folder)
    (folder / name).write_bytes(b"\xff{")
    (folder / "tokenizer.json").write_text(
        (folder / "tokenizer.json").read_text().replace("<|im_end|>", "<|end|>")
    )
    with pytest.raises(BadInput, match=name):
        ChatTokenizer(folder / "tokenizer.json")
