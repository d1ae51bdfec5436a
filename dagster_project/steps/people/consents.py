"""Statements of consent from their records to the chain."""

from collections.abc import Sequence
from typing import Any

from dagster_project.steps.goods import row
from dagster_project.steps.mapping import Pass, Rows, Said
from dagster_project.store.goods import Put
from dagster_project.store.people import statements
from dagster_project.store.transfer import read
from mappings.canonical import ConsentEvent

_INCOMING = "select * from incoming_consent_event order by seq"


def consent_rows(work: Pass, said: Sequence[Said]) -> Rows:
    """A refusal that does not say when counts from when we learnt of it, and is learnt once: told again, by another
    list or a later mapping, it is no newer refusal."""
    timeless = {one.record.external_id for one in said if _timeless(one)}
    heard = statements.heard_of(work.db, work.connection.name, timeless) if timeless else set()
    fresh = [one for one in said if not _timeless(one) or one.record.external_id not in heard]
    rows = [row(one) for one in fresh]
    return {"consent_event": [{**r, "at": r["at"] or one.row.landed_at} for r, one in zip(rows, fresh, strict=True)]}


def _timeless(said: Said) -> bool:
    return isinstance(said.record, ConsentEvent) and said.record.at is None


def put_consents(work: Pass) -> Put:
    """Appends what was not heard before: a statement is never changed, only followed by another. A refusal without
    its time counts from now on."""
    rows: list[dict[str, Any]] = read(work.db, _INCOMING).to_pylist()
    told = [{name: value for name, value in one.items() if name != "seq"} for one in rows]
    for one in told:
        one["at"] = one["at"] or work.now
        one["purpose"] = one["purpose"] or "marketing"
        one["by"] = one["by"] or "import"
    because = f"{work.connection.name}.{work.resource.name}"
    return Put(statements.append(work.db, work.connection.name, told, because=because))
