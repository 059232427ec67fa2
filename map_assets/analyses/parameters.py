"""Parameters of the analyses, as versioned configuration. What each does with its own lives in its file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from map_assets.vocabulary.errors import BadConfiguration
from map_assets.vocabulary.own_file import read_own_or_packaged

Share = Annotated[float, Gt(0), Lt(1)]
Many = Annotated[int, Ge(2)]
Correction = Literal["benjamini-hochberg", "none"]
_STRICT = ConfigDict(extra="forbid", frozen=True)


class PsthParameters(BaseModel):
    """``[psth]``."""

    model_config = _STRICT
    smoothing_sd_s: Annotated[float, Ge(0)]


class SelectivityParameters(BaseModel):
    """``[selectivity]``."""

    model_config = _STRICT
    condition: str
    test: Literal["rank", "t"]
    correction: Literal["benjamini-hochberg", "none"]
    alpha: Share
    min_trials: Many
    delay_s: Annotated[float, Ge(0)]


class CodingDirectionParameters(BaseModel):
    """``[coding_direction]``."""

    model_config = _STRICT
    left: str
    right: str
    window_from_go_s: tuple[float, float]
    folds: Many
    min_trials: Many
    min_units: Annotated[int, Ge(1)]

    @model_validator(mode="after")
    def _is_a_window(self) -> CodingDirectionParameters:
        if not self.window_from_go_s[0] < self.window_from_go_s[1]:
            raise ValueError("window_from_go_s must begin before it ends")
        if self.min_trials < self.folds:
            raise ValueError("min_trials must be at least folds, or a fold may have no trial of a side")
        return self


class PhotostimEffectParameters(BaseModel):
    """``[photostim_effect]``."""

    model_config = _STRICT
    control: str
    alpha: Share
    min_trials: Many


class NoiseCorrelationParameters(BaseModel):
    """``[noise_correlations]``."""

    model_config = _STRICT
    conditions: tuple[str, ...]
    period: Literal["sample", "delay", "response"]
    min_rate_hz: Annotated[float, Ge(0)]
    min_trials: Many


class JawParameters(BaseModel):
    """``[jaw]``."""

    model_config = _STRICT
    camera: str
    feature: str
    min_likelihood: Annotated[float, Ge(0), Lt(1)]
    fill_s: Annotated[float, Ge(0)]
    band_hz: tuple[Annotated[float, Gt(0)], Annotated[float, Gt(0)]]
    edge_s: Annotated[float, Ge(0)]
    min_amplitude_px: Annotated[float, Ge(0)]
    min_run_s: Annotated[float, Gt(0)]

    @model_validator(mode="after")
    def _is_a_band(self) -> JawParameters:
        if self.band_hz[0] >= self.band_hz[1]:
            raise ValueError("band_hz must rise")
        return self


class JawPhaseParameters(BaseModel):
    """``[jaw_phase]``."""

    model_config = _STRICT
    n_bins: Annotated[int, Ge(4)]
    n_shifts: Annotated[int, Ge(20)]
    min_spikes: Many
    min_runs: Many
    alpha: Share
    correction: Correction


class LickingParameters(BaseModel):
    """``[licking]``."""

    model_config = _STRICT
    bout_gap_s: Annotated[float, Gt(0)]


class DirectionTuningParameters(BaseModel):
    """``[direction_tuning]``."""

    model_config = _STRICT
    window_from_lick_s: tuple[float, float]
    min_blocks: Many
    alpha: Share
    correction: Correction

    @model_validator(mode="after")
    def _is_a_window(self) -> DirectionTuningParameters:
        if self.window_from_lick_s[0] >= self.window_from_lick_s[1]:
            raise ValueError("window_from_lick_s must rise")
        return self


class PerformanceParameters(BaseModel):
    """``[performance]``."""

    model_config = _STRICT
    window_share: Share
    min_window: Annotated[int, Ge(1)]


class ForagingParameters(BaseModel):
    """``[foraging]``."""

    model_config = _STRICT
    n_lags: Annotated[int, Ge(1)]
    min_block_choices: Many
    min_choices: Many
    n_starts: Annotated[int, Ge(1)]
    n_shifts: Annotated[int, Ge(20)]
    min_shift_trials: Annotated[int, Ge(1)]
    alpha: Share
    correction: Correction


class Parameters(BaseModel):
    """The whole file."""

    model_config = _STRICT
    version: str
    psth: PsthParameters
    selectivity: SelectivityParameters
    coding_direction: CodingDirectionParameters
    photostim_effect: PhotostimEffectParameters
    noise_correlations: NoiseCorrelationParameters
    jaw: JawParameters
    jaw_phase: JawPhaseParameters
    licking: LickingParameters
    direction_tuning: DirectionTuningParameters
    performance: PerformanceParameters
    foraging: ForagingParameters


def read_parameters(path: Path | None = None) -> Parameters:
    """Read the parameters of the analyses.

    Parameters
    ----------
    path : pathlib.Path, optional
        A laboratory's own file, which need name only what differs; without one, the package's ``parameters.toml``.

    Raises
    ------
    BadConfiguration
        If it cannot be read or holds what is no parameter.
    """
    _, packaged = read_own_or_packaged(None, "map_assets.analyses", "parameters.toml")
    name, own = read_own_or_packaged(path, "map_assets.analyses", "parameters.toml")
    if "version" not in own:
        raise BadConfiguration(f'{name}: it names no version; write version = "..." and raise it with every change.')
    merged = {
        part: {**values, **own.get(part, {})} if isinstance(values, dict) else own[part]
        for part, values in packaged.items()
    }
    try:
        return Parameters.model_validate({**own, **merged})
    except (ValidationError, TypeError) as error:
        said = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
        raise BadConfiguration(f"{name}: {'.'.join(map(str, said['loc'])) or 'it'}: {said['msg']}.") from error
