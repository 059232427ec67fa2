"""The one configuration file, its defaults and its overrides. What a value does lives in the room that is handed it.

``map_assets.toml`` is found by ``MAP_ASSETS_CONFIG``, else in the current folder, else there is the embedded default
under ``data/``. Every value can be overridden by ``MAP_ASSETS__SECTION__KEY``. Relative paths are relative to the
folder of the file that names them (without a file: the current folder).
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from map_assets.settings import (
    ArchiveSettings,
    CcfSettings,
    LabSettings,
    OrchestrationSettings,
    ProtocolSettings,
    RegistrySettings,
    ShareSettings,
    StoreSettings,
)
from map_assets.vocabulary.errors import BadConfiguration
from map_assets.vocabulary.url import masked_url


class Config(BaseSettings):
    """All settings in force."""

    model_config = SettingsConfigDict(
        env_prefix="MAP_ASSETS__",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )
    shares: dict[str, ShareSettings] = {}
    lab: LabSettings = LabSettings()
    store: StoreSettings = StoreSettings()
    registry: RegistrySettings = RegistrySettings()
    archive: ArchiveSettings = ArchiveSettings()
    ccf: CcfSettings = CcfSettings()
    protocols: ProtocolSettings = ProtocolSettings()
    orchestration: OrchestrationSettings = OrchestrationSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the hook's own parameters
        init_settings: PydanticBaseSettingsSource,
        *others: PydanticBaseSettingsSource,  # noqa: ARG003
        **more: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what `load_config` hands over, which has the environment in it already."""
        return (init_settings,)


def _environment(written: Mapping[str, Any]) -> dict[str, Any]:
    """Read the overrides; a share is meant by its name in any letters, with ``_`` for what no variable's name may hold.

    Raises
    ------
    BadConfiguration
        If a name stands for two shares.
    """
    found = EnvSettingsSource(Config)()
    names: dict[str, list[str]] = {}
    shares_written = written.get("shares")
    for name in shares_written if isinstance(shares_written, dict) else ():
        names.setdefault(re.sub(r"\W", "_", name).lower(), []).append(name)
    shares = {}
    for name, values in found.get("shares", {}).items():
        meant = names.get(name.lower(), [name])
        if len(meant) > 1:
            raise BadConfiguration(
                f"MAP_ASSETS__SHARES__{name.upper()} may mean {' or '.join(meant)}; rename one share."
            )
        shares[meant[0]] = values
    return {**found, "shares": shares} if shares else found


def _over(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one tree of values over another."""
    both = {
        key: _over(lower[key], value) if isinstance(value, dict) and isinstance(lower.get(key), dict) else value
        for key, value in upper.items()
    }
    return {**lower, **both}


def config_file() -> Path | None:
    """Find the configuration file: ``MAP_ASSETS_CONFIG``, else ``map_assets.toml`` here, else ``data/map_assets.toml``, else none.

    Raises
    ------
    BadConfiguration
        If the variable names a file that is not there.
    """
    named = os.environ.get("MAP_ASSETS_CONFIG")
    if named:
        path = Path(named).expanduser().absolute()
        if not path.is_file():
            raise BadConfiguration(f"MAP_ASSETS_CONFIG names {path}, and there is no such file; correct or unset it.")
        return path
    for candidate in (Path("map_assets.toml"), Path("data/map_assets.toml")):
        if candidate.is_file():
            return candidate.absolute()
    return None


def load_config(path: Path | None = None) -> Config:
    """Read the configuration.

    Parameters
    ----------
    path : pathlib.Path, optional
        The file; without it `config_file` looks for one.

    Raises
    ------
    BadConfiguration
        If the file cannot be read, or a value is not what its key expects.
    """
    path = config_file() if path is None else path.absolute()
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise BadConfiguration(f"{path} cannot be read as TOML: {error}") from error
    try:
        config = Config(**_over(values, _environment(values)))
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors())
        raise BadConfiguration(f"{path or 'the environment'}: {said}") from error
    # the embedded default under data/ speaks, like the code's own defaults, from the folder above it
    return _absolute(config, base_folder(path))


def base_folder(path: Path | None) -> Path:
    """Folder that relative paths start from."""
    if path is None:
        return Path.cwd()
    return path.parent.parent if path.parent.name == "data" else path.parent


def _absolute(config: Config, base: Path) -> Config:
    def under(value: Path) -> Path:
        return Path(os.path.normpath(base / value.expanduser()))

    url = config.registry.url
    if url.startswith("sqlite:///") and not url.startswith("sqlite:////"):
        url = f"sqlite:///{under(Path(url.removeprefix('sqlite:///')))}"
    annotation = config.ccf.annotation
    own = {name: under(path) for name, path in config.protocols if path is not None}
    return config.model_copy(
        update={
            "shares": {
                name: share.model_copy(update={"path": under(share.path)}) for name, share in config.shares.items()
            },
            "store": config.store.model_copy(update={"root": under(config.store.root)}),
            "registry": config.registry.model_copy(update={"url": url}),
            "archive": _archive_under(config.archive, under),
            "ccf": config.ccf.model_copy(update={"annotation": None if annotation is None else under(annotation)}),
            "protocols": config.protocols.model_copy(update=own),
            "orchestration": config.orchestration.model_copy(update={"home": under(config.orchestration.home)}),
        }
    )


def _archive_under(archive: ArchiveSettings, under: Callable[[Path], Path]) -> ArchiveSettings:
    changed: dict[str, object] = {"root": under(archive.root)}
    switch = archive.removal.kill_switch
    if switch is not None:
        changed["removal"] = replace(archive.removal, kill_switch=under(switch))
    globus = archive.globus
    if globus is not None:
        mount = globus.destination.mount
        served = {
            name: one.model_copy(update={"folder": under(one.folder)})
            for name in ("scratch", "outbox")
            if (one := getattr(globus, name)) is not None
        }
        place = globus.destination.model_copy(update={"mount": None if mount is None else under(mount)})
        changed["globus"] = globus.model_copy(update={"records": under(globus.records), "destination": place, **served})
    return archive.model_copy(update=changed)


def explain_config(path: Path | None = None) -> list[tuple[str, str, str]]:
    """List every value in force: dotted key, value with secrets masked, and where it came from."""
    path = config_file() if path is None else path.absolute()
    config = load_config(path)
    written = {} if path is None else tomllib.loads(path.read_text("utf-8"))
    environment = _environment(written)
    rows: list[tuple[str, str, str]] = []

    def walk(prefix: str, model: Any) -> None:
        names = [field.name for field in fields(model)] if is_dataclass(model) else list(type(model).model_fields)
        for name in names:
            value, dotted = getattr(model, name), f"{prefix}{name}"
            if isinstance(value, BaseModel) or is_dataclass(value):
                walk(f"{dotted}.", value)
            elif isinstance(value, dict):
                for key, item in value.items():
                    walk(f"{dotted}.{key}.", item)
            else:
                rows.append((dotted, _masked(str(value)), _source(dotted, written, environment, path)))

    walk("", config)
    return rows


def _source(dotted: str, written: dict[str, Any], environment: dict[str, Any], path: Path | None) -> str:
    parts = dotted.split(".")
    if _holds(environment, parts):
        return "MAP_ASSETS__" + re.sub(r"\W", "_", "__".join(parts)).upper()
    return str(path) if _holds(written, parts) else "default"


def _holds(tree: Any, parts: list[str]) -> bool:
    for part in parts:
        if not isinstance(tree, dict) or part not in tree:
            return False
        tree = tree[part]
    return True


def _masked(value: str) -> str:
    """Hide the secrets of a URL."""
    return masked_url(value) if "://" in value else value
