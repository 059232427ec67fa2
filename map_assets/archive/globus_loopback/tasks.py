"""The loopback service's tasks: each copies or removes files in a thread of its own. Which document is answered when is in `service`."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final
from uuid import uuid4

from map_assets.archive.globus_loopback.collections import Collection, Refused, checksum
from map_assets.archive.globus_loopback.faults import Faults

_LOOKS_EVERY_S: Final = 0.01
_ERRORS = {
    "left_out": ("PERMISSION_DENIED", "Permission denied"),
    "missing": ("FILE_NOT_FOUND", "No such file or directory"),
    "denied": ("PERMISSION_DENIED", "Permission denied"),
    "quota": ("QUOTA_EXCEEDED", "Disk quota exceeded"),
}


class Ended(Exception):
    """A task that fails, with its code."""


@dataclass
class Task:
    """One task and what it did.

    Parameters
    ----------
    kind : str
        ``TRANSFER`` or ``DELETE``.
    asked : mapping
        The document that was submitted.
    collections : mapping of str to Collection
    faults : Faults
    """

    kind: str
    asked: Mapping[str, Any]
    collections: Mapping[str, Collection]
    faults: Faults
    task: str = field(default_factory=lambda: str(uuid4()))
    status: str = "ACTIVE"
    nice_status: str | None = "Queued"
    is_paused: bool = False
    canceled_by_admin: str | None = None
    code: str = ""
    made_at: str = field(default_factory=lambda: _now())
    ended_at: str | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    successes: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[dict[str, Any]] = field(default_factory=list)
    n_faults: int = 0
    n_bytes: int = 0
    n_synced: int = 0
    cancel: Event = field(default_factory=Event)
    release: Event = field(default_factory=Event)

    def start(self) -> None:
        """Begin, in a thread."""
        Thread(target=self._run, daemon=True).start()

    def document(self) -> dict[str, Any]:
        """Describe it, as the service does."""
        n_files, n_left = len(self.asked["DATA"]), int(self.status == "FAILED")
        end = {"CANCELED": "canceled", "EXPIRED": "expired"}.get(self.code, "failed")
        return {
            "DATA_TYPE": "task",
            "task_id": self.task,
            "type": self.kind,
            "status": self.status,
            "label": self.asked.get("label"),
            "nice_status": self.nice_status,
            "is_paused": self.is_paused,
            "canceled_by_admin": self.canceled_by_admin,
            "fatal_error": {"code": self.code, "description": self.code.lower()} if self.status == "FAILED" else None,
            "request_time": self.made_at,
            "completion_time": self.ended_at,
            "deadline": self.asked.get("deadline"),
            "faults": self.n_faults,
            "files": n_files,
            "files_transferred": len(self.successes),
            "files_skipped": self.n_synced,
            "bytes_transferred": self.n_bytes,
            "subtasks_total": n_files,
            "subtasks_succeeded": len(self.successes) + self.n_synced,
            "subtasks_skipped_errors": len(self.skipped),
            **{f"subtasks_{name}": n_left if name == end else 0 for name in ("failed", "canceled", "expired")},
            "history_deleted": False,
        }

    # -- inside ------------------------------------------------------------------------------------------------------------
    def _run(self) -> None:
        try:
            self.tell("STARTED", is_error=False)
            if self.kind == "DELETE":
                self._remove()
            else:
                self._stumble()
                for item in self.asked["DATA"]:
                    self._one(item)
            end, code = "SUCCEEDED", ""
        except Ended as error:
            end, code = "FAILED", str(error)
        except (OSError, Refused) as error:
            end, code = "FAILED", "ENDPOINT_ERROR"
            self.tell(code, str(error))
        self.code, self.nice_status = code, None
        self.tell(code or "SUCCEEDED", is_error=bool(code))
        self.ended_at = _now()
        self.status = end

    def tell(self, code: str, details: str = "", *, is_error: bool = True) -> None:
        """Add an event."""
        self.events.insert(
            0,
            {
                "DATA_TYPE": "event",
                "code": code,
                "is_error": is_error,
                "time": _now(),
                "description": code.lower(),
                "details": details,
            },
        )
        self.n_faults += is_error

    def _stumble(self) -> None:
        fault = self.faults.of_task()
        if fault is None:
            return
        if fault.trouble in {"expired", "canceled_by_admin"}:
            if fault.trouble == "canceled_by_admin":
                self.canceled_by_admin = "DESTINATION"
            raise Ended("EXPIRED" if fault.trouble == "expired" else "CANCELED")
        if fault.trouble == "inactive":
            self.status, self.nice_status = "INACTIVE", "NO_CREDENTIALS"
        elif fault.trouble == "paused":
            self.is_paused, self.nice_status = True, "PAUSED_BY_ADMIN"
        elif fault.trouble == "disconnected":
            self.nice_status = "GC_NOT_CONNECTED"
            self.tell("GC_NOT_CONNECTED", "The endpoint is not connected")
        while not self.release.wait(_LOOKS_EVERY_S):
            self._look_for_cancel()
        self.status, self.is_paused, self.nice_status = "ACTIVE", False, None

    def _look_for_cancel(self) -> None:
        if self.cancel.is_set():
            raise Ended("CANCELED")
        deadline = self.asked.get("deadline")
        if deadline and datetime.fromisoformat(deadline) < datetime.now(UTC):
            raise Ended("EXPIRED")

    def _one(self, item: Mapping[str, Any]) -> None:
        """Move one file, again and again while its checksum is wrong."""
        self.nice_status = None
        source = self.collections[self.asked["source_endpoint"]].path(item["source_path"])
        destination = self.collections[self.asked["destination_endpoint"]]
        target = destination.path(item["destination_path"])
        is_first = True
        while True:
            self._look_for_cancel()
            fault = self.faults.of_file(item["source_path"])
            trouble = fault.trouble if fault else ("" if source.is_file() else "missing")
            if trouble in _ERRORS:
                return self._cannot(item, trouble)
            if trouble == "skip_quietly":
                return None
            algorithm = str(item.get("checksum_algorithm") or "MD5").upper()
            if algorithm not in destination.algorithms:
                self.tell("ENDPOINT_ERROR", f"checksum algorithm {algorithm} is not supported")
                raise Ended("ENDPOINT_ERROR")
            if is_first and self._is_there(source, target, algorithm):
                self.n_synced += 1
                return None
            target.parent.mkdir(parents=True, exist_ok=True)
            _copy(source, target, trouble)
            if self.asked.get("preserve_timestamp"):
                status = source.stat()
                os.utime(target, ns=(status.st_atime_ns, int(status.st_mtime) * 10**9))
            self.n_bytes += target.stat().st_size
            if self._is_well(item, source, target, algorithm, trouble):
                return self._moved(item, target, algorithm)
            is_first = False
            self.cancel.wait(_LOOKS_EVERY_S)

    def _is_there(self, source: Path, target: Path, algorithm: str) -> bool:
        """Whether a sync of this level leaves the file as it is."""
        level = self.asked.get("sync_level")
        if level is None or not target.is_file():
            return False
        old, new = target.stat(), source.stat()
        return bool(
            level == 0
            or (level == 1 and old.st_size == new.st_size)
            or (level == 2 and old.st_mtime >= new.st_mtime)
            or (level == 3 and checksum(source, algorithm) == checksum(target, algorithm))
        )

    def _is_well(self, item: Mapping[str, Any], source: Path, target: Path, algorithm: str, trouble: str) -> bool:
        """Whether the checksums that were asked for are right; an external one that is not ends the task."""
        if trouble == "changing":
            self.tell("VERIFY_CHECKSUM", _details(item))
            return False
        if trouble.endswith("_quietly") or not self.collections[self.asked["destination_endpoint"]].is_checking:
            return True
        expected = item.get("external_checksum")
        if expected and expected != checksum(target, algorithm):
            self.tell("EXTERNAL_CHECKSUM_MISMATCH", _details(item))
            raise Ended("EXTERNAL_CHECKSUM_MISMATCH")
        if self.asked.get("verify_checksum") and checksum(source, algorithm) != checksum(target, algorithm):
            self.tell("VERIFY_CHECKSUM", _details(item))
            return False
        return True

    def _moved(self, item: Mapping[str, Any], target: Path, algorithm: str) -> None:
        self.successes.append(
            {
                "DATA_TYPE": "successful_transfer",
                "source_path": item["source_path"],
                "destination_path": item["destination_path"],
                "size": target.stat().st_size,
                "checksum_algorithm": algorithm if self.asked.get("verify_checksum") else None,
                "checksum": checksum(target, algorithm) if self.asked.get("verify_checksum") else None,
            }
        )

    def _cannot(self, item: Mapping[str, Any], trouble: str) -> None:
        code, said = _ERRORS[trouble]
        self.tell(code, _details(item, said))
        if trouble != "left_out" and (trouble == "quota" or not self.asked.get("skip_source_errors")):
            raise Ended(code)
        self.skipped.append(
            {"DATA_TYPE": "skipped_error", "error_code": code, "error_details": said, **{
                name: item[name] for name in ("source_path", "destination_path")}}
        )  # fmt: skip

    def _remove(self) -> None:
        place = self.collections[self.asked["endpoint"]]
        for item in self.asked["DATA"]:
            path = place.path(item["path"])
            if not path.exists() and self.asked.get("ignore_missing"):
                continue
            if path.is_dir() and self.asked.get("recursive"):
                shutil.rmtree(path)
            else:
                path.unlink()


def _copy(source: Path, target: Path, trouble: str) -> None:
    """Copy under the final name, as file servers do."""
    shutil.copyfile(source, target)
    size = target.stat().st_size
    if trouble.startswith("corrupt") and size:
        with target.open("r+b") as stream:
            stream.seek(size // 2)
            byte = stream.read(1)
            stream.seek(size // 2)
            stream.write(bytes([byte[0] ^ 1]))
    elif trouble == "truncate_quietly":
        os.truncate(target, size // 2)


def _details(item: Mapping[str, Any], said: str = "checksums differ") -> str:
    return json.dumps({"context": [{"operation": "copy", "path": item["source_path"]}], "error": {"body": said}})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
