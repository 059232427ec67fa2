"""What the loopback service does wrong, on demand. What it does right lives in `tasks` and `service`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Literal, TypeVar

FileTrouble = Literal[
    "corrupt",
    "corrupt_quietly",
    "truncate_quietly",
    "skip_quietly",
    "left_out",
    "missing",
    "denied",
    "quota",
    "changing",
]
TaskTrouble = Literal["hold", "inactive", "paused", "disconnected", "expired", "canceled_by_admin"]


@dataclass
class HttpFault:
    """A request that goes wrong.

    Parameters
    ----------
    route : str
        Regular expression that begins ``METHOD path``, as ``POST /v0.10/transfer``.
    status : int
        What is answered; 0 drops the connection.
    code, message : str
        Of the error document.
    headers : mapping of str to str
    extra : mapping
        More fields of the error document (consents, authorization parameters).
    is_after : bool
        The request is carried out all the same, and only its reply goes wrong.
    n_times : int
        How often.
    """

    route: str
    status: int = 0
    code: str = "ServiceUnavailable"
    message: str = "made up"
    headers: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    is_after: bool = False
    n_times: int = 1


@dataclass
class FileFault:
    """A file that goes wrong.

    Parameters
    ----------
    trouble : str
        ``corrupt`` (one byte turned on the way), ``corrupt_quietly`` (and the service's checksums do not see it),
        ``truncate_quietly``, ``skip_quietly`` (not copied, not listed, said to be well), ``left_out`` (listed as skipped),
        ``missing``, ``denied``, ``quota``, ``changing`` (the file never matches its checksum).
    source : str
        Regular expression that is found in the source's path.
    n_times : int
    """

    trouble: FileTrouble
    source: str = ""
    n_times: int = 1


@dataclass
class TaskFault:
    """A transfer task that goes wrong before its first file; ``hold`` keeps it active until `Faults.release`."""

    trouble: TaskTrouble
    n_times: int = 1


_Fault = TypeVar("_Fault", HttpFault, FileFault, TaskFault)


class Faults:
    """Faults that wait for their occasion; safe for several threads."""

    def __init__(self) -> None:
        self._waiting: list[HttpFault | FileFault | TaskFault] = []
        self._lock = Lock()

    def add(self, *faults: HttpFault | FileFault | TaskFault) -> None:
        """Let these happen, in order, each as often as it says."""
        with self._lock:
            self._waiting.extend(faults)

    def clear(self) -> None:
        """Forget all that has not happened."""
        with self._lock:
            self._waiting.clear()

    def of_request(self, method: str, path: str) -> HttpFault | None:
        """Take the fault of a request."""
        return self._take(HttpFault, lambda fault: re.match(fault.route, f"{method} {path}") is not None)

    def of_file(self, source: str) -> FileFault | None:
        """Take the fault of a file."""
        return self._take(FileFault, lambda fault: re.search(fault.source, source) is not None)

    def of_task(self) -> TaskFault | None:
        """Take the fault of a task."""
        return self._take(TaskFault, lambda _: True)

    def _take(self, kind: type[_Fault], is_meant: Callable[[_Fault], bool]) -> _Fault | None:
        with self._lock:
            for fault in self._waiting:
                if isinstance(fault, kind) and is_meant(fault):
                    fault.n_times -= 1
                    if fault.n_times <= 0:
                        self._waiting.remove(fault)
                    return fault
        return None
