# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Ephys
#
# Units, their quality and their spikes. Spikes are kept as exact samples of each probe's clock; everything here is on the
# session clock, to which each probe's samples were mapped once (`clock_maps`).

# %%
import matplotlib.pyplot as plt
import numpy as np

from map_assets.analyst import open_lab

lab = open_lab()
by_units = lab.sql("select session, count(*) as n_units from units group by session order by n_units desc, session")
s = lab.session(by_units["session"][0])
units = s.units()
units[["probe", "unit_id", "quality", "region", "n_spikes", "rate_hz", "n_trials"]].head(10)

# %%
lab.sql("""
    select session, probe, count(*) as n_units, count(*) filter (quality = 'good') as n_good,
           round(median(snr), 1) as median_snr, round(median(amplitude_uv)) as median_amplitude_uv
    from units group by session, probe order by session, probe
""")

# %% [markdown]
# How far the two clocks are apart after the fit:

# %%
lab.table("clock_maps", columns=["session", "probe", "n_anchors", "drift_ppm", "residual_rms_s", "residual_max_s"])

# %% [markdown]
# ## Spikes around the go cue
#
# `aligned_spikes` has one row for each unit and each trial that its probe observed, silent ones too; a trial that was not
# observed has none. `psth` averages over the trials that are asked for.

# %%
good = units[units["quality"] == "good"]
unit = (good if len(good) else units).sort_values("n_spikes").iloc[-1]
probe, unit_id = int(unit["probe"]), int(unit["unit_id"])

fig, (raster, rate) = plt.subplots(2, 1, figsize=(7, 6), sharex=True, height_ratios=[2, 1], layout="constrained")
below = 0
for side, color in (("left", "tab:red"), ("right", "tab:blue")):
    chosen = f"outcome == 'hit' and not early_lick and instruction == '{side}'"
    spikes = s.aligned_spikes("go", probe, unit_id, window=(-3, 2), trials=chosen)
    raster.plot(spikes.times_s, below + spikes.row, "|", color=color, ms=3)
    below += len(spikes)
    psth = s.psth(probe, unit_id, "go", chosen, window=(-3, 2), bin_s=0.05)
    t, hz, sem = psth["time_from_event_s"], psth["rate_hz"], psth["sem_hz"]
    rate.plot(t, hz, color=color, label=f"{side}, {psth.attrs['n_trials']} trials")
    rate.fill_between(t, hz - sem, hz + sem, color=color, alpha=0.2, lw=0)
for axes in (raster, rate):
    axes.axvline(0, color="0.5", lw=0.8)
raster.set(ylabel="hit trial", title=f"{s.key}, probe {probe}, unit {unit_id}")
rate.set(xlabel="time from go cue (s)", ylabel="rate (Hz)")
rate.legend(frameon=False)
plt.show()

# %%
inter_spike_s = np.diff(s.spike_times(probe, unit_id))
print(f"{(inter_spike_s < 0.0015).mean():.2%} of the intervals are shorter than 1.5 ms")
s.coverage().groupby("probe")["is_observed"].agg(["sum", "size"])

# %% [markdown]
# ## Which units tell left from right
#
# `selectivity` holds a rank test for each unit and period, corrected for the number of tests, with the effect size and the
# number of trials.

# %%
lab.sql("""
    select period, count(*) as n_units, count(*) filter (p_corrected < alpha) as n_selective,
           round(median(abs(effect)), 3) as median_effect
    from selectivity where p is not null group by period order by period
""")

# %% [markdown]
# ## All units at once
#
# The table `psth` has the mean rate of every unit in every condition. Each row below is one unit, divided by its peak.

# %%
rows = s.table("psth")
rows = rows[(rows["condition"] == rows["condition"].iloc[0]) & (rows["n_trials"] > 0)]
rate_hz = np.stack(rows["rate_hz"].to_numpy())
peak_hz = rate_hz.max(axis=1)
heard = rate_hz[peak_hz > 0] / peak_hz[peak_hz > 0, None]
order = np.argsort(heard.argmax(axis=1))
start_s = float(np.ravel(rows["bin_start_from_go_s"].iloc[0])[0])
stop_s = start_s + heard.shape[1] * float(rows["bin_width_s"].iloc[0])

fig, axes = plt.subplots(figsize=(7, 4), layout="constrained")
image = axes.imshow(heard[order], aspect="auto", extent=(start_s, stop_s, len(heard), 0), cmap="viridis")
axes.axvline(0, color="w", lw=0.8)
axes.set(xlabel="time from go cue (s)", ylabel="unit", title=f"{s.key}, {rows['condition'].iloc[0]}")
fig.colorbar(image, label="rate / peak")
plt.show()

# %% [markdown]
# ## A probe's spikes as one ragged array
#
# Exact samples without a copy, and the way to other tools: `spikes.to_pynapple()`, `aligned.to_xarray()`.

# %%
spikes = s.spikes(probe)
spikes, spikes.samples_of(unit_id)[:5], spikes.sample_rate_hz
