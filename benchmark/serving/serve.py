"""Start a library's server on the folder of a model: `make serve`.

It answers OpenAI's `chat.completions` with `tools=`. It listens on 127.0.0.1 unless a host is
given, and asks for no key.
"""

import errno
import os
import shutil
import socket
import sys
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from agent_tuning.records import BadInput
from agent_tuning.runtime import cli
from agent_tuning.tokens.native_template import NativeTemplate
from benchmark.serving.export_gguf import build_environment, find_export

NEEDED = ("accelerate", "fastapi", "openai", "pydantic", "rich", "starlette", "uvicorn")
FILES = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json")
MAX_PORT = 65_535  # of a larger one, the system would take 16 bits
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def check_folder(folder: Path) -> None:
    """Raise BadInput unless a server can load the folder and writes the prompts of training."""
    for name in FILES:
        if not (folder / name).is_file():
            raise BadInput(
                f"{folder}/{name}: missing; expected the folder of a model, such as "
                "models/specialist, which `make repro` writes"
            )
    if not any(folder.glob("*.safetensors")):
        raise BadInput(f"{folder}: no weights: expected a file *.safetensors")
    if "@" in str(folder):
        raise BadInput(f"{folder}: servers take what follows @ as a version; rename the folder")
    if not NativeTemplate.read(folder / "tokenizer.json").writes_native():
        raise BadInput(
            f"{folder}/chat_template.jinja: writes calls in a markup of its own, not in the "
            "<tool_call> of native prompts; serve it by its maker's recipe"
        )


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens, so that nobody else can have the port. Raises BadInput if none can."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with ExitStack() as closing:  # what cannot listen
            listener = closing.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen()
            closing.pop_all()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        busy = getattr(error, "errno", None) == errno.EADDRINUSE
        advice = "; choose another port: `make serve PORT=8001`" * busy
        raise BadInput(f"HOST={host} PORT={port}: {reason}{advice}") from error
    return listener


def serve_with_transformers(folder: Path, host: str, port: int) -> None:
    """Serve until Ctrl-C."""
    if missing := [name for name in NEEDED if not find_spec(name)]:
        raise BadInput(
            f"transformers serve needs {', '.join(missing)}; run `make setup`, "
            "or `pip install -e .[serve]`"
        )
    listener = bind(host, port)
    from benchmark.serving.transformers_server import FolderServer  # it needs the extra

    FolderServer(folder, listener)


def serve_with_vllm(folder: Path, host: str, port: int) -> NoReturn:
    """Become `vllm serve`. Written to vLLM's documented options; nothing here runs it."""
    if not shutil.which("vllm"):
        raise BadInput(
            "ENGINE=vllm: vllm is not installed; run `pip install vllm` on a machine with a GPU"
        )
    bind(host, port).close()
    command = ["vllm", "serve", str(folder), "--host", host, "--port", str(port)]
    command += ["--enable-auto-tool-choice", "--tool-call-parser", "hermes"]
    os.execvp("vllm", [*command, "--allowed-origins", "[]"])  # else any web page can read answers


def serve_with_llama_cpp(folder: Path, host: str, port: int) -> NoReturn:
    """Become llama.cpp's server of the folder's GGUF file."""
    file, environment = find_export(folder), build_environment()
    bind(host, port).close()
    options = ["--file", file, "--name", folder, "--host", host, "--port", port]
    command = [sys.executable, "-m", "benchmark.serving.llama_cpp_server", *map(str, options)]
    os.execve(sys.executable, command, environment)


ENGINES = {
    "transformers": serve_with_transformers,
    "vllm": serve_with_vllm,
    "llama.cpp": serve_with_llama_cpp,
}


def main(
    model: Path,
    *,
    host: Path = Path(LOOPBACK[0]),
    port: int = 8000,
    engine: Path = Path("transformers"),
) -> None:
    if str(engine) not in ENGINES:
        raise BadInput(f"ENGINE={engine}: available: {', '.join(ENGINES)}")
    if not 0 <= port <= MAX_PORT:
        raise BadInput(f"PORT={port}: expected a port from 0 to {MAX_PORT}")
    check_folder(model)
    if str(host) not in LOOPBACK:
        print(f"HOST={host}: whoever reaches this address can use the model: there is no key")
    ENGINES[str(engine)](model, str(host), port)


if __name__ == "__main__":
    cli.run(main)
