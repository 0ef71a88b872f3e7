"""What goes wrong, as a page with a way back, or as JSON for a page that sends its own forms."""

import errno
import sqlite3

from flask import Flask, Response, g, jsonify, render_template, request
from werkzeug.exceptions import HTTPException, InternalServerError

from agent_tuning.records import BadInput
from benchmark.annotation.web.wording import translate

FULL = (errno.ENOSPC, errno.EDQUOT)
REASONS = {
    400: "The form is not complete.",
    403: "This form was not sent by the page itself. Load the page again.",
    404: "There is no such page.",
    409: "Something changed since you loaded this page.",
    413: "This is too long: a form has at most 4 MiB.",
    421: "The desk is not served under this address. Add {host} to desk.hosts in params.yaml.",
    500: "Something went wrong here. What was saved before is safe.",
    507: "Not saved: the disk is full. Make room, then press again; your text is still here.",
}


class DiskFull(HTTPException):
    code = 507


def register(app: Flask) -> None:
    app.register_error_handler(HTTPException, show)
    for kind in (OSError, BadInput):  # writers explain a full disk by a BadInput
        app.register_error_handler(kind, _show_storage_error)
    app.register_error_handler(sqlite3.Error, _show_storage_error)


def wants_json() -> bool:
    return request.accept_mimetypes.best == "application/json"


def show(error: HTTPException) -> tuple[Response | str, int]:
    """Who has no right address gets a line of text and no page."""
    code = error.code or 500
    detail = error.description or "" if code in (400, 409) else ""
    line = translate(REASONS.get(code, error.name), host=request.host)
    if wants_json():
        return jsonify(error=f"{line} {translate(detail)}".strip(), problems={}), code
    if "token" not in g:
        return Response(f"{line}\n", content_type="text/plain; charset=utf-8"), code
    page = render_template(
        "error.html", code=code, line=line, detail=translate(detail), who=g.get("who")
    )
    return page, code


def _show_storage_error(error: Exception) -> tuple[Response | str, int]:
    full = "full" in str(error) if isinstance(error, sqlite3.Error) else _is_full(error)
    return show(DiskFull() if full else InternalServerError())


def _is_full(error: Exception) -> bool:
    cause = error.__cause__ if isinstance(error, BadInput) else error
    return isinstance(cause, OSError) and cause.errno in FULL
