"""`transformers serve` of one folder, with what it lacks for that.

- A control token in a message, such as <|im_end|>, stays text: so it was in training.
- A prompt that is longer than the model's context is refused. It would block all other clients,
  and the answer would be noise.
- The content beside earlier calls, which is the thought, reaches the prompt; and so do arguments
  that the model once wrote and that are no JSON, as they were.
- A request that cannot be read, such as a message without a role, is 400 and not 500; and every
  error has the form in which OpenAI's clients show its message.
- A prompt is read from where it differs from the last one, not from its beginning.
- /v1/models lists the model. Routes that load other models are gone, and so is every host name but
  its own: a web page cannot use the server.

Not mended: `tool_choice`, `parallel_tool_calls` and `response_format` are ignored, requests are
answered one after the other, and one that is not streamed goes on after its client is gone.
"""

import json
import socket
from collections.abc import Collection
from pathlib import Path
from typing import Any

import jinja2
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from transformers.cli.serve import Serve

from agent_tuning.records import Json
from benchmark.serving.kept_prompt import keep_prompts

# The others load models, reset the server, or are for other kinds of models.
KEPT = ("/v1/chat/completions", "/v1/completions", "/health")
UNREADABLE = (json.JSONDecodeError, KeyError, jinja2.TemplateError)
NAMES = ["127.0.0.1", "localhost"]


class FolderServer(Serve):
    """Loads the folder, and serves it on a bound socket until Ctrl-C."""

    def __init__(self, folder: Path, host: str, listener: socket.socket) -> None:
        self.folder, self.host, self.listener = folder, host, listener
        super().__init__(
            force_model=str(folder),
            device="auto",
            chat_template_kwargs='{"sanitize_control_tokens": true}',
            trust_remote_code=False,
            non_blocking=True,  # it then calls start_server, which is ours
        )

    def start_server(self) -> None:
        manager = self._model_manager
        model, tokenizer = manager.load_model_and_processor(
            manager.process_model_name(str(self.folder))
        )
        keep_earlier_calls(self._chat_handler)
        keep_prompts(model)
        refuse_long_prompts(tokenizer, model.config.max_position_embeddings)
        adapt(self.server.config.app, str(self.folder), self.host)
        host, port = self.listener.getsockname()[:2]
        print(f"{self.folder}: http://{host}:{port}/v1 (Ctrl-C ends)", flush=True)
        self.server.run(sockets=[self.listener])


def keep_earlier_calls(handler: Any) -> None:
    """Let a handler give the chat template earlier calls as the client sent them."""
    read = handler.get_processor_inputs_from_messages

    def read_and_keep(messages: list[Json], modality: Any) -> list[Json]:
        kept = []
        for message in messages:
            calls = message.get("tool_calls") or []
            broken = {n: text for n, call in enumerate(calls) if (text := find_broken(call))}
            (parsed,) = read([_empty_arguments(message, broken)], modality)
            for number, text in broken.items():
                parsed["tool_calls"][number]["function"]["arguments"] = text
            if calls and isinstance(message.get("content"), str):
                parsed["content"] = message["content"]
            kept.append(parsed)
        return kept

    handler.get_processor_inputs_from_messages = read_and_keep


def find_broken(call: Json) -> str:
    """The arguments of a call that are text but no JSON; "" if they are JSON."""
    arguments = call["function"]["arguments"]
    try:
        json.loads(arguments)
    except json.JSONDecodeError:
        return str(arguments)
    except TypeError:  # an object already
        pass
    return ""


def _empty_arguments(message: Json, numbers: Collection[int]) -> Json:
    """The message, with no arguments in the calls of these numbers."""
    if not numbers:
        return message
    calls = [
        {**call, "function": {**call["function"], "arguments": "{}"}} if number in numbers else call
        for number, call in enumerate(message["tool_calls"])
    ]
    return {**message, "tool_calls": calls}


def refuse_long_prompts(tokenizer: Any, longest: int) -> None:
    """Let the chat template of a tokenizer refuse prompts that leave no room for an answer."""
    render = tokenizer.apply_chat_template

    def render_and_check(*args: Any, **kwargs: Any) -> Any:
        inputs = render(*args, **kwargs)
        tokens = inputs["input_ids"].shape[-1]
        if tokens >= longest:
            raise HTTPException(400, f"the prompt has {tokens} tokens; the context is {longest}")
        return inputs

    tokenizer.apply_chat_template = render_and_check


def adapt(app: FastAPI, name: str, host: str) -> None:
    """Keep the routes of one model, called `name`; write errors as OpenAI's clients read them."""
    app.router.routes = [route for route in app.router.routes if _path(route) in KEPT]
    app.add_api_route("/v1/models", lambda: {"object": "list", "data": [_describe(name)]})
    app.add_exception_handler(StarletteHTTPException, _refuse)
    for kind in UNREADABLE:
        app.add_exception_handler(kind, _refuse_unreadable)
    if host in NAMES:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=NAMES)


def _path(route: Any) -> str:
    return str(getattr(route, "path", ""))


def _describe(name: str) -> dict[str, Json]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "agent-tuning"}


def _refuse(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, StarletteHTTPException)
    return _build_error(error.status_code, str(error.detail))


def _refuse_unreadable(_: Request, error: Exception) -> JSONResponse:
    return _build_error(400, f"the request cannot be read: {type(error).__name__}: {error}")


def _build_error(status: int, message: str) -> JSONResponse:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return JSONResponse({"error": error}, status_code=status)
