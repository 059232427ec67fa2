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
# # Taking data along
#
# Frames and Arrow tables, NWB, MATLAB, xarray and pynapple. Files are written into the folder `exports` here; the
# terminal does the same for many sessions (`map-assets export nwb SESSION... --to DIR`).

# %%
from pathlib import Path

from map_assets.analyst import open_lab

lab = open_lab()
to = Path("exports")
to.mkdir(exist_ok=True)
by_units = lab.sql("select session, count(*) as n_units from units group by session order by n_units desc, session")
s = lab.session(by_units["session"][0])

# %% [markdown]
# ## Any table, any query
#
# Every answer is a pandas frame, and an Arrow table by `.arrow()`, with units and meanings in its metadata.

# %%
trials = s.trials()
trials.to_csv(to / f"{s.key}_trials.csv", index=False)

import pyarrow.parquet as pq

arrow = lab.sql("select session, probe, unit_id, quality, n_spikes from units").arrow()
pq.write_table(arrow, to / "units.parquet")
sorted(path.name for path in to.iterdir())

# %%
{field.name: (field.metadata or {}).get(b"unit", b"").decode() for field in s.trials().arrow().schema if field.name.endswith("_s")}

# %% [markdown]
# ## MATLAB
#
# One file a probe, as `docs/matlab.md` describes it; `docs/matlab_and_r.md` reads it.

# %%
probe = int(s.units()["probe"].iloc[0])
s.to_mat(probe, to).name

# %% [markdown]
# ## NWB
#
# The store's own file, opened to read. Every column's meaning is in it.

# %%
with_nwb = lab.table("nwb_file")["session"].tolist()
if with_nwb:
    nwb = lab.session(with_nwb[0]).nwb()
    print(nwb.identifier, nwb.session_start_time.isoformat(), len(nwb.units), "units")
    display(nwb.trials.to_dataframe().iloc[:5, :6])
    nwb.read_io.close()

# %% [markdown]
# ## Other tools
#
# Where they are installed: `s.spikes(probe).to_pynapple()` is a `TsGroup` on the session clock, and
# `s.aligned_spikes("go", probe).to_xarray(bin_s=0.05)` counts with the dimensions unit, trial and time. NumPy alone:

# %%
aligned = s.aligned_spikes("go", probe, window=(-1, 1))
aligned.n_spikes.shape, aligned.times_s.shape, aligned.trial[:5]
