"""The fields that conditions may name: what each is in SQL, and how it is called. Engineers may add their own.

An expression speaks of one person: `b` is identity.person, `g` the golden record, `v` the person's value (all three one
row), and anything else stands in a subselect that names `b.person_id`. It is written for PostgreSQL.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import sqlglot
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlglot import exp

from mappings.complaints import complaint, dotted
from mappings.identity.names import town
from mappings.segments.language import Slip, Title
from mappings.segments.lifecycle import STATES

Kind = Literal["number", "text", "list", "moment", "date", "flag", "contact"]
"""list: texts, of which one suffices. contact: there or not, and never told what."""

_COMMON = ("exists", "absent")
_ORDERED = ("=", "!=", ">", ">=", "<", "<=", "between", *_COMMON)
OPERATORS: Mapping[Kind, tuple[str, ...]] = {
    "number": (*_ORDERED, "in", "not in"),
    "text": ("=", "!=", "in", "not in", *_COMMON),
    "list": ("=", "!=", "in", "not in", *_COMMON),
    "moment": (">", ">=", "<", "<=", "between", "within", "older_than", *_COMMON),
    "date": (*_ORDERED, "within", "older_than"),
    "flag": ("=", "!=", *_COMMON),
    "contact": _COMMON,
}


@dataclass(frozen=True)
class FieldSpec:
    """`sql`: a PostgreSQL expression of one person; `duckdb`: where it must be another there.

    `values`: the only ones a text may have, where they are known. `fold`: the key of a text that `sql` has, one for all
    its spellings; None: of what says nothing. `rows`: of a moment that is the latest of many, a query of
    `person_id, at` of all of them: whose turn it is can be found without asking everybody.
    """

    kind: Kind
    sql: str
    title: Title
    values: tuple[str, ...] = ()
    rows: str = ""
    duckdb: str = ""
    fold: Callable[[str], str | None] | None = None


Registry = Mapping[str, FieldSpec]


def operators(kind: Kind) -> tuple[str, ...]:
    """What a field of the kind can be compared by."""
    return OPERATORS[kind]


def _field(
    kind: Kind, sql: str, ru: str, kk: str, en: str, values: tuple[str, ...] = (), rows: str = "", duckdb: str = ""
) -> FieldSpec:
    return FieldSpec(kind, sql, Title(ru=ru, kk=kk, en=en), values, rows, duckdb)


def _contact(kinds: str, ru: str, kk: str, en: str) -> FieldSpec:
    """When the person last did one of these."""
    events = f"from canonical.contact_event e where e.kind in ({kinds}) and e.deleted_at is null"
    latest = f"(select max(e.at) {events} and e.person_id = b.person_id)"
    return _field("moment", latest, ru, kk, en, rows=f"select e.person_id, e.at {events}")


_POINTS = "canonical.loyalty_entry l where l.person_id = b.person_id and l.deleted_at is null"
_PURCHASES = 'select o.person_id, o.placed_at as at from canonical."order" o where o.person_id is not null'

FIELDS: Registry = {
    "orders.count": _field("number", "coalesce(v.orders, 0)", "Покупок", "Сатып алу саны", "Orders"),
    "orders.returns": _field("number", "coalesce(v.returns, 0)", "Возвратов", "Қайтару саны", "Returns"),
    "orders.sum": _field("number", "coalesce(v.sum, 0)", "Сумма покупок", "Сатып алу сомасы", "Spent"),
    "orders.average": _field(
        "number", "v.sum / nullif(v.summed_orders, 0)", "Средний чек", "Орташа чек", "Average check"
    ),
    "orders.days": _field("number", "coalesce(v.days, 0)", "Дней с покупкой", "Сатып алған күндер", "Purchase days"),
    "orders.gap": _field(
        "number", "v.median_gap", "Обычно дней между покупками", "Сатып алулар арасындағы күн", "Usual days between"
    ),
    "orders.first": _field(
        "moment", "v.first_at", "Первая покупка", "Алғашқы сатып алу", "First order", rows=_PURCHASES
    ),
    "orders.last": _field(
        "moment", "v.last_at", "Последняя покупка", "Соңғы сатып алу", "Last order", rows=_PURCHASES
    ),
    "orders.channels": _field(
        "list", "array(select jsonb_object_keys(v.channels))", "Где покупал", "Қай арналардан", "Bought in channels",
        duckdb="json_keys(v.channels)",
    ),
    "rfm.recency": _field("number", "v.recency", "RFM: давность", "RFM: жаңалығы", "RFM: recency"),
    "rfm.frequency": _field("number", "v.frequency", "RFM: частота", "RFM: жиілігі", "RFM: frequency"),
    "rfm.monetary": _field("number", "v.monetary", "RFM: сумма", "RFM: сомасы", "RFM: money"),
    "lifecycle": _field("text", "v.lifecycle", "Стадия", "Кезең", "Lifecycle", STATES),
    "clv.next_12m": _field(
        "number", "v.clv", "Ценность на 12 месяцев", "12 айлық құндылығы", "Value in the next 12 months"
    ),
    "clv.orders": _field(
        "number", "v.expected_orders", "Ждём покупок за 12 месяцев", "12 айда күтілетін сатып алу", "Expected orders"
    ),
    "churn": _field("number", "1 - v.alive", "Вероятность ухода", "Кету ықтималдығы", "Chance of having left"),
    "person.city": replace(_field("text", "g.town", "Город", "Қала", "City"), fold=town),
    "person.gender": _field("text", "g.gender", "Пол", "Жынысы", "Gender"),
    "person.language": _field("text", "g.language", "Язык", "Тілі", "Language"),
    "person.birth_date": _field("date", "g.birth_date", "Дата рождения", "Туған күні", "Birth date"),
    "person.tags": _field("list", "g.tags", "Метки", "Белгілер", "Tags"),
    "person.phone": _field("contact", "g.phone", "Телефон", "Телефон", "Phone"),
    "person.email": _field("contact", "g.email", "E-mail", "E-mail", "E-mail"),
    "person.loyalty": _field("contact", "g.loyalty_id", "Карта лояльности", "Адалдық картасы", "Loyalty card"),
    "person.first_seen": _field("moment", "g.first_seen", "Впервые замечен", "Алғаш көрінген", "First seen"),
    "person.last_seen": _field("moment", "g.last_seen", "Последний раз замечен", "Соңғы көрінген", "Last seen"),
    "loyalty.balance": _field(
        "number", f"(select coalesce(sum(l.points), 0) from {_POINTS})", "Баллов", "Ұпай саны", "Points"
    ),
    "loyalty.last": _field(
        "moment", f"(select max(l.at) from {_POINTS})", "Последнее движение баллов", "Ұпайдың соңғы қозғалысы",
        "Last points", rows="select l.person_id, l.at from canonical.loyalty_entry l where l.deleted_at is null",
    ),
    "contact.opened": _contact("'opened', 'clicked'", "Открыл письмо", "Хатты ашты", "Last opened a message"),
    "contact.viewed": _contact("'page_view', 'product_view'", "Был на сайте", "Сайтта болды", "Last on the site"),
    "contact.visited": _contact("'visit'", "Был в магазине", "Дүкенде болды", "Last visit to a shop"),
    "contact.asked": _contact("'consultation', 'call', 'message'", "Обращался", "Хабарласты", "Last asked something"),
}  # fmt: skip


class _Stated(BaseModel):
    """A field that engineers add in `segments/fields.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    sql: str
    title: Title
    values: tuple[str, ...] = Field((), description="The only values a text may have.")


def own_field(name: str, said: Any) -> FieldSpec:
    """A field of `fields.yaml`: kind, sql, title. Raises Slip that says what to mend."""
    if name in FIELDS:
        raise Slip(f"{name}: the hub has a field of this name; choose another", (name,))
    try:
        one = _Stated.model_validate(said)
        parsed = expression(one.sql)
    except ValidationError as error:
        place, says = complaint(error, _Stated)
        raise Slip(f"{dotted((name, *place))}: {says}", (name, *place)) from None
    except sqlglot.errors.ParseError as error:
        raise Slip(f"{name}: its SQL cannot be read: {error.errors[0]['description']}", (name, "sql")) from None
    aliases = {table.alias_or_name for table in parsed.find_all(exp.Table)}
    strange = {column.table for column in parsed.find_all(exp.Column)} - aliases - {"b", "g", "v"}
    if strange:
        raise Slip(
            f"{name}: every column stands behind its table: b (person), g (golden record), v (value) or a subselect's",
            (name, "sql"),
        )
    return FieldSpec(one.kind, one.sql, one.title, one.values)


def expression(sql: str) -> exp.Expr:
    """One SQL expression. Raises sqlglot's ParseError; a statement that writes is none."""
    parsed = sqlglot.parse_one(sql, read="postgres")
    if isinstance(parsed, exp.Query | exp.DDL | exp.DML | exp.Command):
        raise sqlglot.errors.ParseError(
            "not an expression", [{"description": "it must be one expression, with a select in brackets"}]
        )
    return parsed
