"""Settings of a folder of files. Each states how the files are written; none is guessed."""

import codecs
from typing import Literal, Self

from pydantic import Field as Setting
from pydantic import field_validator, model_validator

from connectors.files.layouts import LAYOUTS
from connectors.sdk.config import ConnectionConfig, HubPath, known_zone
from mappings.tables.notation import pattern

LayoutName = Literal["receipts", "products", "stock", "prices", "customers", "events", "consents", "points", "carts"]
Partition = Literal["receipt"] | tuple[Literal["location", "till", "day"], ...]
PARTITIONS = {("location", "day"), ("location", "till", "day")}


class FilesConfig(ConnectionConfig):
    """A connection reads files of one layout."""

    path: HubPath = Setting(
        description="Where the files are dropped, as a glob, e.g. inbox/*.csv; relative to connections.yaml."
    )
    layout: LayoutName = Setting(description="What the files hold.")
    columns: dict[str, str | list[str]] = Setting(
        default_factory=dict,
        description="Target → column of the file, a list of columns to join, or =text for the same value in every row.",
    )
    encoding: str | None = Setting(
        None, description="utf-8 (the default; a byte order mark may say utf-16), windows-1251, utf-16 …"
    )
    delimiter: str | None = Setting(
        None, min_length=1, max_length=1, description="Between columns: , (the default; tab in .tsv) ; | …"
    )
    decimal: Literal[".", ","] = Setting(".", description="Decimal sign.")
    thousands: str | None = Setting(
        None, max_length=1, description='What groups digits by three: "," "." "\'" or " " for any blank.'
    )
    date_format: str | None = Setting(None, description="Like dd.MM.yyyy HH:mm:ss or %d.%m.%Y; ISO 8601 unless set.")
    timezone: str | None = Setting(None, description="Zone of times without an offset, e.g. Asia/Almaty.")
    currency: str | None = Setting(None, pattern="^[A-Z]{3}$", description="ISO 4217 code of every amount, e.g. KZT.")
    header_row: int | None = Setting(
        None, ge=1, description="Line of the column names; found by their names unless set."
    )
    footer: int | str | None = Setting(
        None,
        description="How the total row at the end begins (Итого), or how many such rows; set, it must be there.",
    )
    sheet: str | None = Setting(None, description="Sheet of a workbook; the first with the columns unless set.")
    whole: Literal["newline", "fields", "marker"] = Setting(
        "newline",
        description="What proves a text whole: its last line ends, its last line has every field, or a .done, .md5 or "
        ".sha256 file beside it.",
    )
    partition: Partition = Setting(
        ("location", "day"),
        description="Receipts: what a file sent again replaces: [location, day], [location, till, day] or receipt.",
    )
    masked: tuple[Literal["phone", "email"], ...] = Setting(
        (), description="Customers: contacts that are proxies of a channel."
    )
    customers_of: str | None = Setting(
        None,
        description="The connection whose ids the file's customers are, e.g. crm; ids of its own unless set.",
    )

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        return None if value is None else known_zone(value)

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str | None) -> str | None:
        try:
            codecs.lookup(value or "utf-8")
        except LookupError:
            raise ValueError(f"{value!r} is not a known encoding; write e.g. utf-8, windows-1251 or utf-16") from None
        return value

    @field_validator("date_format")
    @classmethod
    def _whole_date(cls, value: str | None) -> str | None:
        if value is not None:
            pattern(value)
        return value

    @model_validator(mode="after")
    def _agree(self) -> Self:
        layout = LAYOUTS[self.layout]
        for target in self.columns:
            if target not in layout.targets and not target.startswith(layout.prefix or "\0"):
                raise ValueError(f"columns.{target}: layout {self.layout} knows {', '.join(layout.targets)}")
        if layout.needs_currency and self.currency is None:
            raise ValueError(f"layout {self.layout} needs the currency of its amounts, e.g. currency: KZT")
        if self.customers_of and not {"customer", "external_id"} & layout.targets.keys():
            raise ValueError(f"customers_of: files of layout {self.layout} name no customers")
        if self.customers_of and self.layout == "customers":
            raise ValueError("customers_of: a list of customers has ids of its own; name others in columns.ref.<name>")
        if self.thousands == self.decimal:
            raise ValueError(f"decimal and thousands are both {self.decimal!r}")
        if self.partition != "receipt" and self.partition not in PARTITIONS:
            raise ValueError("partition is [location, day], [location, till, day] or receipt")
        return self
