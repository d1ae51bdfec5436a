"""Lines of files that were set aside, read again from the archive: their product came, or a setting was mended."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Engine

from connectors.sdk.errors import ConfigError, RejectedError
from connectors.sdk.files import LINES, FileFrames, FoundFile
from dagster_project.connections import Connection, Hub
from dagster_project.steps.files.frames import put_frames
from dagster_project.steps.files.rows import Arrival
from dagster_project.steps.mapping import Pass
from dagster_project.store import archive, claims, quarantine_files
from dagster_project.store.claims import FILES, Claim
from dagster_project.store.locks import in_turn


def replay_lines(
    engine: Engine, hub: Hub, connection: Connection, ids: Collection[int], *, now: datetime
) -> tuple[int, int]:
    """Reads what these rows of the quarantine are about once more; lines stored, and lines that stay set aside.

    Only that, not the rest of the file: a newer one may have spoken since. A file that cannot be read under the
    settings of today is left as it is.
    """
    if connection.spec is None or connection.spec.files is None:
        return 0, len(ids)
    with engine.begin() as db:
        claims.prepare(db, connection.name)
        known = {claim.id: claim for claim in claims.known(db, connection.name).values()}
        asked = quarantine_files.by_file(db, ids)
    done = [_replay(engine, hub, connection, known[number], keys, now) for number, keys in asked if number in known]
    return sum(stored for stored, _ in done), sum(aside for _, aside in done)


def _replay(
    engine: Engine, hub: Hub, connection: Connection, claim: Claim, keys: list[str], now: datetime
) -> tuple[int, int]:
    assert connection.spec is not None
    drop = connection.spec.files
    assert drop is not None
    try:
        with archive.opened(claim.hash) as clear:
            found = FoundFile(Path(claim.name), claim.size, claim.modified_at, archived=clear)
            frames = _about(drop.read(connection.config, found), keys)
    except (ConfigError, RejectedError):
        return 0, len(keys)
    with engine.begin() as db:
        in_turn(db, f"map:{connection.name}.{FILES}")
        work = Pass(db, hub, connection, drop, now)  # type: ignore[arg-type]
        arrival = Arrival(claim.id, claim.hash, claim.modified_at, None)
        stored = put_frames(work, arrival, frames)
        named = {"connection": connection.name, "entity": frames.entity, "hash": claim.hash[:12], "raw_id": claim.id}
        quarantine_files.settle(db, named, quarantine_files.keys_of(frames), stored.aside, now)
    aside = pc.sum(stored.aside["lines"]).as_py() or 0
    return frames.read - aside, aside


def _about(frames: FileFrames, keys: list[str]) -> FileFrames:
    """What the file says of these receipts, or goods; it speaks for no scope, that was settled when it came."""
    wanted = pa.array(keys, pa.string())
    aside = frames.set_aside.filter(pc.is_in(pc.cast(frames.set_aside["key"], pa.string()), wanted))
    of = _with_lines if frames.entity in LINES else _of_goods
    told = {name: of(table, wanted) for name, table in frames.frames.items()}
    about = FileFrames(frames.entity, told, aside, 0, customers_of=frames.customers_of)
    return replace(about, read=about.lines + (pc.sum(aside["lines"]).as_py() or 0))


def _with_lines(table: pa.Table, keys: pa.Array) -> pa.Table:
    """Whole receipts and carts. A receipt that takes back as well has a second order."""
    return table.filter(pc.is_in(pc.replace_substring_regex(table["external_id"], "/return$", ""), keys))


def _of_goods(rows: pa.Table, keys: pa.Array) -> pa.Table:
    """All rows of the same goods: a price list that tells fewer prices of one withdraws the others."""
    chosen = pc.is_in(pc.cast(rows["key"], pa.string()), keys)
    if "sku" not in rows.column_names:
        return rows.filter(chosen)
    skus = pc.cast(rows["sku"], pa.string())
    return rows.filter(pc.is_in(skus, skus.filter(chosen).combine_chunks()))
