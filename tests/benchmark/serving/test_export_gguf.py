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


def test_the_template_for_llama_cpp_compares_no_lists_and_writes_the_same_prompts():
    source = OURS.read_text()
    rewritten = export_gguf.rewrite_template(source)
    for old, new in export_gguf.REWRITTEN.items():
        assert old in source
        assert old not in rewritten
        assert new in rewritten
    catalogue = Catalogue(Path("data/catalogue"))
    tools = [*TOOLS, *(catalogue.tool(name, "en") for name in catalogue.entries)]
    schemas = [
        {"type": "array", "items": {"type": "string"}, "description": "Names."},
        {"type": "array", "items": {"type": "string", "enum": ["a"]}},
        {"type": "array", "items": {}},
        {"type": "array"},
        {"type": "string", "enum": ["a"], "default": "a"},
        {"type": "integer", "enum": [1, 2]},
        {"enum": ["a"]},
    ]
    tools += [
        Tool("f", "F.", {"type": "object", "properties": {"a": schema}}) for schema in schemas
    ]
    for tool in tools:
        prompts = [
            JinjaChat(text, {}, "t").render(
                [{"role": "user", "content": "Hi"}], build_tools([tool])
            )
            for text in (source, rewritten)
        ]
        assert prompts[0] == prompts[1], tool


def test_a_model_is_linked_and_not_copied(model, tmp_path):
    (model / "chat_template.jinja").write_text(OURS.read_text())
    linked = export_gguf.link_model(model, tmp_path)
    assert linked.name == model.name
    assert (linked / "model.safetensors").is_symlink()
    assert "schema | length" in (linked / "chat_template.jinja").read_text()
    assert "schema | length" not in (model / "chat_template.jinja").read_text()


def test_the_version_of_an_engine_that_is_not_here_has_to_be_given(model):
    assert model.exists()
    assert conformance.find_version("transformers").startswith("5.")
    with pytest.raises(BadInput, match=r"ENGINE=llama\.cpp: not installed here"):
        conformance.find_version("llama.cpp")
