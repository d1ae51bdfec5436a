"""A chain of statements: whoever changes, removes or inserts an old one breaks every link after it."""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from mappings.privacy.seal import Keys

SAID = (
    "connection", "external_id", "identifier_kind", "subject", "channel", "purpose", "state", "by", "at", "expires_at",
    "text_version", "evidence_hash",
)  # fmt: skip
"""What a statement says. Identifier and evidence stand in it by their hashes, so that they can be erased."""
START = bytes(32)
"""Stands before the first link."""


def statement(keys: Keys, row: Mapping[str, Any]) -> bytes:
    """The HMAC of what a row says: the same statement heard again has the same."""
    said = json.dumps([_plain(row[name]) for name in SAID], ensure_ascii=False)
    return hmac.digest(keys.statements, said.encode(), "sha256")


def evidence_hash(keys: Keys, evidence: str) -> bytes:
    return hmac.digest(keys.statements, b"evidence" + evidence.encode(), "sha256")


def link(previous: bytes, said: bytes) -> bytes:
    return hashlib.sha256(previous + said).digest()


def broken(keys: Keys, rows: Iterable[Mapping[str, Any]], after: bytes = START) -> Iterable[int]:
    """`seq` of the rows, in their order, that do not say what they said or do not follow the row before."""
    for row in rows:
        right = row["prev_hash"] == after and row["hash"] == link(after, row["statement"])
        same = row["statement"] == statement(keys, row)
        told = row["identifier"] is None or keys.subject(row["identifier_kind"], row["identifier"]) == row["subject"]
        if not (right and same and told):
            yield row["seq"]
        after = row["hash"]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value.hex() if isinstance(value, bytes) else value
