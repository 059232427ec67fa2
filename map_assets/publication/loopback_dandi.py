"""A DANDI archive on 127.0.0.1 that keeps real bytes, for tests and for trying an upload out. The client that talks to it is DANDI's own, in `dandi_upload`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from map_assets.publication.loopback import Asked, Loopback, Reply

PART_BYTES = 64 * 2**20
"""DANDI's client cuts files into parts of this size, up to 10,000 of them."""
_PREFIX = "/api"


@dataclass
class Faults:
    """What the archive does wrong.

    Parameters
    ----------
    corrupts_parts : bool
        Every part arrives with one bit turned.
    lies_on_sha256 : bool
        The sha256 that it tells is not the blob's.
    polls_before_sha256 : int
        How often an asset is asked for before its sha256 is told; the real one reckons it later, too.
    refuses_uploads : bool
        Answers 403 to a new upload.
    """

    corrupts_parts: bool = False
    lies_on_sha256: bool = False
    polls_before_sha256: int = 0
    refuses_uploads: bool = False


@dataclass
class _Upload:
    etag: str
    size: int
    parts: dict[int, bytes] = field(default_factory=dict)


@dataclass
class _Asset:
    path: str
    blob: str
    metadata: dict[str, Any]
    created: str
    n_asked: int = 0


class LoopbackDandi(Loopback):
    """One archive with one dandiset, whose draft takes files.

    Parameters
    ----------
    token : str
        The API key that it takes.
    dandiset : str
        Number of its dandiset.
    faults : Faults, optional
    """

    def __init__(self, token: str, dandiset: str = "000001", faults: Faults | None = None, port: int = 0) -> None:
        super().__init__(port)
        self.token = token
        self.dandiset = dandiset
        self.faults = faults or Faults()
        self.blobs: dict[str, bytes] = {}
        self.etags: dict[str, str] = {}
        self.assets: dict[str, _Asset] = {}
        self._uploads: dict[str, _Upload] = {}

    @property
    def api(self) -> str:
        """Address of the API."""
        return self.root + _PREFIX

    def answer(self, asked: Asked) -> Reply:
        """Answer one request."""
        assets = rf"{_PREFIX}/dandisets/{self.dandiset}/versions/draft/assets/"
        routes: tuple[tuple[str, str, Callable[..., Reply]], ...] = (
            ("GET", f"{_PREFIX}/info/", self._info),
            ("PUT", r"/part/([^/]+)/(\d+)", self._part),
            ("POST", r"/complete/([^/]+)", self._assemble),
            ("GET", f"{_PREFIX}/auth/token", lambda _: Reply(200, {"token": "hidden"})),
            ("GET", rf"{_PREFIX}/dandisets/{self.dandiset}/", self._dandiset),
            ("POST", f"{_PREFIX}/uploads/initialize/", self._initialize),
            ("POST", rf"{_PREFIX}/uploads/([^/]+)/complete/", self._complete),
            ("POST", rf"{_PREFIX}/uploads/([^/]+)/validate/", self._validate),
            ("GET", assets, self._list),
            ("POST", assets, self._add),
            ("PUT", assets + r"([^/]+)/", self._replace),
            ("GET", assets + r"([^/]+)/", self._metadata),
        )
        for number, (method, pattern, handle) in enumerate(routes):
            found = re.fullmatch(pattern, asked.path)
            if found is not None and asked.method == method:
                needs_key = (number > 2 and method != "GET") or asked.path.endswith("/auth/token")
                if needs_key and asked.headers.get("Authorization") != f"token {self.token}":
                    return Reply(401, {"detail": "Invalid token."})
                return handle(asked, *found.groups())
        return Reply(404, {"detail": "Not found."})

    def _info(self, asked: Asked) -> Reply:  # noqa: ARG002
        from map_assets.publication.extra import load

        told = {
            "schema_version": load("dandischema.consts").DANDI_SCHEMA_VERSION,
            "version": "0.60.0",  # a whole semantic version: the client refuses others
            "cli-minimal-version": "0.60.0",
            "cli-bad-versions": [],
            "services": {"api": {"url": self.api}},
        }
        return Reply(200, told)

    def _dandiset(self, asked: Asked) -> Reply:  # noqa: ARG002
        now = datetime.now(UTC).isoformat()
        draft = {"version": "draft", "name": "tried out", "asset_count": len(self.assets), "size": 0, "status": "Valid"}
        draft |= {"created": now, "modified": now}
        told = {
            "identifier": self.dandiset,
            "created": now,
            "modified": now,
            "contact_person": "",
            "embargo_status": "OPEN",
        }
        return Reply(200, {**told, "draft_version": draft, "most_recent_published_version": None})

    def _initialize(self, asked: Asked) -> Reply:
        if self.faults.refuses_uploads:
            return Reply(403, {"detail": "You may not write to this dandiset."})
        values = asked.json()
        etag, size = values["digest"]["value"], int(values["contentSize"])
        blob = next((name for name, known in self.etags.items() if known == etag), None)
        if blob is not None:
            return Reply(409, {"detail": "Blob already exists."}, {"Location": blob})
        upload = str(uuid4())
        self._uploads[upload] = _Upload(etag, size)
        sizes = [min(PART_BYTES, size - start) for start in range(0, max(size, 1), PART_BYTES)]
        parts = [
            {"part_number": number, "size": one, "upload_url": f"{self.root}/part/{upload}/{number}"}
            for number, one in enumerate(sizes, 1)
        ]
        return Reply(200, {"upload_id": upload, "parts": parts})

    def _part(self, asked: Asked, upload: str, number: str) -> Reply:
        body = asked.body
        if self.faults.corrupts_parts:
            body = body[:-1] + bytes([body[-1] ^ 1])
        self._uploads[upload].parts[int(number)] = body
        return Reply(200, b"", {"ETag": f'"{_md5(body)}"'})

    def _complete(self, asked: Asked, upload: str) -> Reply:  # noqa: ARG002
        return Reply(200, {"complete_url": f"{self.root}/complete/{upload}", "body": "<CompleteMultipartUpload/>"})

    def _assemble(self, asked: Asked, upload: str) -> Reply:  # noqa: ARG002
        text = f"<CompleteMultipartUploadResult><ETag>{self._etag(upload)}</ETag></CompleteMultipartUploadResult>"
        return Reply(200, text.encode(), {"Content-Type": "application/xml"})

    def _etag(self, upload: str) -> str:
        parts = [one for _, one in sorted(self._uploads[upload].parts.items())]
        return f"{_md5(b''.join(hashlib.md5(one, usedforsecurity=False).digest() for one in parts))}-{len(parts)}"

    def _validate(self, asked: Asked, upload: str) -> Reply:  # noqa: ARG002
        content = b"".join(one for _, one in sorted(self._uploads[upload].parts.items()))
        if self._etag(upload) != self._uploads[upload].etag or len(content) != self._uploads[upload].size:
            return Reply(400, {"detail": "The blob is not what was announced."})
        blob = str(uuid4())
        self.blobs[blob], self.etags[blob] = content, self._uploads.pop(upload).etag
        return Reply(200, {"blob_id": blob, "etag": self.etags[blob], "size": len(content)})

    def _add(self, asked: Asked) -> Reply:
        values = asked.json()
        if any(one.path == values["metadata"]["path"] for one in self.assets.values()):
            return Reply(409, {"detail": "An asset stands at that path."})
        return self._keep(values)

    def _replace(self, asked: Asked, asset: str) -> Reply:
        if asset not in self.assets:
            return Reply(404, {"detail": "Not found."})
        del self.assets[asset]
        return self._keep(asked.json())

    def _keep(self, values: dict[str, Any]) -> Reply:
        asset = str(uuid4())
        now = datetime.now(UTC).isoformat()
        self.assets[asset] = _Asset(values["metadata"]["path"], values["blob_id"], values["metadata"], now)
        return Reply(200, self._told(asset))

    def _told(self, asset: str) -> dict[str, Any]:
        one = self.assets[asset]
        size = len(self.blobs[one.blob])
        return {"asset_id": asset, "blob": one.blob, "zarr": None, "path": one.path, "size": size, "created": one.created,
                "modified": one.created, "metadata": one.metadata}  # fmt: skip

    def _list(self, asked: Asked) -> Reply:
        prefix = asked.query.get("path", "")
        found = [self._told(asset) for asset, one in self.assets.items() if one.path.startswith(prefix)]
        for one in found:
            del one["metadata"]
        return Reply(200, {"count": len(found), "next": None, "previous": None, "results": found})

    def _metadata(self, asked: Asked, asset: str) -> Reply:  # noqa: ARG002
        if asset not in self.assets:
            return Reply(404, {"detail": "Not found."})
        one = self.assets[asset]
        one.n_asked += 1
        digest = {"dandi:dandi-etag": self.etags[one.blob]}
        if one.n_asked > self.faults.polls_before_sha256:
            content = self.blobs[one.blob] + (b"lie" if self.faults.lies_on_sha256 else b"")
            digest["dandi:sha2-256"] = hashlib.sha256(content).hexdigest()
        return Reply(
            200, {**one.metadata, "digest": digest, "contentSize": len(self.blobs[one.blob]), "identifier": asset}
        )


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
