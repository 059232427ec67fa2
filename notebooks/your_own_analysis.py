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
# # An analysis of your own
#
# From an idea in a notebook to an asset of the laboratory: try it on a session, declare it, put it into a package, let the
# graph make it for every session in a namespace of your own, and promote it when it has proved itself. The page
# `docs/your_own_analysis.md` has all the steps.

# %%
import matplotlib.pyplot as plt
import pandas as pd

from map_assets.analyst import open_lab

lab = open_lab()
with_go = lab.sql("select session from trials where go_s is not null group by session order by count(*) desc, session")
s = lab.session(with_go["session"][0])

# %% [markdown]
# ## 1. The idea
#
# How long after the go cue does the animal lick?


# %%
def reaction_of(s, longest_s):
    first = s.licks().merge(s.trials()[["trial", "go_s"]].dropna(), on="trial")
    first["reaction_s"] = first["time_s"] - first["go_s"]
    first = first[(first["reaction_s"] >= 0) & (first["reaction_s"] < longest_s)]
    return first.groupby("trial", as_index=False)["reaction_s"].min()


reaction_of(s, 1.5).describe()

# %% [markdown]
# ## 2. The declaration
#
# A table with units and meanings, what the analysis reads, its settings, and what must hold of every result. The decorated
# function can still be called, and now says what is wrong with its result.

# %%
from map_assets.graft import SESSION, Table, Verdict, analysis, real, whole

REACTION_TIMES = Table(
    "reaction_times",
    "one trial in which the animal licked after the go cue",
    ("session", "trial"),
    (SESSION, whole("trial", "trial, from 1"), real("reaction_s", "first lick after the go cue, from it", "s")),
)


def no_lick_comes_before_the_go_cue(made):
    """Every reaction takes some time."""
    values = made["reaction_s"].to_numpy()
    return Verdict(bool((values >= 0).all()), f"{len(values)} trials")


@analysis(
    REACTION_TIMES,
    namespace="me",
    reads=("trials", "licks"),
    parameters={"longest_s": 1.5},
    claims=(no_lick_comes_before_the_go_cue,),
)
def reaction_times(s, longest_s):
    """How long after the go cue the animal licks."""
    return reaction_of(s, longest_s)


made = reaction_times(s)
no_lick_comes_before_the_go_cue(made), made.schema.field("reaction_s").metadata

# %% [markdown]
# Settings can be tried out:

# %%
pd.Series({longest_s: reaction_times(s, longest_s=longest_s).num_rows for longest_s in (0.2, 0.5, 1.5)}, name="trials")

# %%
fig, axes = plt.subplots(figsize=(6, 2.5), layout="constrained")
axes.hist(made["reaction_s"].to_numpy(), bins=30, color="0.4")
axes.set(xlabel="first lick from the go cue (s)", ylabel="trials", title=s.key)
plt.show()

# %% [markdown]
# ## 3. The package
#
# `map-assets new-analysis reaction_times` in a terminal writes one, with a figure and tests; here is what is in it:

# %%
import tempfile
from pathlib import Path

from map_assets.graft.scaffold import write_package

with tempfile.TemporaryDirectory() as folder:
    for path in write_package("reaction_times", "me", Path(folder) / "reaction_times"):
        print(path.relative_to(folder))

# %% [markdown]
# ## 4. The graph makes it
#
# ```
# pip install -e reaction_times
# map-assets graft run reaction_times
# ```
#
# Results stand in a namespace of the store, which nobody else's work rests on. A session is done again when a table that
# the analysis reads, its settings or a line of its code changes. `open_private("me")` is the lab with your tables in it:
# `lab.table("reaction_times")`, `lab.sql(...)`, `s.figure("reaction_times")`.
#
# ## 5. Promotion
#
# `map-assets graft check reaction_times` says what is in the way; `map-assets graft promote reaction_times --why "..."`
# lets it join the shared graph.
