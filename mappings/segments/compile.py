"""A segment as one SQL query over persons, for PostgreSQL or DuckDB. Everything a marketer wrote is a parameter in it.

Every condition on time has the form `field < bound` or `field >= bound`, and a bound only ever moves forward. So those
whose turn it is, since the segment was last looked at, are those with `field` between the bound then and the bound now:
the segment names a query for them beside the one for its members.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, Literal

import sqlglot
from sqlglot import exp

from mappings.complaints import Steps
from mappings.segments.language import (
    Abandoned,
    All,
    AnyOf,
    Bought,
    Cart,
    Condition,
    Goods,
    InSegment,
    Not,
    Purchase,
    Segment,
    Slip,
    Test,
    bound,
)
from mappings.segments.registry import FieldSpec, Registry, operators

Dialect = Literal["postgres", "duckdb"]
_TABLES = {"b": "identity.person", "g": "identity.golden", "v": "segment.person_value"}
_PRODUCT = ("canonical", "product")
MEMBERSHIP = "segment.membership"
AMONG = {table: f"among_{table.partition('.')[2]}" for table in (*_TABLES.values(), MEMBERSHIP)}
"""Tables of which some persons' rows are gathered before many segments ask for them → where they are then."""


@dataclass(frozen=True)
class Ripening:
    """Persons for whom the time `span` has run out: a query of `person_id` with the parameters `since` and `until`."""

    span: str
    query: str
    day: bool = False

    def between(self, then: datetime, now: datetime) -> dict[str, Any]:
        """Parameters for those whose turn came after `then`; both in the local zone."""
        edges = bound(self.span, then), bound(self.span, now)
        since, until = (edge.date() if self.day else edge for edge in edges)
        return {"since": since, "until": until}


@dataclass(frozen=True)
class Compiled:
    """`query` gives `person_id` of all members, `among` of those whose rows of the tables `asks` were gathered.

    `traits`: columns of canonical.product that it asks for. `refers`: other segments → where the file names them.
    """

    segment: Segment
    query: str
    among: str
    asks: frozenset[str]
    traits: frozenset[str]
    values: Mapping[str, Any]
    spans: Mapping[str, tuple[str, bool]]
    ripenings: tuple[Ripening, ...]
    refers: Mapping[str, Steps]

    @property
    def name(self) -> str:
        return self.segment.segment

    def parameters(self, now: datetime) -> dict[str, Any]:
        """For either query, at the moment `now` in the local zone."""
        edges = {name: (bound(span, now), day) for name, (span, day) in self.spans.items()}
        return {**self.values, **{name: edge.date() if day else edge for name, (edge, day) in edges.items()}}


def compiled(segment: Segment, fields: Registry, zone: tzinfo, dialect: Dialect = "postgres") -> Compiled:
    """Raises Slip that names the segment and says what to mend."""
    writer = _Writer(segment.segment, fields, zone, dialect)
    condition = writer.condition(segment.where, ("where",))
    asked = _asked(condition)
    start, active = "select b.person_id", "where b.status = 'active' and"
    return Compiled(
        segment,
        f"{start} {_from(asked)} {active} ({_sql(condition, dialect)})",
        f"{start} {_from(asked, AMONG)} {active} ({_sql(_one_by_one(condition), dialect)})",
        frozenset(_TABLES[alias] for alias in asked),
        _traits(condition),
        writer.values,
        writer.spans,
        tuple(writer.ripenings),
        writer.refers,
    )


def _asked(condition: exp.Expr) -> tuple[str, ...]:
    """Aliases of the tables that are asked for, the person's first."""
    named = {column.table for column in condition.find_all(exp.Column)}
    return tuple(alias for alias in _TABLES if alias in {"b", *named})


def _traits(condition: exp.Expr) -> frozenset[str]:
    """Of goods, by whatever name the product goes in a subselect."""
    products = {one.alias_or_name for one in condition.find_all(exp.Table) if (one.db, one.name) == _PRODUCT}
    return frozenset(column.name for column in condition.find_all(exp.Column) if column.table in products)


def _from(asked: Sequence[str], places: Mapping[str, str] | None = None) -> str:
    """`places`: where the tables are, if not under their names."""
    first, *others = (f"{(places or {}).get(_TABLES[alias], _TABLES[alias])} {alias}" for alias in asked)
    return " ".join([f"from {first}", *(f"left join {one} on {one[-1]}.person_id = b.person_id" for one in others)])


def _one_by_one(condition: exp.Expr) -> exp.Expr:
    """Subselects that are asked for each person: `offset 0` keeps PostgreSQL from reading whole tables for a few. Who
    is in another segment was gathered, and is looked up there."""
    found = condition.copy()
    for exists in list(found.find_all(exp.Exists)):
        if not exists.find_ancestor(exp.Select):
            exists.this.set("offset", exp.Offset(expression=exp.Literal.number(0)))
            tables = {f"{one.db}.{one.name}" for one in exists.find_all(exp.Table)}
            if tables == {MEMBERSHIP} and (other := exists.find(exp.Placeholder)):
                exists.replace(_parsed(_GATHERED_IN_SEGMENT, other=other.copy()))
    return found


def _sql(condition: exp.Expr, dialect: Dialect) -> str:
    text = condition.sql(dialect=dialect)
    return re.sub(r"%\((\w+)\)s", r":\1", text) if dialect == "postgres" else text


def _parsed(sql: str, **parts: exp.Expr) -> exp.Expr:
    """`sql` of ours with `:name` of `parts` put in."""
    tree = sqlglot.parse_one(sql, read="postgres")
    return tree.transform(lambda node: parts.get(node.name, node) if isinstance(node, exp.Placeholder) else node)


@dataclass
class _Writer:
    """Walks a condition; what it meets on the way is collected."""

    name: str
    fields: Registry
    zone: tzinfo
    dialect: Dialect
    values: dict[str, Any] = field(default_factory=dict)
    spans: dict[str, tuple[str, bool]] = field(default_factory=dict)
    ripenings: list[Ripening] = field(default_factory=list)
    refers: dict[str, Steps] = field(default_factory=dict)
    at: Steps = ()

    def condition(self, one: Condition, at: Steps) -> exp.Expr:
        """`at`: where in the file it stands."""
        match one:
            case All(all=parts):
                return exp.and_(*(self.condition(part, (*at, "all", place)) for place, part in enumerate(parts)))
            case AnyOf(any=parts):
                return exp.or_(*(self.condition(part, (*at, "any", place)) for place, part in enumerate(parts)))
            case Not(not_=part):
                inner = self.condition(part, (*at, "not"))
                # an unknown field makes neither true nor false; for people its `not` holds
                known = isinstance(inner, exp.Exists)
                return exp.not_(inner if known else exp.Is(this=exp.paren(inner), expression=exp.true()))
            case InSegment(segment=other):
                self.refers.setdefault(other, (*at, "segment"))
                return _parsed(_IN_SEGMENT, other=self.value(other))
            case Bought(bought=purchase):
                return self.bought(purchase)
            case Cart(abandoned_cart=cart):
                return self.abandoned(cart)
            case Test():
                self.at = (*at, "field")
                return self.test(one)
        raise AssertionError(one)

    # ── fields ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def test(self, test: Test) -> exp.Expr:
        spec = self.fields.get(test.field)
        if spec is None:
            near = _nearest(test.field, self.fields)
            raise self.wrong(f"there is no field {test.field!r}{near}; `keruen segment list --fields` shows all")
        if test.op not in operators(spec.kind):
            allowed = ", ".join(operators(spec.kind))
            raise self.wrong(f"{test.field} is a {spec.kind} and takes {allowed}, not {test.op!r}")
        one = _parsed((spec.duckdb if self.dialect == "duckdb" else "") or spec.sql)
        if test.op in ("exists", "absent"):
            if test.value is not None:
                raise self.wrong(f"{test.field} {test.op} takes no value")
            if spec.kind == "list":  # a list with nothing in it is as good as none
                one = _parsed("nullif(array_length(:one, 1), 0)", one=one)
            return exp.Is(this=exp.paren(one), expression=exp.null()) if test.op == "absent" else _is_known(one)
        if test.op in ("within", "older_than"):
            return self.time(test, spec, one)
        return self.compared(test, spec, exp.paren(one))

    def compared(self, test: Test, spec: FieldSpec, one: exp.Expr) -> exp.Expr:
        said = list(test.value) if isinstance(test.value, tuple) else [test.value]
        many = test.op in ("in", "not in", "between")
        told = bool(said) and test.value is not None
        if many != isinstance(test.value, tuple) or not told or (test.op == "between" and len(said) != 2):
            takes = "a list of two values" if test.op == "between" else "a list of values" if many else "one value"
            raise self.wrong(f"{test.field} {test.op} takes {takes}")
        values = [self.typed(test, spec, value) for value in said]
        if test.op == "between" and type(values[0]) is type(values[1]) and values[0] > values[1]:
            raise self.wrong(f"{test.field} between takes the lower value first")
        if spec.kind == "moment":
            return self.moment(test.op, one, values)
        if spec.kind == "list":
            has = exp.or_(*(exp.EQ(this=self.value(value), expression=exp.Any(this=one.copy())) for value in values))
            return exp.not_(exp.paren(has)) if test.op in ("!=", "not in") else exp.paren(has)
        given = [self.value(value) for value in values]
        if test.op in ("in", "not in"):
            among = exp.In(this=one, expressions=given)
            return exp.not_(among) if test.op == "not in" else among
        if test.op == "between":
            return exp.Between(this=one, low=given[0], high=given[1])
        return _COMPARISONS[test.op](this=one, expression=given[0])

    def moment(self, op: str, one: exp.Expr, values: Sequence[Any]) -> exp.Expr:
        """A day stands for its whole length: `> 2026-01-01` begins with the second of January."""
        if op == "between":
            return exp.and_(self.moment(">=", one, values[:1]), self.moment("<=", one.copy(), values[1:]))
        value, comparison = values[0], _COMPARISONS[op]
        if isinstance(value, datetime):
            return comparison(this=one, expression=self.value(value))
        day = value + timedelta(days=1) if op in (">", "<=") else value
        edge = datetime.combine(day, time(), self.zone)
        return (exp.GTE if op in (">", ">=") else exp.LT)(this=one, expression=self.value(edge))

    def time(self, test: Test, spec: FieldSpec, one: exp.Expr) -> exp.Expr:
        span = test.value
        if not isinstance(span, str) or not re.fullmatch(r"[1-9]\d{0,3} ?[dh]", span):
            raise self.wrong(f"{test.field} {test.op} takes a time like 30d or 4h, not {test.value!r}")
        day = spec.kind == "date"
        if day and span.endswith("h"):
            raise self.wrong(f"{test.field} is a date: say {test.op} in days, like 30d")
        ripe = f"select r.person_id from ({spec.rows}) r where r.at >= :since and r.at < :until"
        if not spec.rows:
            turn = _parsed("(:one) >= :since and (:one) < :until", one=one)
            ripe = f"select b.person_id {_from(_asked(turn))} where {_sql(turn, self.dialect)}"
        self.ripenings.append(Ripening(span, ripe, day))
        older = test.op == "older_than"
        return (exp.LT if older else exp.GTE)(this=exp.paren(one), expression=self.edge(span, day))

    def typed(self, test: Test, spec: FieldSpec, value: Any) -> Any:
        """The value as the field's kind has it."""
        match spec.kind:
            case "number" if isinstance(value, int | Decimal) and not isinstance(value, bool):
                return value
            case "text" | "list" if isinstance(value, str):
                if spec.values and value not in spec.values:
                    raise self.wrong(f"{test.field} is one of {', '.join(spec.values)}, never {value!r}")
                if spec.fold is None:
                    return value
                if (folded := spec.fold(value)) is None:
                    raise self.wrong(f"{value!r} cannot be a {test.field}: there is nothing in it to compare")
                return folded
            case "flag" if isinstance(value, bool):
                return value
            case "date" | "moment":
                return self.day(test, spec, value)
        hint = " (put it in quotes)" if spec.kind in ("text", "list") else ""
        raise self.wrong(f"{test.field} is a {spec.kind}; {value!r} is none{hint}")

    def day(self, test: Test, spec: FieldSpec, value: Any) -> date:
        """A date, or for a moment given with its time a datetime; one without a zone is local."""
        with suppress(ValueError):
            if isinstance(value, str):
                value = date.fromisoformat(value) if len(value) == 10 else datetime.fromisoformat(value)
        if isinstance(value, datetime) and spec.kind == "moment":
            return value if value.tzinfo else value.replace(tzinfo=self.zone)
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        raise self.wrong(f"{test.field} is a {spec.kind}; {value!r} is none (write it as 2026-03-31)")

    # ── purchases and carts ───────────────────────────────────────────────────────────────────────────────────────────

    def bought(self, purchase: Purchase) -> exp.Expr:
        parts = [_parsed(_KEPT.format("o", "i")), self.goods(purchase, "i", "t")]
        for span, comparison in ((purchase.within, exp.GTE), (purchase.older_than, exp.LT)):
            if span:
                self.ripenings.append(Ripening(span, _RIPE_ORDERS))
                parts.append(comparison(this=exp.column("placed_at", "o"), expression=self.edge(span)))
        if purchase.without:
            accessory = _parsed(_ACCESSORY, goods=exp.paren(self.goods(purchase.without, "y", "z")))
            parts.append(exp.not_(accessory))
        return _parsed(_BOUGHT, kept=exp.and_(*parts))

    def goods(self, goods: Goods, line: str, product: str) -> exp.Expr:
        ways: list[exp.Expr] = []
        if goods.sku:
            ways.append(exp.In(this=exp.column("sku", line), expressions=[self.value(sku) for sku in goods.sku]))
        if goods.category:
            path = goods.category.rstrip("/")
            ways.append(exp.column("category", product).eq(self.value(path)))
            ways.append(_parsed(f"starts_with({product}.category, :path)", path=self.value(path + "/")))
        return exp.paren(exp.or_(*ways))

    def abandoned(self, cart: Abandoned) -> exp.Expr:
        touched = exp.column("updated_at", "c")
        parts: list[exp.Expr] = [exp.LT(this=touched, expression=self.edge(cart.idle))]
        self.ripenings.append(Ripening(cart.idle, _RIPE_CARTS))
        if cart.within:
            parts.append(exp.GTE(this=touched.copy(), expression=self.edge(cart.within)))
            self.ripenings.append(Ripening(cart.within, _RIPE_CARTS))
        busy = exp.GTE(this=exp.column("updated_at", "d"), expression=self.edge(cart.idle))
        return _parsed(_ABANDONED, idle=exp.and_(*parts), busy=busy)

    # ── parameters ────────────────────────────────────────────────────────────────────────────────────────────────────

    def value(self, value: Any) -> exp.Placeholder:
        self.values[name := f"p{len(self.values)}"] = value
        return exp.Placeholder(this=name)

    def edge(self, span: str, day: bool = False) -> exp.Placeholder:
        self.spans[name := f"t{len(self.spans)}"] = (span, day)
        return exp.Placeholder(this=name)

    def wrong(self, why: str) -> Slip:
        return Slip(f"segment {self.name}: {why}", self.at)


_COMPARISONS: Mapping[str, type[exp.Expr]] = {
    "=": exp.EQ, "!=": exp.NEQ, ">": exp.GT, ">=": exp.GTE, "<": exp.LT, "<=": exp.LTE,
}  # fmt: skip


def _is_known(one: exp.Expr) -> exp.Expr:
    return exp.not_(exp.Is(this=exp.paren(one), expression=exp.null()))


def _nearest(name: str, fields: Registry) -> str:
    found = get_close_matches(name, fields, 1)
    return f", is {found[0]!r} meant?" if found else ""


_TRIED = "{0}.kind = 'sale' and {0}.status <> 'cancelled' and {0}.deleted_at is null"
_SALE = f"{_TRIED} and {{0}}.status <> 'returned'"
_LINES = 'canonical."order" {0} join canonical.order_line {1} using (connection, external_id)'
_IN_SEGMENT = (
    "exists (select 1 from segment.membership m where m.segment = cast(:other as text) and m.person_id = b.person_id)"
)
# `is true` keeps it a set that is hashed once, whatever PostgreSQL believes of the size of temporary tables
_GATHERED_IN_SEGMENT = f"""(b.person_id in (
  select m.person_id from {AMONG[MEMBERSHIP]} m where m.segment = cast(:other as text))) is true"""
_BOUGHT = f"""exists (
  select 1 from {_LINES.format("o", "i")} left join canonical.product t on t.sku = i.sku
  where o.person_id = b.person_id and o.copy_of is null and {_SALE.format("o")} and :kept)"""
_RETURN = "{0}.kind = 'return' and {0}.status <> 'cancelled' and {0}.deleted_at is null and {0}.copy_of is null"
# of the goods of an order {0} and its line {1}, whatever shop they came back to: how many were bought (a receipt may
# have the same goods in several lines), and how many came back by that receipt
_TAKEN = """(
  select sum(w.quantity) from canonical.order_line w
  where w.connection = {0}.connection and w.external_id = {0}.external_id and w.sku = {1}.sku)"""
_BY_RECEIPT = f"""coalesce((
  select sum(x.quantity) from {_LINES.format("r", "x")}
  where {_RETURN.format("r")} and x.sku = {{1}}.sku
    and r.returns = {{0}}.connection || ':' || {{0}}.external_id), 0)"""
# a return without a receipt is of what the person bought last before it, as far as that goes, then of what was bought
# earlier: an order loses by it as much as, at any moment since, more had come back than had been bought after it
_WITHOUT_RECEIPT = f"""case when exists (
  select 1 from canonical."order" r where {_RETURN.format("r")} and r.returns is null
    and r.person_id = {{0}}.person_id and r.placed_at >= {{0}}.placed_at
) then (
  select max(l.more) from (
    select sum(case when s.kind = 'return' then sum(z.quantity)
                    else -greatest(sum(z.quantity) - {_BY_RECEIPT.format("s", "{1}")}, 0) end)
             over (order by s.placed_at, s.kind desc, s.connection, s.external_id) as more
    from {_LINES.format("s", "z")}
    where s.person_id = {{0}}.person_id and z.sku = {{1}}.sku and s.copy_of is null and s.placed_at >= {{0}}.placed_at
      and ({_RETURN.format("s")} and s.returns is null
           or {_SALE.format("s")} and (s.placed_at, s.connection, s.external_id)
              > ({{0}}.placed_at, {{0}}.connection, {{0}}.external_id))
    group by s.connection, s.external_id, s.kind, s.placed_at) l) end"""
_KEPT = f"{_TAKEN} - {_BY_RECEIPT} > greatest(coalesce({_WITHOUT_RECEIPT}, 0), 0)"
_ACCESSORY = f"""exists (
  select 1 from {_LINES.format("a", "y")} left join canonical.product z on z.sku = y.sku
  where a.person_id = o.person_id and a.copy_of is null and {_SALE.format("a")} and a.placed_at >= o.placed_at
    and :goods and {_KEPT.format("a", "y")})"""
# carts of one person in several channels are one intention, as in mappings.carts: who fills another one leaves none
# behind, and goods that a later cart says were ordered or put back are not wanted; nor are those that were bought, and
# if they came back, tried and not liked
_ABANDONED = f"""exists (
  select 1 from canonical.cart c
  where c.person_id = b.person_id and c.state = 'open' and c.deleted_at is null and :idle
    and exists (select 1 from canonical.cart_line k
                where k.connection = c.connection and k.external_id = c.external_id)
    and not exists (
      select 1 from canonical.cart d
      where d.person_id = c.person_id and d.deleted_at is null
        and (:busy or d.updated_at > c.updated_at and d.state <> 'open' and exists (
          select 1 from canonical.cart_line k join canonical.cart_line l on l.sku = k.sku
          where k.connection = c.connection and k.external_id = c.external_id
            and l.connection = d.connection and l.external_id = d.external_id)))
    and not exists (
      select 1 from canonical.cart_line k join canonical.order_line y on y.sku = k.sku
      join canonical."order" a on a.connection = y.connection and a.external_id = y.external_id
      where k.connection = c.connection and k.external_id = c.external_id and a.person_id = c.person_id
        and {_TRIED.format("a")} and a.placed_at >= c.updated_at))"""
_RIPE_ORDERS = (
    'select o.person_id from canonical."order" o '
    "where o.placed_at >= :since and o.placed_at < :until and o.person_id is not null"
)
_RIPE_CARTS = (
    "select c.person_id from canonical.cart c "
    "where c.updated_at >= :since and c.updated_at < :until and c.person_id is not null"
)
