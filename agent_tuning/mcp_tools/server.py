"""The simulators of the catalogue as an MCP server: `make mcp`.

    python -m agent_tuning.mcp_tools.server data/catalogue [DOMAIN ...] [--port 8001]

Without a port it speaks over stdin and stdout, as clients that start a server want it; with one, at
http://127.0.0.1:PORT/mcp. One world answers all calls of a process: what a call changes, later
calls see. Start it again for a fresh one.
"""

import socket
from importlib.metadata import version
from pathlib import Path
from typing import Any

import anyio
import msgspec

from agent_tuning.catalogue.entries import Catalogue
from agent_tuning.catalogue.simulators import SIMULATORS
from agent_tuning.mcp_tools.shown_tool import show_tool
from agent_tuning.records import BadInput, Call, Tool
from agent_tuning.runtime import cli

HOST = "127.0.0.1"
MISSING = "the package mcp is not installed: run `make setup`, or pip install '.[mcp]'"


def list_callable_tools(catalogue: Catalogue) -> tuple[Tool, ...]:
    """The tools that have a simulator or authored observations."""
    return tuple(
        show_tool(catalogue, name)
        for name, entry in catalogue.entries.items()
        if name in SIMULATORS or entry.observations
    )


def build_server(catalogue: Catalogue) -> Any:
    """An `mcp.server.lowlevel.Server`. Raises BadInput if the SDK is not installed."""
    try:
        from mcp import types
        from mcp.server.lowlevel import Server
    except ImportError as error:
        raise BadInput(MISSING) from error

    tools = list_callable_tools(catalogue)
    world = catalogue.world()

    async def list_tools(_context: Any, _params: Any) -> Any:
        listed = [
            types.Tool(name=t.name, description=t.description, input_schema=t.parameters)
            for t in tools
        ]
        return types.ListToolsResult(tools=listed)

    async def call_tool(_context: Any, params: Any) -> Any:
        content = world.make_call(Call(params.name, params.arguments or {}), tools)
        text = types.TextContent(type="text", text=msgspec.json.encode(content).decode())
        return types.CallToolResult(
            content=[text], structured_content=content, is_error="error" in content
        )

    return Server(
        "agent-tuning", version=version("mcp"), on_list_tools=list_tools, on_call_tool=call_tool
    )


async def _serve_stdio(server: Any) -> None:
    from mcp.server.stdio import stdio_server

    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


def _serve_http(server: Any, port: int) -> None:
    import uvicorn

    with socket.socket() as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((HOST, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise BadInput(f"MCP_PORT={port}: {reason}; choose another port") from error
        bound.listen()  # before the address is said: who reads it may connect at once
        print(f"http://{HOST}:{bound.getsockname()[1]}/mcp", flush=True)
        app = server.streamable_http_app(host=HOST)
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[bound])


def main(catalogue: Path, *domains: Path, port: int = 0) -> None:
    server = build_server(Catalogue(catalogue, [*map(str, domains)] or None))
    if port:
        _serve_http(server, port)
    else:
        anyio.run(_serve_stdio, server)


if __name__ == "__main__":
    cli.run(main)
