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
# # Behaviour
#
# What the animals did: outcomes, licks, and how well they did while the light was on.

# %%
import matplotlib.pyplot as plt
import numpy as np

from map_assets.analyst import open_lab

lab = open_lab()
lab.sql("select task, count(*) as n_sessions, sum(n_trials)::int as n_trials from sessions group by task order by task")

# %% [markdown]
# ## How well each session went
#
# Shares are over the trials in which the animal answered and did not lick early, without light and without free water.

# %%
lab.sql("""
    select session, count(*) as n, round(avg((outcome = 'hit')::int), 3) as hit_share,
           round(avg((outcome = 'hit')::int) filter (instruction = 'left'), 3) as left_share,
           round(avg((outcome = 'hit')::int) filter (instruction = 'right'), 3) as right_share
    from trials
    where outcome in ('hit', 'miss') and not early_lick and not is_free_water and photostim_onset_s is null
    group by session order by session
""")

# %% [markdown]
# ## One session of the delayed response

# %%
with_go = lab.sql("select session from trials where go_s is not null group by session order by count(*) desc, session")
s = lab.session(with_go["session"][0])
trials = s.trials()
trials.groupby(["instruction", "outcome"]).size().unstack(fill_value=0)

# %% [markdown]
# ### Performance over the session
#
# The share of hits among the last 20 answered trials.

# %%
answered = trials[trials["outcome"].isin(["hit", "miss"]) & ~trials["early_lick"]]
running = (answered["outcome"] == "hit").rolling(20, min_periods=5).mean()

fig, axes = plt.subplots(figsize=(7, 2.5), layout="constrained")
axes.plot(answered["trial"], running, color="0.2")
axes.axhline(0.5, color="0.6", lw=0.8, ls="--")
axes.set(ylim=(0, 1), xlabel="trial", ylabel="share of hits", title=f"{s.key}, last 20 answered trials")
plt.show()

# %% [markdown]
# ### Under photostimulation
#
# With the 95% interval of Wilson, so that a site with few trials looks like one.

# %%
site = answered["photostim_site"].fillna("control")
counts = (answered["outcome"] == "hit").groupby(site).agg(["sum", "size"])
n, z = counts["size"], 1.96
share = counts["sum"] / n
middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
counts.assign(share=share.round(3), low=(middle - half).round(3), high=(middle + half).round(3))

# %% [markdown]
# ### Licks around the go cue

# %%
licks = s.licks().merge(trials[["trial", "go_s"]].dropna(), on="trial")
licks["from_go_s"] = licks["time_s"] - licks["go_s"]
edges_s = np.arange(-1, 2.0001, 0.05)

fig, axes = plt.subplots(figsize=(7, 2.5), layout="constrained")
for port, found in licks.groupby("port"):
    counts = np.histogram(found["from_go_s"], edges_s)[0]
    axes.stairs(counts / trials["go_s"].notna().sum() / 0.05, edges_s, label=str(port))
axes.axvline(0, color="0.5", lw=0.8)
axes.set(xlabel="time from go cue (s)", ylabel="licks per s", title=f"{s.key}")
axes.legend(frameon=False)
plt.show()
