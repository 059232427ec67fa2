"""The loopback service's HTTP: routes, tokens and error documents of Globus Transfer and Auth. What tasks do lives in `tasks`."""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

from map_assets.archive.globus_loopback.collections import Collection, Refused
from map_assets.archive.globus_loopback.faults import Faults, HttpFault
from map_assets.archive.globus_loopback.tasks import Task

_SCOPE: Final = "urn:globus:auth:scope:transfer.api.globus.org:all"
_ID: Final = r"([0-9a-fA-F-]+)"
_PAGE: Final = 100
_TOKEN_S: Final = 7200


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body, which is a JSON object."""
        found: dict[str, Any] = json.loads(self.body or b"{}")
        return found


class LoopbackGlobus:
    """A Globus Transfer and Auth service in threads of this process; use it in a ``with`` block.

    Parameters
    ----------
    collections : iterable of Collection
    client_id, client_secret : str
        The one service account that it knows.
    port : int
        0 takes a free one.
    """

    def __init__(self, collections: Iterable[Collection], client_id: str, client_secret: str, port: int = 0) -> None:
        self.collections = {one.collection: one for one in collections}
        self.client_id, self.client_secret = client_id, client_secret
        self.faults = Faults()
        self.asked: list[tuple[str, str]] = []
        self.tasks: dict[str, Task] = {}
        self.tokens: dict[str, frozenset[str]] = {}
        self._submissions: dict[str, str] = {}
        self._lock = Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._routes: tuple[tuple[str, Callable[..., Any]], ...] = (
            (r"GET /v0\.10/submission_id", lambda _: {"DATA_TYPE": "submission_id", "value": str(uuid4())}),
            (r"POST /v0\.10/(transfer|delete)", self._submit),
            (r"GET /v0\.10/task_list", self._list),
            (rf"GET /v0\.10/task/{_ID}", lambda _, task: self._task(task).document()),
            (rf"GET /v0\.10/task/{_ID}/(successful_transfers|skipped_errors)", self._pages),
            (rf"GET /v0\.10/task/{_ID}/event_list", self._events),
            (rf"POST /v0\.10/task/{_ID}/cancel", self._cancel),
            (rf"GET /v0\.10/endpoint/{_ID}", lambda asked, one: self._collection(one, asked, is_data=False).document()),
            (rf"GET /v0\.10/operation/endpoint/{_ID}/(ls|stat)", self._look),
            (rf"POST /v0\.10/operation/endpoint/{_ID}/(mkdir|rename)", self._change),
        )

    @property
    def url(self) -> str:
        """Address of the service."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def release(self) -> None:
        """Let every task that was made to stand still go on."""
        for task in list(self.tasks.values()):
            task.release.set()

    def revoke(self) -> None:
        """Make all tokens worthless."""
        self.tokens.clear()

    def n_asked(self, pattern: str) -> int:
        """Count the requests whose ``METHOD path`` matches."""
        return sum(re.fullmatch(pattern, f"{method} {path}") is not None for method, path in self.asked)

    def transfers(self) -> list[Task]:
        """Return the transfer tasks, oldest first."""
        return [task for task in self.tasks.values() if task.kind == "TRANSFER"]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        for task in self.tasks.values():
            task.cancel.set()

    # -- answers -----------------------------------------------------------------------------------------------------------
    def answer(self, asked: Asked) -> tuple[int, Any, Mapping[str, str]]:
        """Answer a request: status, document, headers; status 0 drops the connection."""
        self.asked.append((asked.method, asked.path))
        fault = self.faults.of_request(asked.method, asked.path)
        if fault is not None and not fault.is_after:
            return self._failing(fault)
        try:
            status, document = self._answer(asked)
        except Refused as error:
            return error.status, _error(asked.path, error.code, str(error), error.extra), {}
        return (status, document, {}) if fault is None else self._failing(fault)

    def _failing(self, fault: HttpFault) -> tuple[int, Any, Mapping[str, str]]:
        return fault.status, _error("", fault.code, fault.message, fault.extra), fault.headers

    def _answer(self, asked: Asked) -> tuple[int, Any]:
        if (asked.method, asked.path) == ("POST", "/v2/oauth2/token"):
            return 200, self._token(asked)
        if asked.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            raise Refused(401, "AuthenticationFailed", "Token is not active")
        for pattern, answer in self._routes:
            found = re.fullmatch(pattern, f"{asked.method} {asked.path}")
            if found is not None:
                with self._lock:
                    document = answer(asked, *found.groups())
                return 202 if asked.path in {"/v0.10/transfer", "/v0.10/delete"} else 200, document
        raise Refused(404, "ClientError.NotFound", f"No such resource: {asked.path}")

    def _token(self, asked: Asked) -> dict[str, Any]:
        sent = base64.b64decode(asked.headers.get("Authorization", "").removeprefix("Basic ")).decode()
        if sent != f"{self.client_id}:{self.client_secret}":
            raise Refused(401, "invalid_client", "The client id and secret do not belong together")
        scopes = parse_qs(asked.body.decode())["scope"][-1]
        with_data = frozenset(re.findall(rf"/scopes/{_ID}/data_access", scopes))
        for one in with_data:
            if one not in self.collections or not self.collections[one].needs_consent:
                raise Refused(400, "unknown_scope", f"Unknown scope of {one}")
        token = secrets.token_urlsafe(24)
        self.tokens[token] = with_data
        other = {"resource_server": "auth.globus.org", "scope": "openid", "access_token": secrets.token_urlsafe(24)}
        common = {"expires_in": _TOKEN_S, "token_type": "Bearer"}
        mine = {"resource_server": "transfer.api.globus.org", "scope": _SCOPE, "access_token": token, **common}
        return {**mine, "other_tokens": [{**other, **common}] if "openid" in scopes else []}

    def _collection(self, name: str, asked: Asked, *, is_data: bool = True) -> Collection:
        found = self.collections.get(name)
        if found is None:
            raise Refused(404, "EndpointNotFound", f"No such endpoint '{name}'")
        if is_data and found.high_assurance:
            wanted = {"session_message": "A recent login is needed", "session_required_single_domain": ["example.org"]}
            raise Refused(403, "PermissionDenied", "High assurance", authorization_parameters=wanted)
        token = self.tokens[asked.headers["Authorization"].removeprefix("Bearer ")]
        if is_data and found.needs_consent and name not in token:
            scope = f"{_SCOPE}[*https://auth.globus.org/scopes/{name}/data_access]"
            raise Refused(
                403, "ConsentRequired", f"Missing required data_access consent: {name}", required_scopes=[scope]
            )
        return found

    def _task(self, task: str) -> Task:
        try:
            return self.tasks[task]
        except KeyError:
            raise Refused(404, "ClientError.NotFound", f"Task ID '{task}' not found") from None

    def _submit(self, asked: Asked, kind: str) -> dict[str, Any]:
        document = asked.json()
        if not document.get("DATA"):
            raise Refused(400, "ClientError.BadRequest.NoTransferItems", "A transfer requires at least one item")
        for name in ("source_endpoint", "destination_endpoint", "endpoint"):
            if name in document:
                self._collection(document[name], asked)
        submission = document["submission_id"]
        is_again = submission in self._submissions
        if not is_again:
            task = Task(kind.upper(), document, self.collections, self.faults)
            self.tasks[task.task] = task
            self._submissions[submission] = task.task
            task.start()
        number = self._submissions[submission]
        told = {
            "DATA_TYPE": f"{kind}_result",
            "code": "Duplicate" if is_again else "Accepted",
            "submission_id": submission,
        }
        return {**told, "task_id": number, "message": "", "task_link": {"href": f"/v0.10/task/{number}?format=json"}}

    def _list(self, asked: Asked) -> dict[str, Any]:
        tasks = [task.document() for task in self.tasks.values()]
        limit = int(asked.query.get("limit", 10))
        return {"DATA_TYPE": "task_list", "DATA": tasks[:limit], "total": len(tasks), "offset": 0, "limit": limit}

    def _pages(self, asked: Asked, task: str, what: str) -> dict[str, Any]:
        found = self._task(task)
        if found.status in {"ACTIVE", "INACTIVE"}:
            raise Refused(400, "ClientError.BadRequest", "The task has not completed")
        rows = found.successes if what == "successful_transfers" else found.skipped
        first = int(asked.query.get("marker", 0))
        after = first + _PAGE if first + _PAGE < len(rows) else None
        return {"DATA_TYPE": what, "DATA": rows[first : first + _PAGE], "marker": first, "next_marker": after}

    def _events(self, asked: Asked, task: str) -> dict[str, Any]:
        events = list(self._task(task).events)
        limit, offset = int(asked.query.get("limit", 10)), int(asked.query.get("offset", 0))
        rows = events[offset : offset + limit]
        return {"DATA_TYPE": "event_list", "DATA": rows, "total": len(events), "offset": offset, "limit": limit}

    def _cancel(self, asked: Asked, task: str) -> dict[str, Any]:  # noqa: ARG002
        self._task(task).cancel.set()
        return {"DATA_TYPE": "result", "code": "Canceled", "message": "The task has been cancelled successfully."}

    def _look(self, asked: Asked, collection: str, what: str) -> dict[str, Any]:
        place, path = self._collection(collection, asked), asked.query.get("path", "/")
        if what == "stat":
            return place.stat(path)
        rows, limit, offset = (
            place.entries(path),
            int(asked.query.get("limit", 100_000)),
            int(asked.query.get("offset", 0)),
        )
        return {"DATA_TYPE": "file_list", "path": path, "DATA": rows[offset : offset + limit], "total": len(rows)}

    def _change(self, asked: Asked, collection: str, what: str) -> dict[str, Any]:
        place, body = self._collection(collection, asked), asked.json()
        return place.make_folder(body["path"]) if what == "mkdir" else place.rename(body["old_path"], body["new_path"])


def _error(resource: str, code: str, message: str, extra: Mapping[str, Any]) -> dict[str, Any]:
    return {"code": code, "message": message, "request_id": secrets.token_hex(5), "resource": resource, **extra}


def _handler(service: LoopbackGlobus) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: requests carry secrets."""

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            asked = Asked(self.command, unquote(parts.path), query, dict(self.headers.items()), body)
            status, document, headers = service.answer(asked)
            if status == 0:
                self.close_connection = True
                return
            content = json.dumps(document).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _serve

    return Handler
