"""What a file drop hands to the hub: files found, and what one of them says as canonical frames."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pyarrow as pa


@dataclass(frozen=True)
class FoundFile:
    """A candidate at `path`. `waiting`: why it is not to be read yet (somebody still writes it), else None.

    `archived`: the hub's own copy, made while nobody else could change it; a reader takes the bytes from there.
    """

    path: Path
    size: int
    modified_at: datetime
    waiting: str | None = None
    archived: Path | None = None

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def bytes_at(self) -> Path:
        return self.archived or self.path


KEY_PARTS = " @ "
"""Between the parts of a key in `set_aside`: a sku and its place, or its price type."""


LINES = {"order": "order_line", "cart": "cart_line"}
"""Entity → the table that has a row per source line, where the entity comes in several lines."""


@dataclass(frozen=True)
class FileFrames:
    """One whole file as canonical rows of one `entity`.

    `frames`: table of schema canonical → rows with the columns that a file knows, under the names of that table; the
    hub adds connection, source and what it resolves itself. `row` is the source line; `flags` (a list) goes to
    `source`; `key` is what the quarantine calls the row (of an order: its external_id). `set_aside`: `key` (null
    where a line names nothing), `line`, `lines`, `rule`, `reason`. `read`: source lines, which are stored or set
    aside, none dropped. `notes`: rule → lines that were kept and are worth a remark. `scope`: columns whose values in
    the file say what it replaces: what the hub has under the same values, and the file lacks, is gone. Empty: nothing
    goes. `customers_of`: the connection whose ids the buyers' are, None where the ids are this connection's own.
    `unread_columns`: those that no target was found for.
    """

    entity: str
    frames: Mapping[str, pa.Table]
    set_aside: pa.Table
    read: int
    notes: Mapping[str, int] = field(default_factory=dict)
    scope: tuple[str, ...] = ()
    customers_of: str | None = None
    unread_columns: tuple[str, ...] = ()

    @property
    def lines(self) -> int:
        """Source lines that are to be stored."""
        return int(self.frames[LINES.get(self.entity, self.entity)].num_rows)
