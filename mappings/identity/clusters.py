"""Links → persons. Strongest first, with a veto where a join would make one person of what cannot be one."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mappings.identity.rules import RuleVersion
from mappings.identity.scoring import first_names
from mappings.relations import unordered

OVERRIDES = pa.schema({"a": pa.int64(), "b": pa.int64(), "verdict": pa.string()})
"""What a person decided: `must_link` or `must_not_link`. Two verdicts on one pair: keep them apart, it can be
undone."""

CLUSTERS = pa.schema({"record": pa.int64(), "cluster": pa.int64()})
"""`cluster`: the smallest record number in it, so that a partition has one spelling."""

ASIDE = pa.schema({"a": pa.int64(), "b": pa.int64(), "reason": pa.string()})

FIRST = "first name"
PLENTY = frozenset({"phone"})
"""What people have several of without anybody wondering; of every other trait two values speak for two people."""

Alike = frozenset[tuple[int, int]]
_NAME = "(hash({}) >> 1)::bigint"
"""A number for a name, good as long as this process lives."""


@dataclass(frozen=True)
class Clustering:
    """Every record with its cluster, and the links that a veto put aside, each with its reason."""

    clusters: pa.Table
    aside: pa.Table


def components(records: NDArray[np.int64], a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    """For every record the smallest record that links lead to. `records` sorted and distinct, all ends of links among
    them."""
    left, right = np.searchsorted(records, a), np.searchsorted(records, b)
    size = len(records)
    _, label = connected_components(
        coo_array((np.ones(len(left), np.int8), (left, right)), shape=(size, size)), directed=False
    )
    _, first = np.unique(label, return_index=True)
    smallest: NDArray[np.int64] = records[first[label]]
    return smallest


def looked_at(rules: RuleVersion) -> frozenset[str]:
    """Kinds of identifiers that a veto looks at; `cluster` passes over others."""
    return frozenset({"account", *rules.limits})


def cluster(
    features: pa.Table, identifiers: pa.Table, stats: pa.Table, edges: pa.Table, overrides: pa.Table, rules: RuleVersion
) -> Clustering:
    """Persons among the records of `features`. Only components in which some rule can break are walked link by link."""
    links = _links(edges, overrides, rules)
    records = np.sort(features["record"].to_numpy())
    together = components(records, links["a"].to_numpy(), links["b"].to_numpy())
    whole = pa.table({"record": records, "cluster": together})
    traits = _traits(whole, features, identifiers, stats, rules)
    doubtful = _doubtful(whole, links, traits, overrides, rules)
    if not doubtful.num_rows:
        return Clustering(whole.cast(CLUSTERS), ASIDE.empty_table())
    walked, aside = _walk(doubtful, links, traits, overrides, rules, _alike(doubtful, features, rules))
    settled = unordered(
        "select * from whole where cluster not in (select cluster from doubtful)", whole=whole, doubtful=doubtful
    )
    return Clustering(pa.concat_tables([settled.cast(CLUSTERS), walked]), aside)


def _links(edges: pa.Table, overrides: pa.Table, rules: RuleVersion) -> pa.Table:
    """a, b, weight; the strongest first, then by the numbers of the records: never by the time they came."""
    return unordered(
        f"""
        select a, b, max(weight) as weight from (
          select a, b, weight from edges where weight >= {rules.link}
          union all select least(a, b), greatest(a, b), 'infinity'::double from overrides where verdict = 'must_link')
        group by a, b order by weight desc, a, b
        """,
        edges=edges,
        overrides=overrides,
    )


def _traits(
    whole: pa.Table, features: pa.Table, identifiers: pa.Table, stats: pa.Table, rules: RuleVersion
) -> pa.Table:
    """record, cluster, kind, value: what a person may have only so many of, or what two people rarely have in common.

    Values that say nothing of anyone do not count. Accounts tell people apart within one shop only.
    """
    return unordered(
        f"""
        with known as (
          select * from identifiers
          where (kind, value) not in (select (kind, value) from stats where status in ('common', 'blocked'))
        ),
        bounded as (
          select record, 'birth date' as kind, epoch(birth)::bigint as value from features where birth is not null
          union all select record, '{FIRST}', {_NAME.format("first")} from features where length(first) > 1
          union all select record, connection, 0 from features where connection in (select unnest($single))
          union all select record, kind, value from known where kind in (select unnest($limited))
          union all select record, 'account in ' || connection, value from known join features using (record)
            where kind = 'account'
        )
        select w.record, w.cluster, b.kind, b.value from bounded b join whole w using (record)
        where w.cluster in (select cluster from whole group by cluster having count(*) > 1)
        """,
        {"single": sorted(rules.single), "limited": sorted(rules.limits)},
        whole=whole,
        features=features,
        identifiers=identifiers,
        stats=stats,
    )


def _doubtful(whole: pa.Table, links: pa.Table, traits: pa.Table, overrides: pa.Table, rules: RuleVersion) -> pa.Table:
    """record, cluster of the components in which a veto is possible."""
    limits = pa.table(
        {"kind": pa.array(rules.limits, pa.string()), "most": pa.array(rules.limits.values(), pa.int64())}
    )
    return unordered(
        f"""
        with weak as (select distinct cluster from links join whole on record = a where weight < {rules.conflict}),
        risky as (
          select cluster from whole group by cluster having count(*) > {rules.crowd}
          union select cluster from traits semi join weak using (cluster) where kind not in (select unnest($plenty))
            group by cluster, kind having count(distinct value) > 1
          union select cluster from traits where kind in (select unnest($single)) group by cluster, kind having
            count(*) > 1
          union select cluster from traits join limits using (kind) group by cluster, kind having count(distinct
            value) > any_value(most)
          union select l.cluster from overrides o join whole l on l.record = o.a join whole r on r.record = o.b
            where o.verdict = 'must_not_link' and l.cluster = r.cluster
        )
        select * from whole where cluster in (select cluster from risky)
        """,
        {"single": sorted(rules.single), "plenty": sorted(PLENTY)},
        whole=whole,
        links=links,
        traits=traits,
        overrides=overrides,
        limits=limits,
    )


def _alike(doubtful: pa.Table, features: pa.Table, rules: RuleVersion) -> Alike:
    """First names (FIRST traits) that may be one, of those that meet in a doubtful component."""
    found = unordered(
        f"""
        with called as (select distinct cluster, first, established from doubtful join features using (record)
                        where length(first) > 1)
        select distinct {_NAME.format("a.first")} as one, {_NAME.format("b.first")} as other
        from called a join called b using (cluster)
        where a.first <> b.first and {first_names("a", "b", rules)} in ('close', 'partial')
        """,
        doubtful=doubtful,
        features=features,
    )
    return frozenset(zip(found["one"].to_pylist(), found["other"].to_pylist(), strict=True))


@dataclass
class _Group:
    """A person in the making: its records, its traits by kind, and the records it may never hold."""

    records: set[int]
    traits: dict[str, set[int]] = field(default_factory=dict)
    cards: dict[str, int] = field(default_factory=dict)
    foes: set[int] = field(default_factory=set)

    def join(self, other: "_Group") -> None:
        self.records |= other.records
        self.foes |= other.foes
        for kind, values in other.traits.items():
            self.traits[kind] = self.traits.get(kind, set()) | values
        for connection, count in other.cards.items():
            self.cards[connection] = self.cards.get(connection, 0) + count


def _walk(
    doubtful: pa.Table, links: pa.Table, traits: pa.Table, overrides: pa.Table, rules: RuleVersion, alike: Alike
) -> tuple[pa.Table, pa.Table]:
    group = _groups(doubtful["record"].to_pylist(), traits, overrides, rules)
    mine = links.filter(pc.is_in(links["a"], value_set=doubtful["record"].combine_chunks()))
    aside: list[tuple[int, int, str]] = []
    for a, b, weight in zip(*(mine[name].to_pylist() for name in ("a", "b", "weight")), strict=True):
        left, right = group[a], group[b]
        if left is right:
            continue
        if reason := _veto(left, right, weight, rules, alike):
            aside.append((a, b, reason))
            continue
        if len(left.records) < len(right.records):
            left, right = right, left
        left.join(right)
        for record in right.records:
            group[record] = left
    persons = {id(found): min(found.records) for found in group.values()}
    walked = pa.table([list(group), [persons[id(found)] for found in group.values()]], schema=CLUSTERS)
    return walked, pa.table([list(column) for column in zip(*aside, strict=True)] or [[], [], []], schema=ASIDE)


def _groups(records: Iterable[int], traits: pa.Table, overrides: pa.Table, rules: RuleVersion) -> dict[int, _Group]:
    group = {record: _Group({record}) for record in records}
    for trait in traits.select(["record", "kind", "value"]).to_pylist():
        if found := group.get(trait["record"]):
            if trait["kind"] in rules.single:
                found.cards[trait["kind"]] = 1
            else:
                found.traits.setdefault(trait["kind"], set()).add(trait["value"])
    for verdict in overrides.to_pylist():
        if verdict["verdict"] == "must_not_link":
            for one, other in ((verdict["a"], verdict["b"]), (verdict["b"], verdict["a"])):
                if one in group:
                    group[one].foes.add(other)
    return group


def _veto(left: _Group, right: _Group, weight: float, rules: RuleVersion, alike: Alike) -> str | None:
    """Why the two may not become one, or None. A person's verdict stands above every rule but another verdict."""
    if not left.foes.isdisjoint(right.records):
        return "must_not_link"
    if weight == float("inf"):
        return None
    if weight < rules.conflict and (trait := _at_odds(left, right, alike)):
        return f"{trait} differs"
    if len(left.records) + len(right.records) > rules.crowd and weight < rules.crowded:
        return "too many records"
    for connection in left.cards.keys() & right.cards.keys():
        return f"two cards in {connection}"
    for kind, most in rules.limits.items():
        if len(left.traits.get(kind, set()) | right.traits.get(kind, set())) > most:
            return f"more than {most} {kind}"
    return None


def _at_odds(left: _Group, right: _Group, alike: Alike) -> str | None:
    """A trait that both have and that has nothing in common, or None.

    A record without a name is one with its number's owner as long as nothing else is known; it must not make one
    person of him and of somebody whom another key leads to.
    """
    for kind in sorted(left.traits.keys() & right.traits.keys() - PLENTY):
        ones, others = left.traits[kind], right.traits[kind]
        if ones.isdisjoint(others) and not (kind == FIRST and any((a, b) in alike for a in ones for b in others)):
            return kind
    return None
