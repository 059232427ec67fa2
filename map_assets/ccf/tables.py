"""Tables that the CCF room makes. Axes as in `vocabulary.frame`: AP from anterior, DV from superior, ML from the left; um."""

from __future__ import annotations

from map_assets.vocabulary.table import SESSION, Table, flag, real, text, whole

CCF_ONTOLOGY = Table(
    "ccf_ontology",
    "one region of the Allen mouse brain ontology",
    ("region_id",),
    (
        whole("region_id", "Allen structure id"),
        text("region", "acronym"),
        text("name", "full name"),
        whole("parent_id", "region that holds this one; null for the root", nullable=True),
        whole("depth", "steps from the root"),
        text("color", "hex triplet without #"),
        text("beryl", "acronym in the Beryl grouping; null where it has none", nullable=True),
        text("cosmos", "acronym in the Cosmos grouping; null where it has none", nullable=True),
        text("map_ephys_name", "name in the earlier MAP pipeline: Allen's own, with its commas", nullable=True),
    ),
)

CCF_REGION_CLOSURE = Table(
    "ccf_region_closure",
    "one region and one that it lies under: itself, its parent, and so on up to the root",
    ("region_id", "under_id"),
    (
        whole("region_id", "Allen structure id"),
        whole("under_id", "structure that holds it; itself included"),
        text("region", "acronym of `region_id`"),
        text("under", "acronym of `under_id`"),
        whole("n_steps", "steps up from the one to the other; 0 for itself"),
    ),
)

CCF_ANNOTATION = Table(
    "ccf_annotation",
    "one row: the annotation volume in use",
    ("sha256",),
    (
        text("file", "path of the volume as configured"),
        text("sha256", "of the file, lower-case hex"),
        text(
            "release",
            "Allen's name of the release, as the volume's path spells it (ccf_2017); else null",
            nullable=True,
        ),
        real("voxel_um", "edge of a voxel", "um"),
        whole("n_ap", "voxels along AP"),
        whole("n_dv", "voxels along DV"),
        whole("n_ml", "voxels along ML"),
        whole("n_labels", "different labels, 0 (outside) not counted"),
        text("array_file", "copy that can be looked up without loading it, under the store's root"),
    ),
)

ELECTRODE_POSITIONS = Table(
    "electrode_positions",
    "one place along a shank for which the histology gives a position in the brain",
    ("session", "probe", "position_id"),
    (
        SESSION,
        whole("probe", "insertion number, from 1"),
        whole("position_id", "number within the probe, from 0"),
        whole("shank", "from 0"),
        whole(
            "contact",
            "contact number on its shank, from 0 at the tip; null where the file gives x and y instead",
            nullable=True,
        ),
        real("x_um", "across the probe, in the histology file's own columns; null with a contact", "um", nullable=True),
        real("y_um", "along the shank, in the histology file's own rows; null with a contact", "um", nullable=True),
        real("ccf_ap_um", "position", "um"),
        real("ccf_dv_um", "position", "um"),
        real("ccf_ml_um", "position", "um"),
        whole("region_id_written", "region id that the file itself claims; null if it claims none", nullable=True),
        text("format", "module that read the file"),
        text("file", "file under its share's root"),
        text(
            "corrections",
            "numbers of the reviewed corrections that the place carries, by comma; null for none",
            nullable=True,
        ),
    ),
)

PROBE_TRACKS = Table(
    "probe_tracks",
    "one point of a traced probe track",
    ("session", "probe", "shank", "point"),
    (
        SESSION,
        whole("probe", "insertion number, from 1"),
        whole("shank", "from 0"),
        whole("point", "order as in the file, from 0"),
        real("ccf_ap_um", "position", "um"),
        real("ccf_dv_um", "position", "um"),
        real("ccf_ml_um", "position", "um"),
        text("file", "file under its share's root"),
        text(
            "corrections",
            "numbers of the reviewed corrections that the place carries, by comma; null for none",
            nullable=True,
        ),
    ),
)

ELECTRODES = Table(
    "electrodes",
    "one recorded contact with its place in the brain",
    ("session", "probe", "electrode"),
    (
        SESSION,
        whole("probe", "insertion number, from 1"),
        whole("electrode", "contact number on the whole probe, from 0"),
        whole("shank", "from 0"),
        real("x_um", "across the probe", "um"),
        real("y_um", "along the shank from the tip-most row", "um"),
        flag("is_used", "false for reference contacts"),
        real("ccf_ap_um", "position; null where not traced", "um", nullable=True),
        real("ccf_dv_um", "position; null where not traced", "um", nullable=True),
        real("ccf_ml_um", "position; null where not traced", "um", nullable=True),
        whole(
            "region_id",
            "region of the annotation volume's voxel; null where region_status is not labelled",
            nullable=True,
        ),
        text(
            "region",
            "its acronym; null where region_status is not labelled, or where the ontology does not know the label",
            nullable=True,
        ),
        text(
            "region_status",
            "labelled, outside (traced, but in no labelled voxel), no volume (traced, but no annotation volume was "
            "there to look it up in), or not traced",
        ),
        text(
            "position_source",
            "traced (the histology names this contact), interpolated (between traced ones of its shank), along the track "
            "(by its distance from the end of the traced track); null where not traced",
            nullable=True,
        ),
        text("hemisphere", "left or right by the CCF midline; null where not traced", nullable=True),
        whole("nearest_region_id", "where region_status is outside: the nearest labelled region", nullable=True),
        text("nearest_region", "its acronym", nullable=True),
        real(
            "nearest_region_um", "from the contact to the surface of that region's nearest voxel", "um", nullable=True
        ),
        text(
            "annotation_sha256",
            "checksum of the annotation volume that was looked up in, as in `ccf_annotation`; null without a volume",
            nullable=True,
        ),
    ),
)

TABLES = (CCF_ONTOLOGY, CCF_REGION_CLOSURE, CCF_ANNOTATION, ELECTRODE_POSITIONS, PROBE_TRACKS, ELECTRODES)
