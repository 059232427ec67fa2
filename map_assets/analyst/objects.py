"""How a bucket and a web server are asked for what they hold. Copies on this machine live in `remote`.

A bucket tells each object's version in its listing. A web server must list its folders as pages of links (as nginx with
``autoindex``, Apache with ``Indexes`` and ``python -m http.server`` do), and tells a file's version with the file.
"""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote, urlsplit
from urllib.request import Request, urlopen

from map_assets.analyst.errors import CannotBeReached
from map_assets.vocabulary.errors import BadConfiguration, UnsafePath

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_TIMEOUT_S: Final = 60.0
_SCHEMES: Final = ("s3", "s3a", "gs", "az", "abfs", "abfss")


class Objects(Protocol):
    """Files by their paths under a store's root, elsewhere."""

    tells_versions: bool
    """Whether a listing tells the files' versions."""

    @property
    def location(self) -> str:
        """Its URL, without user and password."""
        ...

    def listing(self, folder: str) -> dict[str, str | None]:
        """Every file under a folder, at any depth, with what tells its versions apart (None where that is not told)."""
        ...

    def fetch(self, relpath: str, mark: str | None) -> tuple[bytes | None, str] | None:
        """A file's bytes and version; no bytes where the version is still `mark`; None where there is no such file."""
        ...


def open_objects(url: str) -> Objects:
    """Open a bucket (``s3://bucket/folder``, ``gs://``, ``az://``) or a web server's folder (``https://``).

    Keys and a service's address come from the environment, as other tools read them (``AWS_ACCESS_KEY_ID``,
    ``AWS_ENDPOINT_URL``, ``AWS_REGION``); ``AWS_SKIP_SIGNATURE=true`` reads a public bucket without any.

    Raises
    ------
    BadConfiguration
        If the URL is of neither kind, or holds a password.
    """
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise BadConfiguration("The store's URL holds a user's name or password; keys come from the environment.")
    if parts.scheme in {"http", "https"} and parts.netloc:
        return Web(url.rstrip("/"))
    if parts.scheme in _SCHEMES and parts.netloc:
        return Bucket(url.rstrip("/"))
    raise BadConfiguration(
        f"{url} is no store that can be read; expected a folder, s3://bucket/folder (or gs://, az://), or https://..."
    )


class Bucket:
    """A folder of a bucket.

    Parameters
    ----------
    url : str

    Raises
    ------
    BadConfiguration
        If the package for buckets is not installed, or the URL is not complete.
    """

    tells_versions = True

    def __init__(self, url: str) -> None:
        self.location = url
        self._opened: ObjectStore | None = None
        try:
            import obstore
        except ImportError as error:
            raise BadConfiguration(f"{url} is in a bucket; install map-assets[s3] to read it.") from error
        self._obstore: Any = obstore

    @property
    def _store(self) -> ObjectStore:
        if self._opened is None:
            import os

            from obstore.exceptions import BaseError
            from obstore.store import from_url

            address = os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT") or ""
            try:
                self._opened = from_url(self.location, client_options={"allow_http": address.startswith("http://")})
            except BaseError as error:
                raise BadConfiguration(f"{self.location} cannot be opened as a bucket; correct its name.") from error
        return self._opened

    def listing(self, folder: str) -> dict[str, str | None]:
        """See `Objects`.

        Raises
        ------
        CannotBeReached
        """
        found: dict[str, str | None] = {}
        try:
            for page in self._obstore.list(self._store, f"{folder}/"):
                for entry in page:
                    mark = entry["e_tag"] or f"{entry['last_modified']} {entry['size']}"
                    found[str(entry["path"])] = f"{entry['version'] or ''} {mark}"
        except (self._obstore.exceptions.BaseError, OSError) as error:
            raise self._unreached(folder, error) from None
        return found

    def fetch(self, relpath: str, mark: str | None) -> tuple[bytes | None, str] | None:  # noqa: ARG002 - the listing tells
        """See `Objects`.

        Raises
        ------
        CannotBeReached
        """
        try:
            found = self._obstore.get(self._store, relpath)
            return bytes(found.bytes()), str(found.meta["e_tag"])
        except FileNotFoundError:
            return None
        except (self._obstore.exceptions.BaseError, OSError) as error:
            raise self._unreached(relpath, error) from None

    def _unreached(self, path: str, error: BaseException) -> CannotBeReached:
        """Name the kind of error only: its text may hold what was sent."""
        return CannotBeReached(
            f"The bucket {self.location} does not give {path} ({type(error).__name__}); check its name, the keys in the "
            "environment and AWS_ENDPOINT_URL."
        )


class Web:
    """A folder of a web server that lists its folders.

    Parameters
    ----------
    url : str
    """

    tells_versions = False

    def __init__(self, url: str) -> None:
        self.location = url

    def listing(self, folder: str) -> dict[str, str | None]:
        """See `Objects`.

        Raises
        ------
        CannotBeReached
            Also where the server does not list the folder.
        """
        found: dict[str, str | None] = {}
        ahead = [folder]
        while ahead:
            inside = ahead.pop()
            answer = self._get(f"{inside}/", {})
            if answer is None:
                continue
            content, headers = answer
            if "html" not in headers.get("content-type", ""):
                raise CannotBeReached(
                    f"{self.location}/{inside}/ is no page of links; let the web server list its folders (autoindex)."
                )
            for name in _names(content.decode("utf-8", "replace")):
                if name.endswith("/"):
                    ahead.append(f"{inside}/{name[:-1]}")
                else:
                    found[f"{inside}/{name}"] = None
        return found

    def fetch(self, relpath: str, mark: str | None) -> tuple[bytes | None, str] | None:
        """See `Objects`."""
        if any(part in {"", ".", ".."} for part in relpath.split("/")):
            raise UnsafePath(relpath, "it leaves the store", expected="a path under its root", todo="Write it anew.")
        kind, _, value = (mark or "").partition("=")
        answer = self._get(relpath, {kind: value} if kind.startswith("If-") else {})
        if answer is None:
            return None
        content, headers = answer
        tag, modified = headers.get("etag"), headers.get("last-modified")
        new = f"If-None-Match={tag}" if tag else f"If-Modified-Since={modified}" if modified else ""
        return (None, mark or "") if headers.get("status") == "304" else (content, new or f"size={len(content)}")

    def _get(self, path: str, headers: dict[str, str]) -> tuple[bytes, dict[str, str]] | None:
        """Ask for a page; None where there is none."""
        request = Request(f"{self.location}/{quote(path)}", headers=headers)  # noqa: S310 - http or https, see open_objects
        try:
            with urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
                return answer.read(), {name.lower(): value for name, value in answer.headers.items()}
        except HTTPError as error:
            with error:
                if error.code == 304:
                    return b"", {"status": "304"}
                if error.code == 404:
                    return None
                raise CannotBeReached(
                    f"{self.location}/{path} is not given: HTTP {error.code}; check the address and who may read it."
                ) from None
        except (URLError, OSError) as error:
            said = getattr(error, "reason", error)
            raise CannotBeReached(
                f"{self.location} does not answer: {said}; check the address and the network."
            ) from None


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found += [value for name, value in attrs if name == "href" and value]


def _names(page: str) -> list[str]:
    """Names that a folder's page links to: files, and folders with / behind; links that lead elsewhere are left out."""
    links = _Links()
    links.feed(page)
    names = [unquote(link.removeprefix("./")) for link in links.found if not urlsplit(link).scheme and "?" not in link]
    return [name for name in names if name.strip("/") not in {"", ".", ".."} and "/" not in name.removesuffix("/")]
