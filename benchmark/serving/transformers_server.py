"""`transformers serve` of one folder, with what it lacks for that.

- A control token in a message, such as <|im_end|>, stays text: so it was in training.
- A prompt that is longer than the model's context is refused, and an answer ends where the context
  does. Both would block all other clients, and the answer would be noise.
- The content beside earlier calls, which is the thought, reaches the prompt; and so do arguments
  that the model once wrote and that are no JSON, as they were.
- A request that cannot be read, such as a message without a role, is 400 and not 500; and what was
  wrong with it has the form in which OpenAI's clients show it.
- A prompt is read from where it differs from the last one, not from its beginning.
- /v1/models lists the model. Routes that load other models are gone, and so is /v1/completions,
  whose prompts nothing checks. On loopback every host name but its own is refused, so that a web
  page cannot use the server.

Not mended: `tool_choice`, `parallel_tool_calls` and `response_format` are ignored, requests are
answered one after the other, and one that is not streamed goes on after its client is gone.
"""

import json
import socket
from collections.abc import Collection
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import jinja2
import msgspec
from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from transformers.cli.serve import Serve

from agent_tuning.records import Json
from benchmark.serving import chat_request
from benchmark.serving.kept_prompt import keep_prompts

# The others load models, reset the server, check no prompt, or are for other kinds of models.
KEPT = ("/v1/chat/completions", "/health")
UNREADABLE = (json.JSONDecodeError, KeyError, jinja2.TemplateError, msgspec.ValidationError)
NAMES = ("127.0.0.1", "localhost", "[::1]")
MAX_TOKENS = 1024  # of an answer, unless a request says otherwise: that of transformers


class FolderServer(Serve):
    """Loads the folder, and serves it on a bound socket until Ctrl-C."""

    def __init__(self, folder: Path, listener: socket.socket) -> None:
        self.folder, self.listener = folder, listener
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
        check_requests(self._chat_handler)
        keep_earlier_calls(self._chat_handler)
        keep_prompts(model)
        context = model.config.max_position_embeddings
        refuse_long_prompts(tokenizer, context)
        end_long_answers(model, context)
        host, port = self.listener.getsockname()[:2]
        adapt(self.server.config.app, str(self.folder), host)
        place = f"[{host}]" if ":" in host else host
        print(f"{self.folder}: http://{place}:{port}/v1 (Ctrl-C ends)", flush=True)
        self.server.run(sockets=[self.listener])


def check_requests(handler: Any) -> None:
    """Let a handler refuse what it would fail on."""
    validate = handler._validate_request

    def validate_and_check(body: dict[str, Json]) -> None:
        validate(body)
        chat_request.check(body)

    handler._validate_request = validate_and_check


def keep_earlier_calls(handler: Any) -> None:
    """Let a handler give the chat template earlier calls as the client sent them."""
    read = handler.get_processor_inputs_from_messages

    def read_and_keep(messages: list[Json], modality: Any) -> list[Json]:
        kept = []
        for sent in messages:
            message = {**sent}
            if not (calls := message.get("tool_calls") or []):
                message.pop("tool_calls", None)  # null, where some clients make no call
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


def end_long_answers(model: Any, longest: int) -> None:
    """Let a model write no more than its context has room for behind the prompt."""
    generate = model.generate

    def generate_within(**inputs: Any) -> Any:
        settings, room = inputs["generation_config"], longest - inputs["input_ids"].shape[-1]
        # The handler compares with the same settings to say that an answer was cut.
        settings.max_new_tokens = min(settings.max_new_tokens or MAX_TOKENS, room)
        return generate(**inputs)

    model.generate = generate_within


def adapt(app: FastAPI, name: str, address: str) -> None:
    """Keep the routes of one model, called `name`; write errors as OpenAI's clients read them.

    `address` is the IP address on which it listens.
    """
    app.router.routes = [route for route in app.router.routes if _path(route) in KEPT]
    app.add_api_route("/v1/models", lambda: {"object": "list", "data": [_describe(name)]})
    app.add_exception_handler(StarletteHTTPException, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse_body)
    for kind in UNREADABLE:
        app.add_exception_handler(kind, _refuse_unreadable)
    if ip_address(address).is_loopback:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*NAMES, address])


def _path(route: Any) -> str:
    return str(getattr(route, "path", ""))


def _describe(name: str) -> dict[str, Json]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "agent-tuning"}


def _refuse(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, StarletteHTTPException)
    return _build_error(error.status_code, str(error.detail))


def _refuse_body(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    problems = "; ".join(problem["msg"] for problem in error.errors())
    return _build_error(400, f"the request cannot be read: {problems}")


def _refuse_unreadable(_: Request, error: Exception) -> JSONResponse:
    return _build_error(400, f"the request cannot be read: {type(error).__name__}: {error}")


def _build_error(status: int, message: str) -> JSONResponse:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return JSONResponse({"error": error}, status_code=status)
