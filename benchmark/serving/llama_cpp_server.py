"""llama.cpp's own server on a GGUF file, until Ctrl-C; started by `make serve ENGINE=llama.cpp`.

It writes prompts by the template in the file, keeps earlier thoughts, and constrains the arguments
of a call by a grammar that it makes from the request's tools (guided decoding).
"""

import contextlib
import signal
from importlib import import_module
from pathlib import Path

from agent_tuning.runtime import cli


def main(file: Path, name: Path, host: Path, port: int) -> None:
    llama = import_module("xllamacpp")  # of .venv-gguf
    settings = llama.CommonParams()
    settings.model.path = str(file)
    settings.model_alias = {str(name)}
    settings.hostnames = [str(host)]
    settings.port = port
    settings.use_jinja = True
    settings.n_parallel = 1
    settings.n_ctx = 0  # the model's own
    settings.ui = False
    settings.cors_origins = "localhost"  # else any web page can read answers
    # A thought is content, as in training: no part of it is hidden.
    settings.reasoning_format = llama.common_reasoning_format.COMMON_REASONING_FORMAT_NONE
    server = llama.Server(settings)
    print(f"{name}: {server.listening_address}/v1 (Ctrl-C ends)", flush=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()


if __name__ == "__main__":
    cli.run(main)
