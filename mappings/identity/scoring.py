"""What speaks for and against one person behind two records, in bits that add up and can be read out."""

import pyarrow as pa

from mappings.identity.names import EITHER_WAY
from mappings.identity.population import Population
from mappings.identity.rules import Bits, RuleVersion
from mappings.relations import unordered

EVIDENCE = ("phone", "email", "loyalty", "reference", "account", "first", "last", "birth", "city", "rare")
"""`rare`: the same full name with the same date or flat, where nothing else led to the pair; it replaces first, last,
birth."""

EDGES = pa.schema({"a": pa.int64(), "b": pa.int64(), "weight": pa.float64()} | dict.fromkeys(EVIDENCE, pa.float64()))


def edges(pairs: pa.Table, features: pa.Table, population: Population, rules: RuleVersion) -> pa.Table:
    """EDGES of the pairs that weigh at least `rules.review`; those of `rules.link` and more are links.

    An evidence is null where one side says nothing: silence speaks neither for nor against.
    """
    scored = unordered(_scored(population, rules), pairs=pairs, features=features)
    return scored.select(EDGES.names).cast(EDGES)


def reasons(edge: dict[str, float | None]) -> list[tuple[str, float]]:
    """Why an edge weighs what it weighs: (evidence, bits), the strongest first."""
    told = [(name, bits) for name in EVIDENCE if (bits := edge.get(name)) is not None]
    return sorted(told, key=lambda reason: -abs(reason[1]))


def first_names(a: str, b: str, rules: RuleVersion) -> str:
    """SQL that compares `first` of two aliases: same, close, partial, different, or null where one is unknown.

    Two names that are each common are two names, however alike: Алия is no misspelling of Алина.
    """
    x, y = f"{a}.first", f"{b}.first"
    either = ", ".join(f"'{short} {full}'" for short, full in sorted(EITHER_WAY))
    return f"""case when {x} is null or {y} is null then null
        when {x} = {y} then if(length({x}) = 1, 'partial', 'same')
        when length({x}) = 1 or length({y}) = 1 then if({x}[1] = {y}[1], 'partial', 'different')
        when {x} || ' ' || {y} in ({either}) then 'close'
        when {a}.established and {b}.established then 'different'
        when jaro_winkler_similarity({x}, {y}) >= {rules.alike} then 'close'
        when damerau_levenshtein({x}, {y}) = 1 and length({x}) >= 5 then 'close'
        when left({x}, 3) = left({y}, 3) then 'partial' else 'different' end"""


def _last_names(rules: RuleVersion) -> str:
    return f"""case when l.last is null or r.last is null then null
        when l.last = r.last then if(length(l.last) = 1, 'partial', 'same')
        when length(l.last) = 1 or length(r.last) = 1 then if(l.last[1] = r.last[1], 'partial', 'different')
        when jaro_winkler_similarity(l.last, r.last) >= {rules.alike} then 'close' else 'different' end"""


def _crosswise(rules: RuleVersion) -> str:
    """Columns that somebody mixed up: `same` or `close` where each name is the other's counterpart, else null."""
    return f"""case when l.first = r.last and l.last = r.first and length(l.first) > 1 then 'same'
        when jaro_winkler_similarity(l.first, r.last) >= {rules.alike}
         and jaro_winkler_similarity(l.last, r.first) >= {rules.alike}
         and jaro_winkler_similarity(l.first, r.first) < {rules.alike} then 'close' end"""


_BIRTHS = """case when l.birth is null or r.birth is null then null
        when l.birth = r.birth then 'same'
        when strftime(l.birth, '%m%d') = strftime(r.birth, '%m%d') or year(l.birth) = year(r.birth)
          or levenshtein(strftime(l.birth, '%Y%m%d'), strftime(r.birth, '%Y%m%d')) = 1 then 'close'
        else 'different' end"""


def _agree() -> str:
    """What a value of several people needs beside it: the first name, or its initial with the surname."""
    return """coalesce(firsts in ('same', 'close') or firsts = 'partial' and lasts in ('same', 'close'), false)"""


def _bits(outcome: str, bits: Bits) -> str:
    return f"""case {outcome} when 'same' then {bits.same}::double when 'close' then {bits.close}::double
        when 'partial' then {bits.partial}::double when 'different' then {bits.different}::double end"""


def _rare(population: Population, rules: RuleVersion) -> str:
    """Bits of a name met twice: few where the base has many namesakes, so precision does not fall as it grows."""
    namesakes = f"{population.persons}::double * l.first_share * l.last_share"
    birth, flat = rules.name_birth, rules.name_address
    return f"""greatest(
        if(name_birth, least({birth.most}, -log2({namesakes} / {birth.room}) - {birth.cost}), null),
        if(name_address, least({flat.most}, -log2({namesakes} / {flat.room}) - {flat.cost}), null))"""


def _scored(population: Population, rules: RuleVersion) -> str:
    return f"""
    with compared as (
      select p.*, not (phone or email or loyalty or reference or account) as by_name,
             {_crosswise(rules)} as crossed,
             coalesce(crossed, {first_names("l", "r", rules)}) as firsts,
             coalesce(crossed, {_last_names(rules)}) as lasts,
             {_agree()} as agree, {_BIRTHS} as births, {_rare(population, rules)} as namesake,
             case when l.city = r.city then 'same' when l.city <> r.city then 'different' end as cities
      from pairs p join features l on l.record = p.a join features r on r.record = p.b
    ),
    told as (
      select a, b,
             if(phone and (sole_phone or agree), {rules.phone}, null) as phone,
             if(email and (sole_email or agree), {rules.email}, null) as email,
             if(loyalty, {rules.loyalty}, null) as loyalty, if(reference, {rules.reference}, null) as reference,
             if(account, {rules.account}, null) as account,
             if(by_name, null, {_bits("firsts", rules.first)}) as first, if(by_name, null, {
        _bits("lasts", rules.last)
    }) as last,
             if(by_name and name_birth, null, {_bits("births", rules.birth)}) as birth,
             {_bits("cities", rules.city)} as city, if(by_name, namesake, null) as rare
      from compared
    )
    select *, {" + ".join(f"coalesce({name}, 0)" for name in EVIDENCE)} as weight from told where weight >=
      {rules.review}
    """
