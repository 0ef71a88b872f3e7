"""`make push`: the folder of a tuned model to a hub, over the hub's own protocol on loopback."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.model_hub import ModelHub

ROOT = Path(__file__).parents[2]
TOKEN = "hf_of_the_test"
CARD = "---\nlicense: apache-2.0\nlibrary_name: transformers\n---\n# A model\n"
FILES = {
    "README.md": CARD.encode(),
    **dict.fromkeys(
        ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"), b"{}"
    ),
    "chat_template.jinja": b"{{ messages }}",
    "model.safetensors": b"weights",
}


@pytest.fixture
def hub() -> Iterator[ModelHub]:
    with ModelHub(TOKEN).running() as hub:
        yield hub


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    (folder / "train_state.pt").write_bytes(b"not for a hub")
    return folder


def push(
    hub: ModelHub, *words: object, token: str = TOKEN, **variables: str
) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "", "HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1"}
    environment |= {
        "HF_TOKEN": token,
        "PYTHONPATH": ":".join(p for p in sys.path if p),
        **variables,
    }
    command = [sys.executable, "-m", "agent_tuning.hub.push", *map(str, words)]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env=environment, check=False
    )


def test_a_push_uploads_the_model_and_its_card_and_nothing_else(hub: ModelHub, folder: Path):
    done = push(hub, folder, "o/m", "--send")
    assert done.returncode == 0, done.stderr
    assert hub.files == FILES
    assert hub.repos == {"o/m": True}
    assert done.stdout.splitlines()[-1] == f"{hub.url}/o/m/commit/1"


def test_another_card_is_sent_in_place_of_the_folder_s(hub: ModelHub, folder: Path, tmp_path: Path):
    card = tmp_path / "card.md"
    card.write_text(CARD + "\n## Conformance\n")
    assert push(hub, folder, "o/m", "--card", card, "--send").returncode == 0
    assert hub.files == FILES | {"README.md": card.read_bytes()}


def test_a_new_repository_is_public_only_if_that_is_said(hub: ModelHub, folder: Path):
    assert push(hub, folder, "o/m", "--send", "--public").returncode == 0
    assert hub.repos == {"o/m": False}


def test_without_send_the_hub_hears_nothing(hub: ModelHub, folder: Path):
    done = push(hub, folder, "o/m", token="")
    assert done.returncode == 0, done.stderr
    assert hub.repos == hub.files == {}
    assert f"to {hub.url}/o/m (private if it is new)" in done.stdout
    assert "train_state.pt" not in done.stdout


def test_only_the_token_of_the_environment_is_used(hub: ModelHub, folder: Path, tmp_path: Path):
    """One that a login stored is not."""
    (tmp_path / "token").write_text(TOKEN)
    done = push(hub, folder, "o/m", "--send", token="", HF_HOME=str(tmp_path))
    assert done.stderr.startswith("error: HF_TOKEN is not set")
    assert not hub.repos


def test_a_refused_token_is_one_line_that_does_not_show_it(hub: ModelHub, folder: Path):
    done = push(hub, folder, "o/m", "--send", token="hf_wrong")
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {hub.url}/o/m: ")
    assert done.stderr.count("\n") == 1
    assert "401" in done.stderr
    assert "hf_wrong" not in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["config.json", "chat_template.jinja", "model.safetensors"])
def test_a_folder_without_what_a_server_needs_is_refused(hub: ModelHub, folder: Path, name: str):
    (folder / name).unlink()
    done = push(hub, folder, "o/m", "--send")
    expected = "*.safetensors" if name == "model.safetensors" else name
    assert done.stderr.startswith(f"error: {folder}: no {expected}; expected the folder of a tuned")
    assert not hub.repos


def test_a_folder_without_a_card_head_is_refused(hub: ModelHub, folder: Path):
    (folder / "README.md").write_text("# A model\n")
    assert "README.md: expected a model card" in push(hub, folder, "o/m", "--send").stderr


@pytest.mark.parametrize(
    "card",
    [
        b"---\na: [\n---\nx",
        b"---\n- a\n---\nx",
        b"---\nmodel-index: 5\n---\nx",
        b"---\nmodel-index:\n- name: 5\n---\nx",
        b"---\na: \xff\n---\n",
    ],
)
def test_a_card_that_cannot_be_read_is_one_line(hub: ModelHub, folder: Path, card: bytes):
    (folder / "README.md").write_bytes(card)
    done = push(hub, folder, "o/m", "--send")
    assert done.stderr.startswith(f"error: {folder}/README.md: expected a model card")
    assert done.stderr.count("\n") == 1
    assert not hub.repos


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "no-address"])
def test_a_hub_that_cannot_be_reached_is_one_line(hub: ModelHub, folder: Path, url: str):
    done = push(hub, folder, "o/m", "--send", HF_ENDPOINT=url)
    assert done.stderr.startswith(f"error: {url}/o/m: ")
    assert done.stderr.count("\n") == 1
    assert TOKEN not in done.stdout + done.stderr


@pytest.mark.parametrize("token", ["hf_\u00e4", "hf_a\nb", "hf_a b"])
def test_what_can_be_no_token_is_one_line_that_does_not_show_it(
    hub: ModelHub, folder: Path, token: str
):
    done = push(hub, folder, "o/m", "--send", token=token)
    assert done.stderr.startswith("error: HF_TOKEN: expected ASCII")
    assert done.stderr.count("\n") == 1
    assert "hf_" not in done.stdout + done.stderr


def test_weights_of_an_earlier_push_that_are_not_in_this_one_are_deleted(
    hub: ModelHub, folder: Path
):
    assert push(hub, folder, "o/m", "--send").returncode == 0
    hub.files |= {"notes.md": b"of a person", "onnx/model.safetensors": b"of another loader"}
    (folder / "model.safetensors").unlink()
    shards = {f"model-0000{n}-of-00002.safetensors": b"%d" % n for n in (1, 2)}
    shards["model.safetensors.index.json"] = b"{}"
    for name, content in shards.items():
        (folder / name).write_bytes(content)
    dry = push(hub, folder, "o/m")
    assert "*.safetensors* that are there and not in this list are deleted" in dry.stdout
    done = push(hub, folder, "o/m", "--send")
    assert done.returncode == 0, done.stderr
    assert "model.safetensors" not in hub.files
    assert shards.items() <= hub.files.items()
    assert {"notes.md", "onnx/model.safetensors"} <= hub.files.keys()


@pytest.mark.parametrize("name", ["m", "o/m/x", "o/m..x", "o/-m"])
def test_what_is_no_repository_is_one_line(hub: ModelHub, folder: Path, name: str):
    done = push(hub, folder, name)
    assert done.stderr.startswith(f"error: REPO={name}: ")
    assert done.stderr.count("\n") == 1


def test_an_offline_setting_is_named(hub: ModelHub, folder: Path):
    done = push(hub, folder, "o/m", "--send", HF_HUB_OFFLINE="1")
    assert done.stderr == "error: HF_HUB_OFFLINE is set; unset it to reach the hub\n"
