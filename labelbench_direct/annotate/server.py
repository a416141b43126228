"""Ask and tell by HTTP, for annotators' tools: JSON in, JSON out, a token in every request.

Nothing that comes in is executed, rendered, or used as a name of a file.
"""

from __future__ import annotations

import hmac
import json
import sys
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from labelbench_direct.annotate.files import Answer
from labelbench_direct.annotate.job import Job
from labelbench_direct.annotate.status import status, suspicious
from labelbench_direct.annotate.studio import Loop

TOKEN = "LABELBENCH_DIRECT_TOKEN"  # noqa: S105  # the variable's name
"""The environment variable with the token; without it the command makes one up."""
STUDIO_KEY = "LABEL_STUDIO_API_KEY"
"""The environment variable with Label Studio's access token."""
LARGEST = 2**20
"""Bytes of a request's body."""
_SECONDS = 30
_LEAST_TOKEN = 16

Route = Callable[[Any], dict[str, Any]]


class Server(ThreadingHTTPServer):
    """A job on ``address``. ``loop``: the Label Studio project that it keeps in work, if any.

    ``POST /ask {annotator, count}``, ``POST /tell {annotator, answers: [{item, label}]}`` (label null: cannot tell),
    ``POST /release {annotator, items}``, ``POST /correct {annotator, item, label}``, ``GET /status``,
    ``GET /suspicious``, and ``POST /webhook`` for Label Studio; each with the header ``Authorization: Bearer TOKEN``.
    """

    daemon_threads = True
    request_queue_size = 128  # of the five that are usual the rest of fifty who come at once would wait, or be reset

    def __init__(self, address: tuple[str, int], job: Job, token: str, loop: Loop | None = None) -> None:
        if len(token) < _LEAST_TOKEN or not token.isascii() or token != token.strip():
            raise ValueError(
                f"the token in {TOKEN} must have at least {_LEAST_TOKEN} characters, in ASCII and no spaces around them"
            )
        self.job, self.loop, self._token = job, loop, token.encode()
        self.routes: Mapping[tuple[str, str], Route] = {
            ("POST", "/ask"): self._ask,
            ("POST", "/tell"): self._tell,
            ("POST", "/release"): self._release,
            ("POST", "/correct"): self._correct,
            ("POST", "/webhook"): self._webhook,
            ("GET", "/status"): self._status,
            ("GET", "/suspicious"): self._suspicious,
        }
        try:
            super().__init__(address, _Handler)
        except (OSError, OverflowError) as error:
            raise OSError(f"cannot listen on {address[0]}:{address[1]}: {error}; --port 0 takes a free one") from error

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing where a client has hung up: what was kept stays, and who asks again gets what was handed out."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def knows(self, authorization: str) -> bool:
        """Whether a request's header holds the token. Takes as long whatever is in it."""
        return hmac.compare_digest(authorization.encode(), b"Bearer " + self._token)

    def _ask(self, body: Any) -> dict[str, Any]:
        items = self.job.ask(_text(body, "annotator"), body.get("count", 1))
        with self.job.reading() as state:
            return {"items": [state.record(item) for item in items]}

    def _tell(self, body: Any) -> dict[str, Any]:
        annotator, given = _text(body, "annotator"), body.get("answers")
        if not isinstance(given, list):
            raise ValueError("answers must be a list of objects with item and label")
        answers = [Answer(annotator, _text(one, "item"), _label(one)) for one in given]
        receipt = self.job.tell(answers)
        return {"new": receipt.new, "repeated": receipt.repeated, "spare": receipt.spare}

    def _release(self, body: Any) -> dict[str, Any]:
        items = body.get("items") if isinstance(body, Mapping) else None
        if items is not None and not (isinstance(items, list) and all(isinstance(item, str) for item in items)):
            raise ValueError("items must be a list of strings")
        return {"released": self.job.release(_text(body, "annotator"), items)}

    def _correct(self, body: Any) -> dict[str, Any]:
        self.job.correct(_text(body, "annotator"), _text(body, "item"), _label(body))
        return {}

    def _webhook(self, body: Any) -> dict[str, Any]:
        if self.loop is None:
            raise ValueError("this server keeps no Label Studio project: start it with --label-studio and --project")
        return {"kept": self.loop.take(body)}

    def _status(self, body: Any) -> dict[str, Any]:
        with self.job.reading() as state:
            return status(state)

    def _suspicious(self, body: Any) -> dict[str, Any]:
        with self.job.reading() as state:
            return {"suspicious": suspicious(state)}


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "labelbench-direct", ""
    timeout = _SECONDS

    def do_GET(self) -> None:
        self._handle("GET")

    def do_POST(self) -> None:
        self._handle("POST")

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  # its parent's
        """Nothing: what comes from outside does not reach the terminal."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """In JSON like every answer, also to what is hardly a request."""
        self._send(code, {"error": message or self.responses[HTTPStatus(code)][0]})

    def _handle(self, method: str) -> None:
        code, answer = self._answered(method)
        self._send(code, answer, is_read=code == 200 and method == "POST")

    def _send(self, code: int, answer: Mapping[str, Any], is_read: bool = False) -> None:
        """An answer; it ends the connection unless the request's body has been read."""
        text = json.dumps(answer, ensure_ascii=True).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        if not is_read:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(text)

    def _answered(self, method: str) -> tuple[int, dict[str, Any]]:
        if not self.server.knows(self.headers.get("Authorization", "")):
            return 401, {"error": "the header Authorization: Bearer TOKEN is missing or wrong"}
        route = self.server.routes.get((method, self.path))
        if route is None:
            return 404, {"error": "there are " + ", ".join(" ".join(one) for one in self.server.routes)}
        try:
            return 200, route(self._body() if method == "POST" else None)
        except _TooLargeError as error:
            return 413, {"error": str(error)}
        except (ValueError, TypeError) as error:
            return 400, {"error": str(error)}
        except OSError as error:
            return 503, {"error": str(error)}
        except RuntimeError as error:
            return 500, {"error": str(error)}

    def _body(self) -> Any:
        if self.headers.get_content_type() != "application/json":
            raise ValueError("the body must be application/json")
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit():
            raise ValueError("the header Content-Length is missing")
        if int(length) > LARGEST:
            raise _TooLargeError(f"the body must have at most {LARGEST} bytes")
        try:
            return json.loads(self.rfile.read(int(length)))
        except RecursionError as error:
            raise ValueError("the body is nested too deeply") from error


class _TooLargeError(Exception):
    pass


def _text(body: Any, name: str) -> str:
    value = body.get(name) if isinstance(body, Mapping) else None
    if not isinstance(value, str):
        raise ValueError(f"the body must be an object whose {name} is a string")
    return value


def _label(body: Mapping[str, Any]) -> str | None:
    if "label" not in body:
        raise ValueError("label is missing: a class, or null for 'cannot tell'")
    return None if body["label"] is None else _text(body, "label")
