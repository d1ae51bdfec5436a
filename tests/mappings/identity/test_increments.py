"""A full run and any sequence of increments give the same persons; ids follow records."""

from types import MappingProxyType

from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.identity.rules import RuleVersion
from tests.mappings.identity.conftest import Base

FIRST = ("Айгүл", "Aigul", "Данияр", "Д.", "Куляш", "Марат", "Мурат", "Маратт", None)
LAST = ("Серікова", "Сериков", "Kim", None)
TIGHT = RuleVersion(
    caps=MappingProxyType(
        {
            "phone": 4,
            "email": 3,
            "loyalty": 3,
            "reference": 2,
            "account": 5,
            "name_birth": 3,
            "name_address": 3,
            "address": 3,
        }
    ),
    names_on_one_value=3,
    crowd=4,
    limits=MappingProxyType({"phone": 2, "email": 2, "loyalty": 1}),
    single=frozenset({"crm"}),
)
"""Caps and limits so low that a dozen records reach all of them."""


def one_of(*values):
    return st.sampled_from(values)


people = st.fixed_dictionaries(
    {
        "connection": one_of("crm", "shop", "till"),
        "external_id": one_of(*"123456"),
        "first_name": one_of(*FIRST),
        "last_name": one_of(*LAST),
        "phones": st.lists(one_of(*(f"+7700000000{digit}" for digit in range(1, 4))), max_size=2, unique=True),
        "emails": st.lists(one_of("a@mail.example", "b@mail.example"), max_size=1),
        "loyalty_ids": st.lists(one_of("77001", "77002"), max_size=1),
        "refs": st.lists(one_of("crm\x1f1", "shop\x1f2"), max_size=1),
        "birth_date": one_of(None, "1980-05-06", "1991-07-08"),
        "city": one_of(None, "Алматы", "Astana"),
    }
)
gone = st.tuples(one_of("crm", "shop", "till"), one_of(*"123456"))
steps = st.lists(st.one_of(st.lists(people, min_size=1, max_size=8), gone), min_size=1, max_size=6)


def latest(rows):
    return list({(row["connection"], row["external_id"]): row for row in rows}.values())


def lived_through(base, history):
    for step in history:
        if isinstance(step, tuple):
            base.loses(step)
        else:
            base.receives(*latest(step))


@settings(max_examples=8)
@given(history=steps)
def test_increments_add_up_to_a_full_run(history):
    base = Base(TIGHT)
    lived_through(base, history)
    assert base.partition() == base.all_at_once()


@settings(max_examples=8)
@given(rows=st.lists(people, min_size=2, max_size=20).map(latest), order=st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(rows, order):
    one, other = Base(TIGHT), Base(TIGHT)
    one.receives(*rows)
    shuffled = order.sample(rows, len(rows))
    cut = order.randint(0, len(rows) - 1)
    for batch in (shuffled[:cut], shuffled[cut:]):
        if batch:
            other.receives(*batch)
    assert one.partition() == other.partition()


@settings(max_examples=6)
@given(history=steps)
def test_an_id_is_never_given_to_another_person(history):
    base, held, ended = Base(TIGHT), {}, {}
    for step in history:
        lived_through(base, [step])
        now = {}
        for record, person in base.people().items():
            now.setdefault(person, set()).add(record)
        for person, records in now.items():
            had = held.get(person) or ended.get(person)
            assert had is None or had & records, f"{person} went over to strangers"
        ended.update({person: records for person, records in held.items() if person not in now})
        assert {frozenset(r) for r in held.values()} & {frozenset(r) for r in now.values()} == {
            frozenset(r) for person, r in now.items() if held.get(person) == r
        }, "an unchanged person lost the id"
        held = now


@settings(max_examples=6)
@given(history=steps, pair=st.tuples(gone, gone), verdict=one_of("must_link", "must_not_link"))
def test_a_verdict_taken_back_leaves_no_trace(history, pair, verdict):
    base = Base(TIGHT)
    lived_through(base, history)
    one, other = pair
    if one == other or not {base.record(one), base.record(other)} <= base.people().keys():
        return
    before = base.partition(), base.people()
    base.decides(one, other, verdict)
    assert base.partition() == base.all_at_once()
    assert (base.person(*one) == base.person(*other)) == (verdict == "must_link")
    base.withdraws()
    assert base.partition() == before[0]
