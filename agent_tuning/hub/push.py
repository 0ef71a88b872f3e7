"""Upload the folder of a tuned model, with its card, to a model hub: `make push REPO=owner/name`.

    python -m agent_tuning.hub.push FOLDER REPO [--card FILE] [--send] [--public]

The card is the folder's README.md, or the file of `--card`. Without `--send` it asks no server: it
prints what would be uploaded and where to. The token is $HF_TOKEN and stands nowhere else; a token
that another program stored is not used. A new repository is private unless `--public` says
otherwise. $HF_ENDPOINT names a hub of your own.
"""

import os
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path

import httpx2
import yaml
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    ModelCard,
    constants,
)
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled
from huggingface_hub.utils._validators import validate_repo_id

from agent_tuning.records import BadInput
from agent_tuning.runtime import cli

CARD = "README.md"
# What a server needs, with the weights: one or more files of safetensors.
NEEDED = (CARD, "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
          "chat_template.jinja")  # fmt: skip
INDEX = "model.safetensors.index.json"
TOKEN = "HF_TOKEN"
WEIGHTS = "*.safetensors*"  # with the index of shards
# What a card raises whose head is no YAML, or has another kind of value where the hub has a field.
UNREADABLE_CARD = (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError)


def list_upload(folder: Path, card: Path | None) -> dict[str, Path]:
    """By name, in order: the files of a model's folder that belong on a hub, and its card.

    Raises BadInput if something that a server needs is missing, or the card has no head.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder}: no such folder; expected that of a tuned model (MODEL=…)")
    for name in NEEDED:
        if not (folder / name).is_file():
            raise BadInput(f"{folder}: no {name}; expected the folder of a tuned model")
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise BadInput(f"{folder}: no *.safetensors; expected the folder of a tuned model")
    index = [INDEX] if (folder / INDEX).is_file() else []
    names = [*NEEDED, *index, *(path.name for path in weights)]
    files = {name: folder / name for name in names} | {CARD: card or folder / CARD}
    check_card(files[CARD])
    return files


def check_card(path: Path) -> None:
    try:
        head = ModelCard.load(path).data.to_dict()
    except UNREADABLE_CARD as error:
        reason = " ".join(str(error).split())[:200]
        raise BadInput(f"{path}: expected a model card, which begins with YAML: {reason}") from None
    if not head:
        raise BadInput(f"{path}: expected a model card, which begins with YAML")


def check_repo(name: str) -> None:
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise BadInput(f"REPO={name}: {str(error).splitlines()[0]}") from error
    if name.count("/") != 1:
        raise BadInput(f"REPO={name}: expected owner/name")


def read_token() -> str:
    token = os.environ.get(TOKEN, "").strip()
    if not token:
        raise BadInput(f"{TOKEN} is not set; set it to a token of the hub that may write")
    if not re.fullmatch("[!-~]+", token):  # as a header, an error would show it
        raise BadInput(f"{TOKEN}: expected ASCII letters, digits and signs without spaces")
    return token


def find_stale(api: HfApi, repo: str, files: Mapping[str, Path]) -> Iterator[str]:
    """Weights of an earlier push that this one has not: loaders would prefer a whole old file."""
    for name in api.list_repo_files(repo):
        if "/" not in name and fnmatch(name, WEIGHTS) and name not in files:
            yield name


def upload(repo: str, files: Mapping[str, Path], private: bool) -> str:
    """The address of the commit. Raises BadInput, in one line and without the token."""
    token = read_token()
    api = HfApi(token=token)
    try:
        api.create_repo(repo, private=private, exist_ok=True)
        added = [CommitOperationAdd(name, file) for name, file in files.items()]
        deleted = [CommitOperationDelete(name) for name in find_stale(api, repo, files)]
        commit = api.create_commit(
            repo,
            [*added, *deleted],
            commit_message="Upload a model tuned to use tools",
        )
    except OfflineModeIsEnabled as error:
        raise BadInput("HF_HUB_OFFLINE is set; unset it to reach the hub") from error
    except (HfHubHTTPError, httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        reason = " ".join(str(error).split()).replace(token, "[token]")
        raise BadInput(f"{constants.ENDPOINT}/{repo}: {reason[:300]}") from None
    return str(commit.commit_url)


def main(
    folder: Path, repo: Path, *, card: Path | None = None, send: bool = False, public: bool = False
) -> None:
    name = str(repo)
    check_repo(name)
    files = list_upload(folder, card)
    for file_name, file in files.items():
        print(f"{file.stat().st_size:>14,} {file_name}")
    visibility = "public" if public else "private"
    place = f"{constants.ENDPOINT}/{name} ({visibility} if it is new)"
    print(f"{sum(file.stat().st_size for file in files.values()):>14,} bytes to {place}")
    print(f"{'':>14} {WEIGHTS} that are there and not in this list are deleted")
    if not send:
        print("nothing was sent; SEND=1 sends it")
        return
    print(upload(name, files, private=not public))


if __name__ == "__main__":
    cli.run(main)
