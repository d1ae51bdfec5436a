"""How a person is named to Meta: a row of hashes, and the receipt by which exactly this row can be taken back."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.meta_audiences.config import Identifier, MetaAudiencesConfig
from connectors.sdk import Change
from connectors.sdk.audiences import META

Row = dict[Identifier, str]
"""Identifier → what is uploaded, only of those that the person has."""

MAKE = {
    "EMAIL": lambda about: META.email(about.get("email")),
    "PHONE": lambda about: META.phone(about.get("phone")),
    "FN": lambda about: META.name(about.get("first_name")),
    "LN": lambda about: META.name(about.get("last_name")),
}
CONTACTS = {"EMAIL", "PHONE"}


def row_of(config: MetaAudiencesConfig, change: Change) -> Row:
    """The person as they are known now; empty where there is neither e-mail nor phone to be found by."""
    made: dict[Any, str | None] = {name: MAKE[name](change.about) for name in config.identifiers if name in MAKE}
    if not any(made.get(name) for name in CONTACTS):
        return {}
    if "EXTERN_ID" in config.identifiers:
        made["EXTERN_ID"] = change.subject.rpartition("/")[2]
    return {name: value for name, value in made.items() if value}


def receipt(row: Mapping[str, str]) -> str:
    return json.dumps(row, sort_keys=True, separators=(",", ":"))


def uploaded(change: Change) -> Row:
    """What was uploaded for the person; empty where nothing is known of an upload."""
    try:
        said = json.loads(change.external_id)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def payload(config: MetaAudiencesConfig, rows: Sequence[Row]) -> dict[str, Any]:
    """Columns that some row has, in the order of the settings; an empty text for what is missing."""
    columns = [name for name in ORDER if any(name in row for row in rows)]
    said: dict[str, Any] = {"schema": columns, "data": [[row.get(name, "") for name in columns] for row in rows]}
    if config.data_processing_options:
        said["data_processing_options"] = list(config.data_processing_options)
    return said


ORDER: tuple[Identifier, ...] = ("EMAIL", "PHONE", "FN", "LN", "EXTERN_ID")
