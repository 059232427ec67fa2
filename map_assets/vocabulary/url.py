"""Addresses as people may see them: without their secrets."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

_SECRET = ("pass", "key", "secret", "token")


def masked_url(url: str) -> str:
    """Hide a URL's password, and every value of its query whose name tells of a secret.

    What is no URL at all is not shown, since nobody can say where in it a secret stands.
    """
    try:
        parts = urlsplit(url)
        password = parts.password
    except ValueError:
        return "***"
    place = parts.netloc if password is None else parts.netloc.replace(f":{password}@", ":***@")
    asked = parse_qsl(parts.query, keep_blank_values=True)
    shown = [(name, "***" if any(word in name.lower() for word in _SECRET) else value) for name, value in asked]
    return urlunsplit(parts._replace(netloc=place, query=urlencode(shown, safe="*/:")))
