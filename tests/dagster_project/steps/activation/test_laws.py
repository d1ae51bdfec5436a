"""Whatever happens, in whatever order: nobody is written to who may not be reached at that moment."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from connectors.sdk import Deferred, Rejected, Unknown
from connectors.sdk.errors import UnansweredError
from dagster_project.steps.approve import approve
from dagster_project.steps.canonical import replay
from dagster_project.steps.status import violations
from dagster_project.store.tables import TABLES
from tests.dagster_project.steps.activation.conftest import ALIYA, BORIS, DANA, Circle, Mailer, email

PEOPLE = (ALIYA, BORIS, DANA)
PURPOSES = {"sofas": "marketing", "chairs": "club"}
SEGMENTS = tuple(PURPOSES)

people, segments = st.sampled_from(PEOPLE), st.sampled_from(SEGMENTS)
purposes = st.sampled_from(tuple(PURPOSES.values()))
happenings = st.one_of(
    st.tuples(st.sampled_from(["agrees", "refuses", "refuses unseen"]), people, purposes),
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


def happens(circle: Circle, what: str, *said: str) -> None:
    match what, said:
        case "agrees", (person, purpose):
            circle.says(person, purpose=purpose)
        case "refuses", (person, purpose):
            circle.says(person, "refused", purpose=purpose)
        case "refuses unseen", (person, purpose):
            before = circle.all("select coalesce(max(id), 0) from hub.dirty")[0][0]
            circle.says(person, "refused", purpose=purpose)
            circle.say("delete from hub.dirty where id > :before", before=before)
        case (("enters" | "enters as hold-out"), (segment, person)):
            circle.say("delete from segment.membership where segment = :s and person_id = :p", s=segment, p=person)
            circle.enter(segment, person, hold_out=what != "enters")
        case "leaves", (segment, person):
            circle.leave(segment, person)
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


def refused(circle: Circle) -> set[str]:
    """Memberships by which nobody may be reached: he said no to the segment's purpose, or said nothing."""
    rows = circle.all("select identifier, purpose from privacy.consent_state where state = 'granted'")
    agreed = {(row.identifier, row.purpose) for row in rows}
    cards = circle.all("select external_id, emails from canonical.customer")
    return {
        f"{segment}/{row.external_id}"
        for segment, purpose in PURPOSES.items()
        for row in cards
        if not agreed.intersection((address, purpose) for address in row.emails)
    }


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(happenings, min_size=3, max_size=25))
def test_nobody_without_consent_is_reached_by_any_path(circle, story):
    _empty(circle)
    takes, wronged = circle.mailer.deliver, []

    def watched(config, changes):
        unwilling = refused(circle)
        joining = {change.subject for change in changes if change.value["member"]}
        wronged.extend(joining & unwilling)
        yield from takes(config, changes)

    circle.mailer.deliver = watched
    try:
        for person in PEOPLE:
            circle.says(person, purpose=PURPOSES["chairs"])
        circle.agree(*PEOPLE)
        circle.enter("sofas", *PEOPLE)
        circle.enter("chairs", *PEOPLE)
        circle.decides()
        for what in story:
            happens(circle, *what)
            assert violations(circle.store, circle.hub) == [], story
            assert wronged == [], story
        _settles(circle)
        assert wronged == [], story
        shown = {f"{name}/{person}" for name in SEGMENTS for person in PEOPLE
                 if email(person) in circle.mailer.addresses(f"{name} here")}  # fmt: skip
        assert not shown & refused(circle), story
    finally:
        circle.mailer.deliver = takes


def _settles(circle: Circle) -> None:
    """The mailer is well again; everything is decided and delivered until nothing waits but for a person."""
    circle.mailer.answers = []
    for _ in range(4):
        circle.passes(hours=1)
        circle.decides_in_full()
        circle.delivers()


def _empty(circle: Circle) -> None:
    kept = ("canonical.customer", "identity.", "segment.definition")
    names = [name for name in TABLES if not name.startswith(kept)]
    with circle.store.begin() as db:
        quoted = ", ".join(f'{schema}."{table}"' for schema, _, table in (name.partition(".") for name in names))
        db.execute(text(f"truncate {quoted} restart identity"))
    circle.mailer.__init__()  # type: ignore[misc]
    for name in SEGMENTS:
        circle.activates(name, f"{name} here", consent={"channel": "email", "purpose": PURPOSES[name]})
    circle.push = "segment: auto, first: auto"
