"""Which records are worth comparing: those with an equal key, where the key can tell people apart at all."""

import pyarrow as pa

from mappings.identity.rules import KEYS, RuleVersion
from mappings.identity.scoring import first_names
from mappings.relations import unordered

STATS = pa.schema(
    {"kind": pa.string(), "value": pa.int64(), "records": pa.int64(), "names": pa.int64(), "status": pa.string()}
)


def keys_of(identifiers: pa.Table, features: pa.Table) -> pa.Table:
    """The identifiers, and for every reference the record it names, as a holder of it: its number is the reference's
    value."""
    targets = unordered(
        """
        select distinct value as record, kind, value from identifiers
        where kind = 'reference' and value <> record and value in (select record from features)
        """,
        identifiers=identifiers,
        features=features,
    )
    return pa.concat_tables([identifiers, targets.cast(identifiers.schema)])


def statistics(keys: pa.Table, features: pa.Table, rules: RuleVersion) -> pa.Table:
    """STATS of the values in `keys` that several records hold; `features` of these. Of one that a single record holds
    there is nothing to say: it is `ok`. Computed from features, never from clusters.

    `common`: more records, or more first names, than one person could explain: no key any more. `shared`: several
    people, a family most often: makes pairs, but links nobody unless the names agree. `blocked`: over the cap of its
    kind. For a value over its cap it is enough to be given one record more than the cap.
    """
    return unordered(
        f"""
        with named as (
          select kind, value, count(*) as records, count(distinct first) filter (length(first) > 1) as names,
                 list(distinct {{'first': first, 'established': established}}) filter (first is not null) as firsts
          from keys i left join features f using (record) group by kind, value having count(*) > 1
        ),
        called as (select kind, value, unnest(firsts, recursive := true) from named where names > 1 and kind in
          ('phone', 'email', 'address')),
        several as (select distinct a.kind, a.value from called a join called b using (kind, value)
                    where a.first < b.first and {first_names("a", "b", rules)} in ('partial', 'different')
                      and least(length(a.first), length(b.first)) > 1)
        select n.kind, n.value, n.records, n.names,
               case when n.kind in ('phone', 'email', 'address')
                     and (n.records > {_cap(rules)} or n.names > {rules.names_on_one_value}) then 'common'
                    when n.records > {_cap(rules)} then 'blocked'
                    when s.kind is not null then 'shared' else 'ok' end as status
        from named n left join several s using (kind, value)
        """,
        keys=keys,
        features=features,
    ).cast(STATS)


def pairs(keys: pa.Table, stats: pa.Table, changed: pa.Table | None = None) -> pa.Table:
    """Pairs with an equal key; of `changed` records (`record`) only, where it is given: then `keys` are all holders
    of theirs.

    a < b and, per kind, whether they share a key: `phone`, `email`, …; `sole_…` where some shared key is nobody else's.

    `sole_phone` is false when every phone they have in common is shared by several people.
    """
    found = ", ".join(f"bool_or(a.kind = '{kind}') as {kind}" for kind in KEYS)
    return unordered(
        f"""
        with telling as (
          select i.record, i.kind, i.value, s.status from keys i join stats s using (kind, value)
          where s.status in ('ok', 'shared') and i.kind <> 'address'
        )
        select a.record as a, b.record as b, {found},
               bool_or(a.kind = 'phone' and a.status = 'ok') as sole_phone,
               bool_or(a.kind = 'email' and a.status = 'ok') as sole_email
        from telling a join telling b on a.kind = b.kind and a.value = b.value and a.record < b.record
        {"" if changed is None else _ABOUT_CHANGED}
        group by a.record, b.record
        """,
        changed=keys.slice(0, 0) if changed is None else changed,
        keys=keys,
        stats=stats,
    )


_ABOUT_CHANGED = "where a.record in (select record from changed) or b.record in (select record from changed)"


def _cap(rules: RuleVersion) -> str:
    return "case n.kind " + " ".join(f"when '{kind}' then {cap}" for kind, cap in rules.caps.items()) + " end"
