"""Settings of a Bpod session's GUI: which are in force in a trial, and what their numbers are called. Rules on them live in `formats`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from map_assets.behavior.kept_trials import Skip
from map_assets.vocabulary.matlab_struct import Struct

_ON, _OFF = 1, 2


def settings_gui(data: Struct) -> Struct:
    """Return the GUI settings that tell the task: SettingsFile's, else trial 1's."""
    gui = data.struct("SettingsFile").struct("GUI")
    settings = [] if gui.names or "TrialSettings" not in data else data.structs("TrialSettings")
    return settings[0].struct("GUI") if settings else gui


def setting(gui: Struct, name: str) -> float:
    """Return the number of a setting that a trial cannot be read without.

    Raises
    ------
    Skip
        If it is not there or no number.
    """
    value = gui.number(name)
    if value is None:
        raise Skip(f"its GUI settings have no {name}")
    return value


def is_on(gui: Struct, name: str) -> bool:
    """Whether a switch is on: 1 is on and 2 is off.

    Raises
    ------
    Skip
        If it is neither.
    """
    value = setting(gui, name)
    if value not in (_ON, _OFF):
        raise Skip(f"{name} is {value:g}, neither {_ON} (on) nor {_OFF} (off)")
    return value == _ON


class MenuNames:
    """Names the numbers of choices: as the file's own menus do, else as the protocol file does, else by themselves.

    Parameters
    ----------
    known : dict of str to dict of int to str
        Setting -> number -> name, as the protocol file has them.
    """

    def __init__(self, known: Mapping[str, Mapping[int, str]]) -> None:
        self._known = known
        self._menus: dict[bytes, dict[str, list[str]]] = {}

    def name(self, settings: Struct, setting: str, number: float | None) -> str | None:
        """Return the name of a setting's number in a trial with these settings; None of none."""
        if number is None:
            return None
        raw = settings.matrix("GUIMeta").raw if "GUIMeta" in settings else b""
        if raw not in self._menus:
            self._menus[raw] = _menus(settings, self._known)
        place, choices = int(number), self._menus[raw].get(setting, [])
        if 1 <= place <= len(choices):
            return choices[place - 1]
        return self._known[setting].get(place, f"{number:g}")


def _menus(settings: Struct, wanted: Iterable[str]) -> dict[str, list[str]]:
    """Return the choices of each menu of the rig's GUI, in the order of their numbers, less their step numbers."""
    meta = settings.struct("GUIMeta")
    menus = {setting: meta.struct(setting) for setting in wanted if setting in meta}
    return {
        setting: [re.sub(r"_step\d+$", "", text.text()) for text in menu.cells("String") if text.kind == "text"]
        for setting, menu in menus.items()
        if "String" in menu
    }
