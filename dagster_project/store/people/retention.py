"""What has outlived its purpose: which rows these are, and what becomes of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from dagster_project.store.deletions import SUBJECTS
from dagster_project.store.merge import marked
from dagster_project.store.people.lineage import ORDER_VALUE
from dagster_project.store.raw import Raw

MARKETING = "('email', 'ads', 'push', 'site', 'app')"
"""Channels of contact events that serve marketing; the others are service."""
_BUYER_IS_KNOWN = """(coalesce(t.contact_name, t.contact_phone, t.contact_email) is not null
  or t.delivery ?| array['address', 'recipient', 'comment'])"""
_OLD_COPY = f"""t.capability = 'order.push' and (t.acknowledged ?| {ORDER_VALUE} or t.desired ?| {ORDER_VALUE})
  and exists (select from canonical."order" o where o.connection = split_part(t.subject, ':', 1)
              and o.external_id = substr(t.subject, strpos(t.subject, ':') + 1) and o.placed_at < :before)"""


@dataclass(frozen=True)
class Rule:
    """Rows of `table` (as `t`) that are past the term of a class where `past` holds. `becomes`: what is set in them
    instead of removing them. `settles`: the entity whose subjects must be looked at again."""

    kind: str
    table: str
    past: str
    becomes: str | None = None
    settles: str | None = None


RULES = (
    Rule("marketing", "canonical.contact_event", f"t.at < :before and t.channel in {MARKETING}",
         settles="contact_event"),
    Rule("service", "canonical.contact_event", f"t.at < :before and t.channel not in {MARKETING}",
         settles="contact_event"),
    Rule("carts", "canonical.cart_line", """exists (select from canonical.cart c where c.connection = t.connection
           and c.external_id = t.external_id and c.updated_at < :before)"""),
    Rule("carts", "canonical.cart", "t.updated_at < :before", settles="cart"),
    Rule("buyers", "ledger.item", _OLD_COPY, f"""desired = t.desired - {ORDER_VALUE}, sent = t.sent - {ORDER_VALUE},
           acknowledged = t.acknowledged - {ORDER_VALUE}, observed = t.observed - {ORDER_VALUE}"""),
    Rule("buyers", 'canonical."order"', f"t.placed_at < :before and {_BUYER_IS_KNOWN}",
         """contact_name = null, contact_phone = null, contact_email = null,
           delivery = t.delivery - 'address' - 'recipient' - 'comment'""", settles="order"),
    Rule("quarantine", "ledger.quarantine", "t.at < :before and t.state <> 'open'"),
    Rule("access", "privacy.access_log", "t.at < :before"),
    Rule("erasures", "privacy.erasure_duty", """exists (select from privacy.erasure_request r where r.id = t.request
           and r.state = 'done' and r.received_at < :before)"""),
    Rule("erasures", "privacy.erasure_request", "t.state = 'done' and t.received_at < :before"),
)  # fmt: skip
"""In this order: what hangs on a row goes before it."""
_OF_ORDER = "t.connection || ':' || coalesce(t.customer, 'order:' || t.external_id)"


def raw_rule(raw: Raw) -> Rule:
    """What a system said of a record before it said something newer; not what waits in the quarantine."""
    waits = f"""select from ledger.quarantine q where q.state = 'open' and q.connection = '{raw.connection}'
           and q.resource = '{raw.resource}' and q.raw_id = t.id"""
    newer = f"select from {raw.table} n where n.key = t.key and n.id > t.id"
    return Rule("raw", raw.table, f"t.landed_at < :before and exists ({newer}) and not exists ({waits})")


def counted(db: Connection, rule: Rule, before: datetime) -> tuple[int, int]:
    """Rows past their term, and rows of the table."""
    query = f"select count(*) filter (where {rule.past}), count(*) from {rule.table} t"
    past, rows = db.execute(text(query), {"before": before}).one()
    return past, rows


def apply(db: Connection, rule: Rule, before: datetime) -> int:
    """Removes the rows, or what is personal in them; gives their number."""
    deed = f"update {rule.table} t set {rule.becomes}" if rule.becomes else f"delete from {rule.table} t"
    steps = ", ".join((f"gone as ({deed} where {rule.past} returning t.*)", *_settled(rule)))
    query = f"with {steps} select count(*) from gone"
    return int(db.execute(text(query), {"before": before, "because": f"kept long enough for {rule.kind}"}).scalar_one())


def _settled(rule: Rule) -> Iterator[str]:
    """A person is known by what was said of him: without it, he may be another, or nobody."""
    if rule.settles:
        subject = _OF_ORDER if rule.settles == "order" else SUBJECTS[rule.settles][1]
        yield marked("customer", f"select {subject} from gone t")


_OLD_FILES = """
select f.hash from {table} f where f.landed_at < :before and f.entity = any(:entities) and f.state <> 'held'
  and not exists (select from ledger.quarantine q where q.state = 'open' and q.connection = '{connection}'
                  and q.resource = 'files' and q.raw_id = f.id)
"""


def old_files(db: Connection, raw: Raw, entities: list[str], before: datetime) -> list[str]:
    """Hashes of archived files of these entities, of which no line waits any more."""
    query = _OLD_FILES.format(table=raw.table, connection=raw.connection)
    return list(db.execute(text(query), {"before": before, "entities": entities}).scalars())
