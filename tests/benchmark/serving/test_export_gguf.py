"""`make export FORMAT=gguf`: what cannot be exported, and a file of other weights, is one line.

The converter itself is in no environment of the tests; docs/serving.md says where it ran.
"""

import os
from pathlib import Path

import pytest

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.records import BadInput, Tool
from agent_tuning.tokens.jinja_chat import OURS, JinjaChat
from agent_tuning.tokens.openai_messages import build_tools
from benchmark.model_folder import hash_model
from benchmark.serving import conformance, export_gguf
from tests.support.chat_families import TOOLS


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "models/mine"
    folder.mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_text("{}")
    return folder


def test_only_gguf_and_only_a_model_is_exported(model, tmp_path):
    with pytest.raises(BadInput, match="FORMAT=onnx: expected gguf"):
        export_gguf.main(model, Path("onnx"))
    with pytest.raises(BadInput, match=r"config\.json: missing"):
        export_gguf.main(tmp_path, Path("gguf"))
    with pytest.raises(BadInput, match=r"\.venv-gguf: missing; run `make export"):
        export_gguf.main(model, Path("gguf"))


def test_a_missing_file_and_one_of_other_weights_are_not_served(model):
    with pytest.raises(BadInput, match=r"exports/mine\.gguf: missing"):
        export_gguf.find_export(model)
    exported = Path("exports/mine.gguf")
    exported.parent.mkdir()
    exported.touch()
    with pytest.raises(BadInput, match="made of another model or other weights"):
        export_gguf.find_export(model)
    exported.with_suffix(".source").write_text(hash_model(model))
    assert export_gguf.find_export(model) == exported
    os.utime(model / "model.safetensors", (1, 1))
    assert export_gguf.find_export(model) == exported
    (model / "model.safetensors").write_text("other")
    os.utime(model / "model.safetensors", (1, 1))  # a copy that kept its time
    with pytest.raises(BadInput, match="made of another model or other weights"):
        export_gguf.find_export(model)


def test_every_size_has_an_export_of_its_own(tmp_path, monkeypatch):
    """The converter is a stand-in that copies the weights; llama.cpp's is in no test."""
    monkeypatch.chdir(tmp_path)
    site = Path(".venv-gguf/lib/python3.12/site-packages")
    site.mkdir(parents=True)
    (site / "convert_hf_to_gguf.py").write_text(
        "import sys, shutil\nshutil.copy(sys.argv[1] + '/model.safetensors', sys.argv[3])\n"
    )
    sizes = [Path(f"models/{size}/tuned") for size in ("350m", "500m")]
    for folder in sizes:
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_text(str(folder))
        export_gguf.main(folder, Path("gguf"))
    found = [export_gguf.find_export(folder) for folder in sizes]
    assert [path.name for path in found] == ["350m-tuned.gguf", "500m-tuned.gguf"]
    assert [path.read_text() for path in found] == [str(folder) for folder in sizes]


def test_what_the_converter_refuses_is_one_line(model):
    site = Path(".venv-gguf/lib/python3.12/site-packages")
    site.mkdir(parents=True)
    (site / "convert_hf_to_gguf.py").write_text("raise NotImplementedError('no such tokenizer')")
    with pytest.raises(BadInput, match="the converter refuses it: NotImplementedError: no such"):
        export_gguf.main(model, Path("gguf"))
    assert not list(Path("exports").iterdir())


class UnequalList(list[object]):
    """A list as llama.cpp's Jinja has it: never equal to another."""

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = None  # type: ignore[assignment]


def replace_lists(value: object) -> object:
    if isinstance(value, dict):
        return {key: replace_lists(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return UnequalList(replace_lists(one) for one in value)
    return value


def test_our_template_writes_the_same_prompt_where_lists_are_never_equal():
    catalogue = Catalogue(Path("data/catalogue"))
    tools = [*TOOLS, *(catalogue.tool(name, "en") for name in catalogue.entries)]
    chat = JinjaChat(OURS.read_text(), {}, "t")
    for tool in tools:
        specs, messages = build_tools([tool]), [{"role": "user", "content": "Hi"}]
        unequal = [replace_lists(spec) for spec in specs]
        assert chat.render(messages, specs) == chat.render(messages, unequal), tool


@pytest.mark.parametrize(
    ("schema", "written"),
    [
        ({"type": "string"}, "string"),
        ({"type": "string", "description": "A name."}, "string (A name.)"),
        ({"type": "string", "enum": ["a", "b"]}, '"a"|"b"'),
        ({"type": "array", "items": {"type": "string"}}, "string[]"),
        ({"type": ["string", "null"]}, '{"type": ["string", "null"]}'),
        ({"type": "array", "items": {}}, '{"type": "array", "items": {}}'),
        ({"type": "array"}, "array"),
        ({"enum": ["a"]}, '{"enum": ["a"]}'),
        ({"type": "integer", "enum": [1]}, '{"type": "integer", "enum": [1]}'),
        (
            {"type": "string", "enum": ["a"], "default": "a"},
            '{"type": "string", "enum": ["a"], "default": "a"}',
        ),
    ],
)
def test_our_template_writes_a_type_only_where_it_says_all_of_the_schema(schema, written):
    tool = Tool("f", "F.", {"type": "object", "properties": {"a": schema}})
    chat = JinjaChat(OURS.read_text(), {}, "t")
    prompt = chat.render([{"role": "user", "content": "Hi"}], build_tools([tool]))
    assert f"f(a?: {written}): F.\n" in prompt


def test_the_version_of_an_engine_that_is_not_here_has_to_be_given(model):
    assert model.exists()
    assert conformance.find_version("transformers").startswith("5.")
    with pytest.raises(BadInput, match=r"ENGINE=llama\.cpp: not installed here"):
        conformance.find_version("llama.cpp")
