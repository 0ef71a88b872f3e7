"""The tools of any MCP server, called like the simulators of a `World`."""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

from anyio.from_thread import BlockingPortal, start_blocking_portal

from agent_tuning.mcp_tools import tool_list
from agent_tuning.mcp_tools.server import MISSING
from agent_tuning.records import BadInput, Call, Json, Tool

TIMEOUT = 60.0  # seconds for one request


class McpConnection:
    """`tools` are those that the server listed when the connection opened."""

    def __init__(self, portal: BlockingPortal, client: Any, source: str) -> None:
        self._portal = portal
        self._client = client
        self.tools: tuple[Tool, ...] = portal.call(self._list_tools, source)

    def observe(self, call: Call) -> dict[str, Json]:
        """The observation of a call: `{"error": reason}` if it fails, or the server is gone."""
        return self._portal.call(self._call_tool, call)

    async def _list_tools(self, source: str) -> tuple[Tool, ...]:
        from mcp.shared.exceptions import MCPError

        listed: list[Json] = []
        cursor = None
        try:
            while True:
                page = await self._client.list_tools(cursor=cursor)
                listed += [tool.model_dump(by_alias=True, exclude_none=True) for tool in page.tools]
                if not (cursor := page.next_cursor):
                    break
        except (MCPError, RuntimeError, ValueError) as error:  # it has no such method, say
            raise BadInput(f"{source}: tools/list: {_find_reason(error)}") from error
        return tool_list.read_tool_list({"tools": listed}, source)

    async def _call_tool(self, call: Call) -> dict[str, Json]:
        from mcp.shared.exceptions import MCPError

        try:
            result = await self._client.call_tool(call.name, call.arguments)
        except MCPError as error:
            return {"error": error.error.message}
        except (RuntimeError, ValueError) as error:  # the result misses its schema, or is none
            return {"error": _find_reason(error)}
        texts = [part.text for part in result.content if part.type == "text"]
        return tool_list.read_observation(result.structured_content, texts, result.is_error)


@contextmanager
def connect(server: str) -> Iterator[McpConnection]:
    """Connect to the server at a URL, or start one with a command line and speak over its stdin.

    Raises BadInput, with one line, if it cannot be reached or started, or lists no usable tools.
    The line names the server without what may be secret: variables, arguments, a user, a query.
    """
    try:
        from mcp import Client, MCPError, StdioServerParameters
    except ImportError as error:
        raise BadInput(MISSING) from error

    target: Any = server
    if server.startswith(("http://", "https://")):
        parts = urlsplit(server)
        place = parts.netloc.rpartition("@")[2]
        name = parts._replace(netloc=place, query="", fragment="").geturl()
    else:
        command, *arguments = _split_command(server)
        target = StdioServerParameters(command=command, args=arguments)
        name = _find_program([command, *arguments])
    with start_blocking_portal() as portal, ExitStack() as stack:
        client = portal.wrap_async_context_manager(Client(target, read_timeout_seconds=TIMEOUT))
        try:
            opened = stack.enter_context(client)
        except (OSError, ValueError, MCPError, ExceptionGroup) as error:
            reason = _find_reason(error).replace(server, name)
            raise BadInput(f"{name}: no MCP server: {reason}") from error
        try:
            yield McpConnection(portal, opened, name)
        finally:
            stack.close()  # the client would put an exception that it sees into a group


def _split_command(line: str) -> list[str]:
    """The words of a command line, as in a shell. Raises BadInput if it starts nothing."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise BadInput(f"MCP: no command line: {error}") from error
    if not words or "=" in words[0]:
        raise BadInput("MCP: expected a URL or a command; variables as in `env NAME=value command`")
    return words


def _find_program(words: Sequence[str]) -> str:
    """The program of a command line, without its arguments; behind `env`, that which env starts."""
    if PurePath(words[0]).name != "env":
        return words[0]
    return next((word for word in words[1:] if "=" not in word and word[:1] != "-"), words[0])


def _find_reason(error: BaseException) -> str:
    """The first line of the first error in a group of them."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return (str(error).splitlines() or [type(error).__name__])[0]
