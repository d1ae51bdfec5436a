"""Whatever happens, in whatever order: nobody is written to who may not be reached at that moment."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from connectors.sdk import Change, Deferred, Rejected, Unknown
from connectors.sdk.errors import UnansweredError
from dagster_project.steps.approve import approve
from dagster_project.steps.canonical import replay
from dagster_project.steps.status import violations
from dagster_project.store.people import statements
from dagster_project.store.people.keyring import keys
from dagster_project.store.tables import TABLES
from tests.dagster_project.steps.activation.conftest import ALIYA, BORIS, DANA, Circle, Mailer, email

PEOPLE = (ALIYA, BORIS, DANA)
PURPOSES = {"sofas": "marketing", "chairs": "club"}
SEGMENTS = tuple(PURPOSES)

NUMBERS = count(1)
CARDS = """select m.person_id, r.external_id, c.emails from identity.membership m
join identity.source_record r using (record) join canonical.customer c using (connection, external_id)"""

people, segments = st.sampled_from(PEOPLE), st.sampled_from(SEGMENTS)
purposes = st.sampled_from(tuple(PURPOSES.values()))
happenings = st.one_of(
    st.tuples(st.sampled_from(["agrees", "refuses", "refuses unseen", "refuses by another"]), people, purposes),
    st.tuples(st.sampled_from(["has another", "has one more", "is erased"]), people),
    st.tuples(st.just("is merged into"), people, people),
    st.tuples(st.sampled_from(["enters", "leaves", "enters as hold-out"]), segments, people),
    st.tuples(st.sampled_from(["decides", "decides in full", "delivers", "delivers", "approves", "replays", "undoes"])),
    st.tuples(st.just("the next answer"), st.sampled_from(["lost", "lost and arrived", "busy", "no", "cut"])),
    st.tuples(st.just("push"), st.sampled_from(["auto", "approve"])),
)


def lost(mailer: Mailer) -> Any:
    return lambda changes: [Unknown(one, "no answer") for one in changes]


def lost_and_arrived(mailer: Mailer) -> Any:
    return lambda changes: [Unknown(outcome.change, "no answer") for outcome in mailer.takes(changes)]


def cut(mailer: Mailer) -> Any:
    def half(changes):
        yield from mailer.takes(changes[:1])
        raise UnansweredError("the body was cut")

    return half


ANSWERS = {
    "lost": lost,
    "lost and arrived": lost_and_arrived,
    "busy": lambda mailer: lambda changes: [Deferred(one, 1, "429", alone=True) for one in changes],
    "no": lambda mailer: lambda changes: [Rejected(one, "invalid", "no") for one in changes],
    "cut": cut,
}


@dataclass
class Told:
    """What people have and said, kept beside the store: the law does not ask the code that it judges.

    `channel`, `kind`: of the contacts in question. `has`: card → contacts, the newest last. `said`: (contact, purpose)
    → the last word.
    """

    circle: Circle
    channel: str
    kind: str
    has: dict[str, list[str]]
    said: dict[tuple[str, str], str] = field(default_factory=dict)

    def reached(self, purpose: str) -> dict[str, set[str]]:
        """Person → contacts by which he agreed; not those of whoever refused by any contact of his. No to marketing is
        no to the whole channel."""
        his: dict[str, set[str]] = {}
        for card, contacts in self.has.items():
            for person in whose(self.circle, card):
                his.setdefault(person, set()).update(contacts)
        return {
            person: {one for one in contacts if self.said.get((one, purpose)) == "granted"}
            for person, contacts in his.items()
            if not any(self.said.get((one, no)) == "refused" for one in contacts for no in (purpose, "marketing"))
        }


def happens(told: Told, what: str, *said: str) -> None:
    circle = told.circle
    match what, said:
        case "agrees", (card, purpose):
            speaks(told, card, "granted", purpose)
        case "refuses", (card, purpose):
            speaks(told, card, "refused", purpose)
        case "refuses by another", (card, purpose):
            has_another(told, card, also=True)
            speaks(told, card, "refused", purpose)
        case "refuses unseen", (card, purpose):
            before = circle.all("select coalesce(max(id), 0) from hub.dirty")[0][0]
            speaks(told, card, "refused", purpose)
            circle.say("delete from hub.dirty where id > :before", before=before)
        case (("has another" | "has one more"), (card,)):
            has_another(told, card, also=what == "has one more")
        case "is merged into", (card, other):
            becomes_one(circle, card, other)
        case "is erased", (card,):
            is_erased(told, card)
        case (("enters" | "enters as hold-out" | "leaves"), (segment, card)):
            for person in whose(circle, card):
                circle.leave(segment, person)
                if what != "leaves":
                    circle.enter(segment, person, hold_out=what != "enters")
        case "the next answer", (kind,):
            circle.mailer.answers = [ANSWERS[kind](circle.mailer)]
        case "push", (mode,):
            circle.push = f"segment: {mode}, first: auto"
        case _:
            the_hub(circle, what)


def the_hub(circle: Circle, what: str) -> None:
    circle.passes(hours=1)
    plans = [plan.plan for plan in circle.plans()]
    match what:
        case "decides":
            circle.decides()
        case "decides in full":
            circle.decides_in_full()
        case "delivers":
            circle.delivers()
        case "replays":
            replay(circle.store, circle.hub, now=circle.now)
        case "approves":
            for plan in circle.plans():
                if plan.held:
                    approve(circle.store, plan.plan, who="Aigul", now=circle.now)
        case "undoes" if plans:
            circle.takes_back(plans[-1])


# ── who somebody is, as identity says it ──────────────────────────────────────────────────────────────────────────────


def whose(circle: Circle, card: str) -> list[str]:
    """The person of a card; nobody where he was erased."""
    return [row.person_id for row in circle.all(f"{CARDS} where external_id = :card", card=card)]


def speaks(told: Told, card: str, state: str, purpose: str) -> None:
    """By the newest contact of the card."""
    for person in whose(told.circle, card):
        told.circle.passes(seconds=1)
        contact = told.has[card][-1]
        word = {"external_id": f"w-{next(NUMBERS)}", "customer": card, "identifier": contact, "state": state,
                "identifier_kind": told.kind, "channel": told.channel, "purpose": purpose, "by": "person",
                "at": told.circle.now, "expires_at": None, "text_version": None, "source": "{}"}  # fmt: skip
        with told.circle.store.begin() as db:
            statements.append(db, "crm", [word], because="somebody spoke")
        told.said[contact, purpose] = state
        told.circle.moved(person)


def has_another(told: Told, card: str, *, also: bool) -> None:
    """One that nobody had before: beside the others, or, of an address, in their place. An account stays one's own."""
    for person in whose(told.circle, card):
        kept = told.has[card] if also or told.kind == "account" else []
        told.has[card] = [*kept, contact_of(told.kind, f"{card}{next(NUMBERS)}")]
        if told.kind == "email":
            sealed = [keys().seal(one, "email") for one in told.has[card]]
            told.circle.say("update canonical.customer set emails = :emails where external_id = :card",
                            emails=sealed, card=card)  # fmt: skip
        is_known(told.circle, person)


def contact_of(kind: str, name: str) -> str:
    return email(name) if kind == "email" else f"account-{name}"


def is_known(circle: Circle, person: str) -> None:
    """The golden record says what the cards say, and his memberships are looked at again."""
    circle.say(
        f"""
update identity.golden g set email = c.emails[1], emails = c.emails
from (select array_agg(one order by one) as emails from ({CARDS}) card, unnest(card.emails) one
      where person_id = :p) c where g.person_id = :p""",
        p=person,
    )
    circle.moved(person)


def becomes_one(circle: Circle, card: str, other: str) -> None:
    for person, into in zip(whose(circle, card), whose(circle, other), strict=False):
        if person != into:
            segments = left(circle, person)
            circle.merges(person, into)
            for segment in segments:
                circle.leave(segment, into)
                circle.enter(segment, into)
            is_known(circle, into)


def left(circle: Circle, person: str) -> list[str]:
    """Who is not this person any more is in no segment; gives those in which he was."""
    found = [row.segment for row in circle.all("select segment from segment.membership where person_id = :p", p=person)]
    for segment in found:
        circle.leave(segment, person)
    return found


def is_erased(told: Told, card: str) -> None:
    """What an erasure leaves of a person: an id, words of consent of nobody known, and what the ledger knows."""
    circle = told.circle
    for person in whose(circle, card):
        left(circle, person)
        circle.dirty(*(f"{segment}/{person}" for segment in SEGMENTS))
        his = [one for other in PEOPLE if person in whose(circle, other) for one in told.has[other]]
        circle.say(
            f"""
with card as ({CARDS} where person_id = :p), unsaid as (
  update privacy.consent_state set identifier = null, givers = '{{}}' where identifier = any(:his)
), golden as (delete from identity.golden where person_id = :p
), erased as (update identity.person set status = 'erased' where person_id = :p
), cards as (delete from canonical.customer where external_id in (select external_id from card))
delete from identity.membership where person_id = :p""",
            p=person, his=[keys().seal(one, told.kind) for one in his],
        )  # fmt: skip


def wrong(told: Told, change: Change) -> bool:
    """Whether it brings somebody in whom nothing may reach so."""
    segment, _, person = change.subject.partition("/")
    return change.value["member"] and change.about[told.kind] not in told.reached(PURPOSES[segment]).get(person, ())


@pytest.mark.parametrize(("channel", "kind"), [("email", "email"), ("telegram", "account")])
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(happenings, min_size=3, max_size=25))
@example(story=[("refuses unseen", ALIYA, "marketing"), ("delivers",)])
@example(story=[("refuses by another", ALIYA, "club"), ("delivers",)])
@example(story=[("the next answer", "lost and arrived"), ("delivers",), ("has another", ALIYA)])
def test_nobody_without_consent_is_reached_by_any_path(circle, channel, kind, story):
    told = _begun(circle, channel, kind)
    takes, wronged = circle.mailer.deliver, []

    def watched(config, changes):
        wronged.extend(change for change in changes if wrong(told, change))
        yield from takes(config, changes)

    circle.mailer.deliver = watched
    try:
        for what in story:
            happens(told, *what)
            assert violations(circle.store, circle.hub) == [], story
            assert wronged == [], story
        _settles(circle)
        assert wronged == [], story
        for segment, purpose in PURPOSES.items():
            agreed = set().union(*told.reached(purpose).values())
            assert circle.mailer.addresses(f"{segment} here") <= agreed, story
    finally:
        circle.mailer.deliver = takes


def _begun(circle: Circle, channel: str, kind: str) -> Told:
    """Everybody agreed to everything and is in both segments, and that is decided."""
    _empty(circle)
    circle.mailer.by, circle.reaches = kind, channel
    for name in SEGMENTS:
        circle.activates(name, f"{name} here", consent={"channel": channel, "purpose": PURPOSES[name]})
    told = Told(circle, channel, kind, {card: [contact_of(kind, card)] for card in PEOPLE})
    for card in PEOPLE:
        for purpose in PURPOSES.values():
            speaks(told, card, "granted", purpose)
    for segment in SEGMENTS:
        circle.enter(segment, *PEOPLE)
    circle.decides()
    return told


def _settles(circle: Circle) -> None:
    """The mailer is well again; everything is decided and delivered until nothing waits but for a person."""
    circle.mailer.answers = []
    for _ in range(4):
        circle.passes(hours=1)
        circle.decides_in_full()
        circle.delivers()


def _empty(circle: Circle) -> None:
    with circle.store.begin() as db:
        quoted = ", ".join(f'{schema}."{table}"' for schema, _, table in (name.partition(".") for name in TABLES))
        db.execute(text(f"truncate {quoted} restart identity"))
    circle.mailer.__init__()  # type: ignore[misc]
    circle.knows(*PEOPLE)
    circle.push = "segment: auto, first: auto"
