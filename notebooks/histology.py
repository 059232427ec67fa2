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
# # Histology
#
# Where each contact lay: the traced track of every probe, in the Allen CCF (AP, DV, ML in um from the anterior, superior,
# left corner). A place in the brain is null until the tracing has arrived; `region_status` says why one is missing.

# %%
import matplotlib.pyplot as plt
import pandas as pd

from map_assets.analyst import open_lab

lab = open_lab()
traced = lab.sql("""
    select session, probe, count(*) as n_contacts, count(region) as n_labelled, count(ccf_ap_um) as n_placed,
           count(distinct region) as n_regions
    from electrodes group by session, probe order by session, probe
""")
traced

# %% [markdown]
# ## Units by region
#
# A region counts all regions inside it: `lab.units(region="Isocortex", quality="good")`. A target area of the lab
# (`lab.units(region="ALM")`) means the probes that were aimed there.

# %%
lab.sql("""
    select e.region, count(*) as n_units, count(*) filter (u.quality = 'good') as n_good,
           count(distinct u.session) as n_sessions
    from units u join electrodes e using (session, probe, electrode)
    where e.region is not null group by e.region order by n_units desc, e.region limit 20
""")

# %% [markdown]
# The regions above a region, from the Allen ontology:

# %%
deepest = lab.sql("select region from electrodes where region is not null group by region order by count(*) desc, region")
chain, ontology = [], lab.table("ccf_ontology").set_index("region_id")
if len(deepest):
    region_id = ontology.index[ontology["region"] == deepest["region"][0]][0]
    while not pd.isna(region_id):
        chain.append(f"{ontology.loc[region_id, 'region']} ({ontology.loc[region_id, 'name']})")
        region_id = ontology.loc[region_id, "parent_id"]
" < ".join(chain) or "no contact is labelled yet"

# %% [markdown]
# ## A session's tracks

# %%
placed = traced[traced["n_placed"] > 0]
s = lab.session(placed["session"].iloc[0]) if len(placed) else None
if s is not None:
    contacts = s.table("electrodes").dropna(subset=["ccf_ap_um"])
    fig, (side, front) = plt.subplots(1, 2, figsize=(8, 4), sharey=True, layout="constrained")
    for probe, found in contacts.groupby("probe"):
        side.plot(found["ccf_ap_um"], found["ccf_dv_um"], ".", ms=3, label=f"probe {probe}")
        front.plot(found["ccf_ml_um"], found["ccf_dv_um"], ".", ms=3)
    side.set(xlabel="AP (um)", ylabel="DV (um)", title=s.key)
    front.set(xlabel="ML (um)")
    side.invert_yaxis()
    side.legend(frameon=False)
    plt.show()

# %% [markdown]
# ## Firing along the shank, with the regions

# %%
if s is not None:
    probe = int(contacts["probe"].iloc[0])
    along = contacts[contacts["probe"] == probe]
    units = s.units()
    units = units[units["probe"] == probe].merge(along[["electrode", "y_um"]], on="electrode", suffixes=("", "_contact"))
    names = along["region"].fillna("not labelled")
    fig, axes = plt.subplots(figsize=(4, 6), layout="constrained")
    for name in names.unique():
        depth = along.loc[names == name, "y_um"]
        axes.axhspan(depth.min(), depth.max(), alpha=0.15)
        axes.text(1.02, depth.mean(), name, transform=axes.get_yaxis_transform(), va="center", fontsize=8)
    axes.plot(units["rate_hz"], units["y_um"], "k.", ms=4)
    axes.set(xlabel="rate (Hz)", ylabel="from the tip (um)", title=f"{s.key}, probe {probe}")
    plt.show()

# %% [markdown]
# The sections with the tracks in them, and the brain that can be turned, are figures of the graph: `probe_slice` and
# `probe_tracks_3d`.

# %%
s.figure("probe_slice") if s is not None and "probe_slice" in s.tables() else "not drawn yet"
