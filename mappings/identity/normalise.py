"""What systems say of buyers → comparable features and keys. Cleaning looks at distinct values, never at single
records."""

import pyarrow as pa

from mappings.identity import names
from mappings.identity.contacts import (
    MOBILE,
    NOTHING,
    PLACEHOLDER_BOXES,
    PLACEHOLDER_PHONES,
    RUNS,
    email_key,
    foreign_numbers,
)
from mappings.identity.digests import DIGEST, NUMBER, pads
from mappings.identity.population import ESTABLISHED, PLACEHOLDER_DATE, Population
from mappings.relations import unordered

CUSTOMERS = pa.schema(
    {
        "connection": pa.string(),
        "external_id": pa.string(),
        "name": pa.string(),
        "first_name": pa.string(),
        "last_name": pa.string(),
        "middle_name": pa.string(),
        "phones": pa.list_(pa.string()),
        "emails": pa.list_(pa.string()),
        "loyalty_ids": pa.list_(pa.string()),
        "account_id": pa.string(),
        "refs": pa.list_(pa.string()),
        "birth_date": pa.string(),
        "city": pa.string(),
        "address": pa.string(),
        "masked": pa.list_(pa.string()),
    }
)
"""What is read of a customer. `phones`: E.164. `refs`: `<connection>\\x1f<external id>` of the same buyer elsewhere.
`birth_date`: ISO text or day first. `masked`: contact kinds that the channel replaces by proxies."""

FEATURES = pa.schema(
    {
        "record": pa.int64(),
        "connection": pa.string(),
        "first": pa.string(),
        "last": pa.string(),
        "birth": pa.date32(),
        "city": pa.string(),
        "first_share": pa.float64(),
        "last_share": pa.float64(),
        "established": pa.bool_(),
    }
)
IDENTIFIERS = pa.schema({"record": pa.int64(), "kind": pa.string(), "value": pa.int64()})
"""`value` is a 63-bit digest under the key of digests, but for references: these are numbers of records."""

RECORD = NUMBER.format("connection || chr(31) || external_id")
"""A record's number follows from its key, so that no order of arrival can move a tie between two links."""

WORDS = r"regexp_extract_all(lower({}), '[\p{{L}}''’`ʼ]+')"


def numbered(customers: pa.Table) -> pa.Table:
    """The customers with `record`, their number. Two keys with one number would be shown by the store's primary key."""
    return unordered(f"select {RECORD} as record, * from customers", customers=customers)


def normalise(customers: pa.Table, population: Population, secret: bytes) -> tuple[pa.Table, pa.Table]:
    """Features and identifiers of CUSTOMERS rows. A value that cannot be a key gives no identifier.

    `secret`: the key of digests, the same for all records that are compared.
    """
    features = read_features(customers, population)
    return features, _identifiers(customers, features, secret)


def read_features(customers: pa.Table, population: Population) -> pa.Table:
    """FEATURES of CUSTOMERS rows: the names as `population` reads them, dates and towns that say something."""
    return unordered(
        f"""
        select {RECORD} as record, c.connection, n.first, n.last, d.birth, t.key as city,
               (coalesce(f.as_first, 0) + 1) / (select sum(as_first) + 1 from names) as first_share,
               (coalesce(l.as_last, 0) + 1) / (select sum(as_last) + 1 from names) as last_share,
               coalesce(f.as_first >= 5 and f.as_first >= {ESTABLISHED} * (select sum(as_first) from names), false)
                 as established
        from customers c
        left join named n on n.name is not distinct from c.name and n.first_name is not distinct from c.first_name
             and n.last_name is not distinct from c.last_name and n.middle_name is not distinct from c.middle_name
        left join days d on d.birth_date = c.birth_date
        left join towns t on t.city = c.city
        left join names f on f.key = n.first
        left join names l on l.key = n.last
        """,
        customers=customers,
        named=_named(customers, population),
        names=_or_one(population.names),
        days=_days(customers, population),
        towns=towns(customers),
    ).cast(FEATURES)


def _or_one(names_: pa.Table) -> pa.Table:
    """Sums over no rows are null; a population nobody has counted yet makes every name equally rare."""
    return names_ if names_.num_rows else pa.table({"key": [""], "as_first": [0], "as_last": [0]})


def _named(customers: pa.Table, population: Population) -> pa.Table:
    """First and last key of every distinct name; which word is which is told by how often it stood as either."""
    spoken = unordered(
        """
        select distinct name, first_name, last_name, middle_name,
               case when trim(first_name) <> '' and trim(last_name) <> '' then first_name end as own_first,
               case when own_first is not null then last_name end as own_last,
               case when own_first is null then
                 case when trim(name) <> '' then name else concat_ws(' ', last_name, first_name, middle_name) end end
                   as whole
        from customers where coalesce(name, first_name, last_name) is not null
        """,
        customers=customers,
    )
    tokens = _tokens(spoken)
    return unordered(_NAMED, spoken=spoken, tokens=tokens, names=population.names)


_NAMED = f"""
with texts as (select distinct whole from spoken where whole <> ''),
placed as (select whole, unnest({WORDS.format("whole")}) as word, generate_subscripts({WORDS.format("whole")}, 1) as
  place
           from texts),
read as (
  select p.whole, t.first, t.last, p.place, t.nobody, t.patronymic,
         (coalesce(f.as_first, 0) + 0.5) / (coalesce(f.as_first, 0) + coalesce(l.as_last, 0) + 1)
           - case when t.surname and coalesce(f.as_first, 0) < 5 then 0.4 else 0 end - p.place / 1000 as likely
  from placed p join tokens t using (word)
  left join names f on f.key = t.first left join names l on l.key = t.last
),
sorted as (
  select whole, bool_or(nobody) as nobody,
         list({{'first': first, 'last': last, 'likely': likely}} order by likely desc) filter (not patronymic) as main,
         any_value(last) filter (patronymic) as father
  from read group by whole
),
split as (
  select whole, nobody,
         case when len(main) > 1 or main[1].likely > 0.3 then main[1].first end as first,
         case when len(main) > 1 then main[-1].last when main[1].likely <= 0.3 then main[1].last else father end as last
  from sorted
)
select s.name, s.first_name, s.last_name, s.middle_name,
       coalesce(w.nobody or f.nobody or l.nobody, false) as nobodys,
       coalesce(fl.as_last, 0) > 2 * coalesce(ff.as_first, 0) and coalesce(lf.as_first, 0) > 2 * coalesce(ll.as_last, 0)
         as swapped,
       case when not nobodys then nullif(if(swapped, l.first, coalesce(f.first, w.first)), '') end as first,
       case when not nobodys then nullif(if(swapped, f.last, coalesce(l.last, w.last)), '') end as last
from spoken s
left join split w on w.whole = s.whole
left join tokens f on f.word = {WORDS.format("s.own_first")}[1]
left join tokens l on l.word = {WORDS.format("s.own_last")}[1]
left join names ff on ff.key = f.first
left join names fl on fl.key = f.last
left join names lf on lf.key = l.first
left join names ll on ll.key = l.last
"""


def _tokens(spoken: pa.Table) -> pa.Table:
    words = unordered(
        f"""select distinct unnest({WORDS.format("concat_ws(' ', own_first, own_last, whole)")}) as word from spoken""",
        spoken=spoken,
    )["word"].to_pylist()
    return pa.Table.from_pylist(
        [{"word": word} | vars(names.token(word)) for word in words],
        schema=pa.schema(
            {"word": pa.string(), "first": pa.string(), "last": pa.string()}
            | dict.fromkeys(("patronymic", "surname", "nobody"), pa.bool_())
        ),
    )


def towns(rows: pa.Table) -> pa.Table:
    """city, key (`names.town`) of the rows' cities, each once."""
    distinct = unordered("select distinct city from rows where city is not null", rows=rows)["city"].to_pylist()
    keys = [names.town(city) for city in distinct]
    return pa.table({"city": pa.array(distinct, pa.string()), "key": pa.array(keys, pa.string())})


def _days(customers: pa.Table, population: Population) -> pa.Table:
    """Dates that say something: not 1 January, not 1900, not to come, not one of those that tills invent."""
    return unordered(
        f"""
        select birth_date, birth from (
          select distinct birth_date, coalesce(
            try_strptime(left(birth_date, 10), '%Y-%m-%d'), try_strptime(birth_date, '%d.%m.%Y'),
            try_strptime(birth_date, '%d/%m/%Y'), try_strptime(birth_date, '%m/%d/%Y'))::date as birth
          from customers where birth_date is not null
        ) where birth is not null and not {PLACEHOLDER_DATE.format("birth")}
        """,
        {"today": population.as_of},
        customers=customers,
        dates=population.dates,
    )


def _identifiers(customers: pa.Table, features: pa.Table, secret: bytes) -> pa.Table:
    phones = unordered(
        f"""
        select phone, regexp_full_match(phone, '{MOBILE}') as mobile from (
          select distinct unnest(phones) as phone from customers where not list_contains(coalesce(masked, []), 'phone'))
        where phone not in (select unnest($fixed)) and right(phone, 7) not in (select unnest($runs))
        """,
        {"fixed": sorted(PLACEHOLDER_PHONES), "runs": sorted(RUNS)},
        customers=customers,
    )
    foreign = unordered("select phone from phones where not mobile and phone not like '+77%'", phones=phones)[
        "phone"
    ].to_pylist()
    return unordered(
        _IDENTIFIERS,
        {"boxes": sorted(PLACEHOLDER_BOXES), **pads(secret)},
        customers=customers,
        features=features,
        phones=phones,
        abroad=pa.table({"phone": pa.array(foreign_numbers(foreign), pa.string())}),
    ).cast(IDENTIFIERS)


_HOUSE = r"regexp_extract_all(address, '(\d+[\p{L}]?)(?:[^\p{L}\d]|$)', 1)"
_IDENTIFIERS = f"""
with c as (select {RECORD} as record, *, {_HOUSE} as house from customers),
usable as (select phone from phones where mobile union all select phone from abroad),
called as (select record, unnest(phones) as phone from c where not list_contains(coalesce(masked, []), 'phone')),
written as (
  select record, {email_key("address")} as address
  from (select record, unnest(list_transform(emails, lambda e: lower(trim(e)))) as address
        from c where not list_contains(coalesce(masked, []), 'email'))
),
known as (select c.record, c.house, c.address, f.first, f.last, f.birth, f.city from c join features f using (record)
          where length(f.first) > 1 and length(f.last) > 1)
select distinct record, kind,
       case when kind = 'reference' then {NUMBER.format("value")} else {DIGEST.format("value")} end as value from (
  select record, 'phone' as kind, phone as value from called where phone in (select phone from usable)
  union all select record, 'email', address from written
    where address is not null and split_part(address, '@', 1) not in (select unnest($boxes))
  union all select record, 'loyalty', card from (select record, upper(trim(unnest(loyalty_ids))) as card from c)
    where not regexp_full_match(card, '{NOTHING}')
  union all select record, 'reference', ref from (select record, unnest(refs) as ref from c)
    where not regexp_full_match(trim(substr(ref, strpos(ref, chr(31)) + 1)), '{NOTHING}')
  union all select record, 'account', connection || chr(31) || account_id from c
    where not regexp_full_match(trim(account_id), '{NOTHING}')
      and not list_contains(list_transform(coalesce(phones, []), lambda p: right(p, 10)),
    right(account_id, 10))
  union all select record, 'name_birth', concat_ws(chr(31), first, last, birth) from known where birth is not null
  union all select record, 'name_address', concat_ws(chr(31), first, last, lower(house[-2]), lower(house[-1])) from
    known
    where len(house) >= 2
  union all select c.record, 'address', concat_ws(chr(31), f.city, lower(regexp_replace(c.address, '[^\\p{{L}}\\d]+',
    ' ', 'g')))
    from c join features f using (record) where len(c.house) >= 2
) where value is not null and value <> ''
"""
