"""One service account's way to Globus, by its own SDK: tokens, pace, retries, and refusals in the archive's words. What is asked lives in `globus_client`."""

from __future__ import annotations

import base64
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

from map_assets.archive.backends.globus_settings import GlobusSettings, read_secret
from map_assets.archive.backends.globus_verdicts import Document, refusal
from map_assets.archive.backends.protocol import ArchiveNotReady

if TYPE_CHECKING:
    from globus_sdk import ClientApp, TransferClient
    from globus_sdk.response import GlobusHTTPResponse
    from globus_sdk.transport import RequestsTransport, RetryConfig, RetryContext

APP: Final = "map-assets"
_TIMEOUT_S: Final = 60.0
Ask = Callable[["TransferClient"], "GlobusHTTPResponse"]


class GlobusSession:
    """One service account at Globus Transfer; may be used from several threads, each of which gets its own SDK client.

    Tokens live in memory only. Nothing is asked before it is needed.

    Parameters
    ----------
    settings : GlobusSettings
    """

    def __init__(self, settings: GlobusSettings) -> None:
        self.settings = settings
        self._local = threading.local()
        self._pace = threading.Lock()
        self._next_at = 0.0
        self._needs_consent: list[str] | None = None

    def asked(self, what: str, ask: Ask) -> dict[str, Any]:
        """Ask, and give the answer's document. No error of the SDK goes on from here: it holds the request's headers."""
        from globus_sdk import GlobusError

        try:
            client = self._client()
            self._wait_for_turn()
            told = ask(client).data
        except GlobusError as error:
            refused = refusal(error, what, self._hidden())
        else:
            if isinstance(told, dict):
                return told
            refused = ArchiveNotReady(f"Globus was asked to {what} and answered no document; it is tried again later.")
        raise refused

    def paged(self, what: str, ask: Callable[[TransferClient, Any], GlobusHTTPResponse]) -> Iterator[Document]:
        from globus_sdk import MISSING

        marker: Any = MISSING
        while marker is not None:
            told = self.asked(what, lambda client, at=marker: ask(client, at))  # type: ignore[misc]
            yield from told.get("DATA") or ()
            marker = told.get("next_marker")

    def _wait_for_turn(self) -> None:
        with self._pace:
            now = time.monotonic()
            wait_s = max(self._next_at - now, 0.0)
            self._next_at = max(self._next_at, now) + 1.0 / self.settings.requests_per_s
        if wait_s:
            time.sleep(wait_s)

    def _hidden(self) -> list[str]:
        hidden = list(getattr(self._local, "secrets", ()))
        app = getattr(self._local, "app", None)
        if app is not None:
            tokens = app.token_storage.token_storage.get_token_data_by_resource_server()
            hidden += [token.access_token for token in tokens.values()]
        return hidden

    def _client(self) -> TransferClient:
        """Return this thread's SDK client; the SDK's app is not made for several threads, nor for a forked process."""
        if getattr(self._local, "process", None) != os.getpid():
            secret = read_secret()
            basic = base64.b64encode(f"{self.settings.client_id}:{secret}".encode()).decode()
            self._local.secrets = (secret, basic)
            self._local.app, self._local.client = self._opened(secret)
            self._declare_consents(self._local.app, self._local.client)
            self._local.process = os.getpid()
        client: TransferClient = self._local.client
        return client

    def _opened(self, secret: str) -> tuple[ClientApp, TransferClient]:
        from globus_sdk import ClientApp, ConfidentialAppAuthClient, GlobusAppConfig, TransferClient

        settings = self.settings
        login = ConfidentialAppAuthClient(
            settings.client_id,
            secret,
            app_name=APP,
            base_url=settings.loopback,
            transport=self._transport(),
            retry_config=self._retries(),
        )
        app = ClientApp(APP, login_client=login, config=GlobusAppConfig(token_storage="memory"))  # noqa: S106
        client = TransferClient(
            app=app, base_url=settings.loopback, transport=self._transport(), retry_config=self._retries()
        )
        return app, client

    def _declare_consents(self, app: ClientApp, client: TransferClient) -> None:
        """Ask for access to the data of mapped collections; a token that was made without has to be made anew."""
        if self._needs_consent is None:
            places = [
                self.settings.destination,
                self.settings.scratch,
                self.settings.outbox,
                *self.settings.shares.values(),
            ]
            self._needs_consent = []
            for collection in sorted({place.collection for place in places if place is not None}):
                self._wait_for_turn()
                found = client.get_endpoint(collection).data
                if found.get("entity_type") == "GCSv5_mapped_collection" and not found.get("high_assurance"):
                    self._needs_consent.append(collection)
        if self._needs_consent:
            client.add_app_data_access_scope(self._needs_consent)
            app.login(force=True)

    def _transport(self) -> RequestsTransport:
        from globus_sdk.transport import RequestsTransport

        transport = RequestsTransport(http_timeout=_TIMEOUT_S)
        if self.settings.loopback is not None:
            transport.session.trust_env = False  # a proxy has nothing to do with this machine
        return transport

    def _retries(self) -> RetryConfig:
        from globus_sdk.transport import RetryConfig

        return RetryConfig(max_retries=self.settings.retries, max_sleep=self.settings.max_sleep_s, backoff=_backoff_s)


def _backoff_s(context: RetryContext) -> float:
    """How long to sleep before a retry: what was asked for in seconds, or until an instant, or twice as long each time."""
    if context.backoff is not None:
        return float(context.backoff)
    asked = None if context.response is None else context.response.headers.get("Retry-After")
    if asked:
        try:
            instant = parsedate_to_datetime(asked)
        except ValueError:
            instant = None
        if instant is not None and instant.tzinfo is not None:
            return max((instant - datetime.now(UTC)).total_seconds(), 0.0)
    return (0.25 + 0.5 * random.random()) * 2.0**context.attempt  # noqa: S311
