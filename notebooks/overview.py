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
# # A laboratory, opened
#
# Every table, spike, figure and NWB file that the pipeline has made, read from the store. Nothing here writes, and
# nothing needs Dagster. `open_lab()` takes the store of the configuration in force (`MAP_ASSETS_CONFIG`, else
# `map_assets.toml` here); it takes a folder or an address as well.

# %%
from map_assets.analyst import open_lab

lab = open_lab()
lab

# %% [markdown]
# ## What is there
#
# `lab.tables()` lists every table with what a row of it is, `lab.describe(name)` its columns with unit and meaning.

# %%
tables = lab.tables()
tables[tables["n_sessions"] > 0][["table", "meaning", "n_sessions"]]

# %%
lab.sessions()[["session", "subject", "start_time", "rig", "task", "n_trials"]]

# %%
lab.describe("trials")[["column", "unit", "meaning"]]

# %% [markdown]
# ## All sessions at once
#
# `lab.sql` is DuckDB's SQL over every table of every session.

# %%
lab.sql("""
    select session, count(*) as n_trials, round(avg((outcome = 'hit')::int), 2) as hit_share,
           count(photostim_onset_s) as n_photostim
    from trials group by session order by session
""")

# %%
by_units = lab.sql("""
    select s.session, count(u.unit_id) as n_units, count(u.unit_id) filter (u.quality = 'good') as n_good
    from sessions s left join units u using (session)
    group by s.session order by n_units desc, s.session
""")
by_units

# %% [markdown]
# ## One session
#
# Times are seconds on the session clock: zero is the start of trial 1.

# %%
s = lab.session(by_units["session"][0])
s, s.tables()

# %%
s.trials()[["trial", "instruction", "outcome", "early_lick", "start_s", "go_s", "photostim_onset_s"]].head(10)

# %% [markdown]
# ## What was drawn
#
# A figure that a session has no data for says so, with the reason.

# %%
s.figure("behavior_performance") if "behavior_performance" in s.tables() else "no figure yet"

# %% [markdown]
# ## Where a number comes from
#
# `explain` tells the versions, the code, the settings, the files with their hashes and the corrections behind a row.

# %%
lab.explain("trials", {"session": s.key, "trial": int(s.trials()["trial"].iloc[0])})

# %% [markdown]
# More: `behavior`, `ephys`, `histology`, `export`, and `your_own_analysis`. Thirty questions with their answers are in
# `docs/questions.md`.
