"""One file's frames on their way into the store, whatever they hold."""

import pyarrow as pa
import pyarrow.compute as pc

from connectors.sdk.errors import ConfigError
from connectors.sdk.files import FileFrames
from dagster_project.steps import goods
from dagster_project.steps.files.receipts import put_receipts
from dagster_project.steps.files.rows import Arrival, Stored, put_rows, sources
from dagster_project.steps.mapping import Pass
from dagster_project.store.incoming import Incoming


def put_frames(work: Pass, arrival: Arrival, frames: FileFrames) -> Stored:
    """Raises TooMuchGone where a person has to decide, ConfigError where a setting must be mended."""
    stored = put_receipts(work, arrival, frames) if frames.entity == "order" else put_rows(work, arrival, frames)
    if frames.customers_of:
        _same_buyers(work, arrival, frames, frames.customers_of)
    return stored


def _same_buyers(work: Pass, arrival: Arrival, frames: FileFrames, elsewhere: str) -> None:
    """The file's customers are those of connection `elsewhere`: that is all this connection says of them."""
    if elsewhere not in work.hub.connections:
        raise ConfigError(
            f"{work.connection.name}: customers_of names {elsewhere}, which connections.yaml does not have"
        )
    rows = frames.frames[frames.entity]
    if "customer" not in rows.column_names:
        return
    told = rows.select(["customer", "row"]).filter(pc.is_valid(rows["customer"]))
    buyers = told.set_column(0, "customer", pc.cast(told["customer"], pa.string())).group_by("customer")
    first = buyers.aggregate([("row", "min")])
    refs = pc.binary_join_element_wise(elsewhere, first["customer"].combine_chunks(), "\x1f")
    incoming = Incoming("customer")
    incoming.prepare(work.db)
    incoming.fill(
        work.db,
        pa.table({
            "external_id": first["customer"],
            "refs": pa.ListArray.from_arrays(pa.array(range(len(refs) + 1), pa.int32()), refs),
            "seq": first["row_min"],
            "source": sources(work, arrival, first["row_min"]),
        }),
    )  # fmt: skip
    goods.put_customers(work)
