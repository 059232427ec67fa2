"""Stages as Dagster assets: keys, dependencies, column schemas, checks and what the UI shows. What a stage does lives in `work`."""

# no `from __future__ import annotations` here: Dagster reads the annotations of the functions that it decorates
import base64
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from map_assets.defs.alive import AGAIN_TAG, RUNNER_TAG
from map_assets.defs.dispatch import DUE_TAG
from map_assets.defs.resources import LabResource
from map_assets.defs.stage import LAB, Stage
from map_assets.defs.work import Outcome, perform
from map_assets.store import Version
from map_assets.vocabulary.errors import MapAssetsError, UnderWay
from map_assets.vocabulary.session import SessionKey
from map_assets.vocabulary.table import Table, Verdict

SESSIONS = dg.DynamicPartitionsDefinition(name="session")
"""One partition a session, for every asset of a session."""

SCHEMA_CHECK = "fits_its_declaration"
OWNERS = ["team:pipeline"]
PICTURE_LIMIT = 100_000
"""Bytes of a picture that is shown on the asset's page; the page fetches them each time it is opened."""


def asset_of(stage: Stage) -> dg.AssetsDefinition:
    """Make the asset or assets of a stage."""

    @dg.multi_asset(
        name=stage.name,
        specs=[_spec(stage, table) for table in stage.writes],
        check_specs=[*_check_specs(stage)],
        can_subset=stage.may_be_under_way,  # which lets a run go on without its result
        partitions_def=None if stage.for_lab else SESSIONS,
        description=stage.make.__doc__,
    )
    def materialize(context: dg.AssetExecutionContext, laboratory: LabResource) -> Iterator[dg.MaterializeResult[Any]]:
        session = LAB if stage.for_lab else str(SessionKey.parse(context.partition_key))
        try:
            tags = context.run.tags.keys()
            may_skip = AGAIN_TAG not in tags and not tags.isdisjoint({DUE_TAG, RUNNER_TAG})
            outcome = perform(stage, session, laboratory.services, may_skip=may_skip)
        except UnderWay as error:
            context.log.info(str(error))
            return
        except MapAssetsError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        for rejected in outcome.made.rejected:
            context.log.warning(f"not used: {rejected.error}")
        for name, version in outcome.versions.items():
            yield _result(name, version, outcome)

    return materialize


def _spec(stage: Stage, table: Table) -> dg.AssetSpec:
    return dg.AssetSpec(
        table.name,
        deps=[*stage.inputs, *stage.lab_reads],
        description=f"One row is {table.meaning}."
        if not table.meaning.startswith(("one row:", "figure:"))
        else table.meaning,
        group_name=stage.group,
        code_version=stage.version,
        skippable=stage.may_be_under_way,
        owners=OWNERS,
        kinds=set(stage.kinds),
        metadata={"dagster/column_schema": column_schema(table), "key": ", ".join(table.key)},
    )


def column_schema(table: Table) -> dg.TableSchema:
    """Show a table's declaration as Dagster's column schema: type, unit and meaning."""
    columns = []
    for column in table.columns:
        unit = f" [{column.unit}]" if column.unit else ""
        constraints = dg.TableColumnConstraints(nullable=column.nullable, unique=table.key == (column.name,))
        columns.append(dg.TableColumn(column.name, str(column.type), column.meaning + unit, constraints))
    return dg.TableSchema(columns)


def _check_specs(stage: Stage) -> Iterator[dg.AssetCheckSpec]:
    for table in stage.writes:
        description = "The table as it stands in the store has the declared columns, types, units and key."
        yield dg.AssetCheckSpec(SCHEMA_CHECK, asset=table.name, description=description, blocking=True)
    for check in stage.checks:
        description = (check.claim.__doc__ or "").strip().split("\n")[0]
        yield dg.AssetCheckSpec(check.name, asset=check.asset, description=description, blocking=check.is_blocking)


def _result(name: str, version: Version, outcome: Outcome) -> dg.MaterializeResult[Any]:
    metadata: dict[str, Any] = {
        "dagster/row_count": version.n_rows,
        "dagster/uri": version.path.as_uri(),
        "size": dg.MetadataValue.int(version.n_bytes),
        "sha256": version.sha256,
        "is_new_version": version.is_new,
        **outcome.made.notes,
    }
    if outcome.made.rejected:
        metadata["not_used"] = dg.MetadataValue.md("\n".join(f"- {item.error}" for item in outcome.made.rejected))
    picture = outcome.made.pictures.get(name)
    if picture is not None:
        metadata["figure"] = picture_metadata(name, picture)
    results = [_check_result(name, SCHEMA_CHECK, outcome.schemas[name], is_blocking=True)]
    results += [
        _check_result(name, check.name, verdict, is_blocking=check.is_blocking)
        for check, verdict in outcome.verdicts
        if check.asset == name
    ]
    return dg.MaterializeResult(
        asset_key=name, metadata=metadata, check_results=results, data_version=dg.DataVersion(version.sha256[:16])
    )


def picture_metadata(name: str, png: bytes) -> dg.MetadataValue[Any]:
    """Show a picture on the asset's page, or say why it is too large for that."""
    if len(png) > PICTURE_LIMIT:
        return dg.MetadataValue.text(
            f"{len(png)} bytes are too many to show here; it hangs in the store under files/{name}."
        )
    return dg.MetadataValue.md(f"![{name}](data:image/png;base64,{base64.b64encode(png).decode()})")


def _check_result(asset: str, name: str, verdict: Verdict, *, is_blocking: bool) -> dg.AssetCheckResult:
    figures: Mapping[str, Any] = verdict.figures or {}
    return dg.AssetCheckResult(
        asset_key=asset,
        passed=verdict.passed,
        check_name=name,
        severity=dg.AssetCheckSeverity.ERROR if is_blocking else dg.AssetCheckSeverity.WARN,
        description=verdict.description,
        metadata=dict(figures),
    )
