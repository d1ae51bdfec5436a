"""Statements of consent from their records to the chain."""

from collections.abc import Sequence
from typing import Any

from dagster_project.steps.goods import row
from dagster_project.steps.mapping import Pass, Rows, Said
from dagster_project.store import statements
from dagster_project.store.goods import Put
from dagster_project.store.transfer import read

_INCOMING = "select * from incoming_consent_event order by seq"


def consent_rows(work: Pass, said: Sequence[Said]) -> Rows:
    return {"consent_event": [row(one) for one in said]}


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
