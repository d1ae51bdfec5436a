"""Whatever was planned, approved or undone: who may not be reached when something leaves is not written to."""

from dataclasses import replace
from time import monotonic

import pytest

from connectors.sdk import Deferred, Rejected, Unknown
from connectors.sdk.errors import TransientError
from connectors.sdk.runtime import current, using
from connectors.sdk.spec import Resource
from dagster_project.steps.approve import approve
from dagster_project.steps.canonical import replay
from dagster_project.steps.people.unreached import book_unreached
from dagster_project.store import outbox
from dagster_project.store.ledger import Queue
from mappings.canonical import ConsentEvent
from mappings.tables import FieldMap
from tests.dagster_project.steps.activation.conftest import ALIYA, BORIS, email

REFUSED = ("excluded", "consent: may not be reached by email for marketing")


@pytest.fixture
def planned(circle):
    """Two who agreed, about to be added."""
    circle.agree(ALIYA, BORIS)
    circle.enter("sofas", ALIYA, BORIS)
    circle.decides()
    return circle


def refuses_unseen(circle, person):
    """The word is there; nothing was decided about it yet."""
    circle.says(person, "refused")
    circle.say("delete from hub.dirty")


def test_who_refused_since_the_plan_is_not_sent(planned, mailer):
    refuses_unseen(planned, BORIS)
    done = planned.delivers()
    assert (done.accepted, done.excluded) == (1, 1)
    assert [change.subject for change in mailer.received] == ["sofas/aliya"]
    assert planned.states()["sofas/boris"] == REFUSED
    journal = planned.all("select outcome, message from ledger.change where subject = 'sofas/boris' order by id")
    assert [tuple(row) for row in journal][-1] == REFUSED
    assert planned.decides() != {}, "and it is looked at again"
    assert planned.waits() == {}


def test_an_old_plan_that_is_approved_spares_who_refused_since(circle, mailer):
    circle.push = "segment: approve"
    circle.agree(ALIYA, BORIS)
    circle.enter("sofas", ALIYA, BORIS)
    circle.decides()
    refuses_unseen(circle, BORIS)
    circle.passes(days=30)
    approve(circle.store, circle.plans()[0].plan, who="Aigul", now=circle.now)
    circle.delivers()
    assert mailer.addresses("sofa buyers") == {email(ALIYA)}


def test_a_retry_asks_again(planned, mailer):
    mailer.answers = [lambda changes: [Deferred(change, 5, "busy", alone=True) for change in changes]]
    planned.delivers()
    refuses_unseen(planned, BORIS)
    planned.passes(minutes=1)
    planned.delivers()
    assert mailer.addresses("sofa buyers") == {email(ALIYA)}


def test_a_lost_answer_is_read_back_and_what_did_not_arrive_asks_again(planned, mailer):
    mailer.answers = [lambda changes: [Unknown(change, "no answer") for change in changes]]
    planned.delivers()
    refuses_unseen(planned, BORIS)
    planned.passes(minutes=1)
    planned.delivers()
    assert mailer.addresses("sofa buyers") == {email(ALIYA)}
    assert planned.states() == {"sofas/aliya": ("in_sync", None), "sofas/boris": REFUSED}


def test_a_lost_answer_of_what_did_arrive_is_not_repeated(planned, mailer):
    def arrives(changes):
        list(mailer.takes(changes))
        return [Unknown(change, "no answer") for change in changes]

    mailer.answers = [arrives]
    planned.delivers()
    planned.passes(minutes=1)
    planned.delivers()
    assert len(mailer.received) == 2
    assert set(planned.states().values()) == {("in_sync", None)}


def test_a_refused_change_that_is_replayed_is_decided_anew(planned, mailer):
    mailer.answers = [lambda changes: [Rejected(change, "invalid", "no such list") for change in changes]]
    planned.delivers()
    planned.says(BORIS, "refused")
    replay(planned.store, planned.hub, now=planned.now)
    planned.syncs()
    assert mailer.addresses("sofa buyers") == {email(ALIYA)}


def test_who_agreed_to_another_purpose_alone_is_not_sent(circle, mailer):
    """Between the plan and now he refused what the segment is for, and still takes part in the club."""
    circle.activates("sofas", "sofa buyers", consent={"channel": "email", "purpose": "club"})
    for person in (ALIYA, BORIS):
        circle.says(person, purpose="club")
    circle.enter("sofas", ALIYA, BORIS)
    circle.decides()
    circle.says(ALIYA, "refused")
    circle.says(BORIS, "refused", purpose="club")
    circle.agree(BORIS)
    circle.say("delete from hub.dirty")
    circle.delivers()
    assert mailer.addresses("sofa buyers") == {email(ALIYA)}
    assert circle.states()["sofas/boris"] == ("excluded", "consent: may not be reached by email for club")


def test_only_contacts_the_person_agreed_to_are_handed_over(circle, mailer):
    circle.say("update identity.golden set email = 'other@example.com' where person_id = 'aliya'")
    circle.agree(ALIYA)
    circle.enter("sofas", ALIYA)
    circle.syncs()
    [change] = mailer.received
    assert change.about == {"first_name": ALIYA, "email": email(ALIYA)}


def test_a_mere_record_is_found_by_the_primary_contacts(circle, mailer):
    circle.reaches = None
    circle.enter("sofas", ALIYA)
    circle.syncs()
    [change] = mailer.received
    assert change.about == {"first_name": ALIYA, "email": email(ALIYA), "phone": "+77000000001"}


def test_a_person_the_channel_knows_is_named_by_his_id_there(circle, mailer):
    circle.say("insert into identity.source_record (record, connection, external_id) values (77, 'letters', 'L-1')")
    circle.say("insert into identity.membership values (77, 'aliya', now())")
    circle.agree(ALIYA)
    circle.enter("sofas", ALIYA)
    circle.syncs()
    assert [change.external_id for change in mailer.received] == ["L-1"]


# ── opt-outs first ────────────────────────────────────────────────────────────────────────────────────────────────────


def opt_outs(read):
    def extract(config, since):
        yield read()

    return (Resource("optouts", extract, "id", FieldMap(ConsentEvent, {}), lambda reply: None),)


def test_opt_outs_are_read_before_anybody_is_added_and_not_where_nobody_would_be(planned):
    asked = []
    planned.resources = opt_outs(lambda: asked.append("asked") or [])
    planned.delivers()
    assert asked == ["asked"]
    planned.leave("sofas", ALIYA, BORIS)
    planned.syncs()
    assert asked == ["asked"], "nobody needs to agree to being taken out"


def test_opt_outs_that_take_long_to_hear_are_left_to_a_run_that_has_the_time(planned, mailer):
    asked = []
    planned.resources = opt_outs(lambda: asked.append("asked") or [])
    with using(replace(current(), deadline=monotonic() + 20)):
        assert planned.delivers().waiting == 2
    assert (asked, mailer.received) == ([], [])
    assert planned.delivers().accepted == 2, "nothing was put to rest"


def test_while_opt_outs_cannot_be_read_nothing_is_sent(planned, mailer):
    def down():
        raise TransientError("the mailer is down")

    planned.resources = opt_outs(down)
    planned.delivers()
    assert mailer.received == []
    assert {state for state, _ in planned.states().values()} == {"pending"}
    assert all("before the channel's opt-outs were read" in reason for _, reason in planned.states().values())
    planned.resources = opt_outs(list)
    planned.passes(minutes=1)
    planned.delivers()
    assert mailer.addresses("sofa buyers") == {email(ALIYA), email(BORIS)}


# ── cannot be reached any more ────────────────────────────────────────────────────────────────────────────────────────


def is_gone(changes):
    return [Rejected(change, "403", "the address is no more", unreachable="email") for change in changes]


def refusals(circle):
    rows = circle.all("select channel, state, by, connection from canonical.consent_event order by seq")
    return [tuple(row) for row in rows]


def test_whom_the_channel_cannot_reach_any_more_counts_as_refusing_and_is_written_to_by_no_other_segment(
    planned, mailer
):
    planned.batch, mailer.answers = 1, [is_gone]
    planned.delivers()
    [gone, reached] = [change.about["email"] for change in mailer.received]
    assert refusals(planned) == [("email", "refused", "platform", "letters")]
    planned.activates("chairs", "chair buyers")
    planned.enter("chairs", ALIYA, BORIS)
    planned.syncs()
    assert mailer.addresses("chair buyers") == {reached}
    assert [change.about["email"] for change in mailer.received].count(gone) == 1


def test_a_delivery_that_dies_before_it_records_has_booked_the_refusal_and_a_rerun_books_none(
    planned, mailer, monkeypatch
):
    planned.batch, mailer.answers = 1, [is_gone, is_gone]
    whole = outbox.record
    monkeypatch.setattr(outbox, "record", lambda *told, **said: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        planned.delivers()
    monkeypatch.setattr(outbox, "record", whole)
    assert refusals(planned) == [("email", "refused", "platform", "letters")] * 2
    planned.passes(hours=1)
    planned.syncs()
    assert len(mailer.received) == 2
    assert refusals(planned) == [("email", "refused", "platform", "letters")] * 2


def test_the_same_no_told_twice_is_one_refusal(planned, mailer):
    queue, sink = Queue("letters", "segment.push"), planned.hub["letters"].spec.sink("segment.push")
    planned.delivers()
    for minutes in (0, 5):
        planned.passes(minutes=minutes)
        book_unreached(planned.store, queue, sink, is_gone(mailer.received[:1]), now=planned.now)
    assert refusals(planned) == [("email", "refused", "platform", "letters")]


# ── polite hours ──────────────────────────────────────────────────────────────────────────────────────────────────────

WAITS = ("pending", "waits for a polite hour")


@pytest.fixture
def night(circle):
    """One in the morning; Aliya and Boris are members of a segment whose hours begin at ten. She has agreed."""
    circle.activates("sofas", "sofa buyers", hours={"from": 10, "to": 20})
    circle.enter("sofas", ALIYA, BORIS)
    circle.agree(ALIYA)
    circle.passes(hours=15)
    return circle


def test_who_agreed_is_written_to_at_night_in_no_segment_of_polite_hours(night, mailer):
    done = night.syncs()
    assert (done.deferred, mailer.received) == (1, [])
    assert night.states() == {"sofas/aliya": WAITS, "sofas/boris": REFUSED}
    night.agree(BORIS)
    night.decides_in_full()
    night.passes(hours=8)
    night.delivers()
    assert mailer.received == [], "it is nine"
    night.passes(hours=1)
    night.delivers()
    assert mailer.addresses("sofa buyers") == {email(ALIYA), email(BORIS)}


def test_who_refuses_before_the_morning_is_not_written_to_then(night, mailer):
    night.syncs()
    refuses_unseen(night, ALIYA)
    night.passes(hours=9)
    night.delivers()
    assert mailer.received == []


def test_a_plan_approved_at_night_stays_approved_until_the_morning(night, mailer):
    night.push = "segment: approve"
    night.decides()
    approve(night.store, night.plans()[0].plan, who="Aigul", now=night.now)
    night.delivers()
    night.decides_in_full()
    assert mailer.received == []
    night.passes(hours=9)
    night.delivers()
    assert mailer.addresses("sofa buyers") == {email(ALIYA)}


def test_who_is_in_the_audience_is_taken_out_at_any_hour(night, mailer):
    night.passes(hours=9)
    night.syncs()
    night.passes(hours=15)
    night.says(ALIYA, "refused")
    night.syncs()
    assert mailer.addresses("sofa buyers") == set()


def test_who_waits_for_the_morning_keeps_nobody_in_an_audience_until_then(night, mailer):
    """The channel fails once at night: it rests for that failure, and not until somebody else's hours begin."""
    night.passes(hours=9)
    night.agree(BORIS)
    night.syncs()
    night.passes(hours=15)
    night.knows("erlan")
    night.agree("erlan")
    night.enter("sofas", "erlan")
    night.syncs()
    mailer.answers = [lambda changes: [Deferred(change, 5, "busy") for change in changes]]
    night.says(ALIYA, "refused")
    night.syncs()
    night.passes(minutes=2)
    night.says(BORIS, "refused")
    night.syncs()
    assert mailer.addresses("sofa buyers") == set()


def test_who_asks_at_night_to_be_forgotten_does_not_wait_for_the_morning_because_an_addition_did(night):
    night.forgets = True
    night.passes(hours=9)
    night.syncs()
    night.leave("sofas", ALIYA)
    night.syncs()
    night.passes(hours=15)
    night.enter("sofas", ALIYA)
    night.syncs()
    assert night.states()["sofas/aliya"] == WAITS
    night.say("update identity.person set status = 'erased' where person_id = 'aliya'")
    night.leave("sofas", ALIYA)
    night.decides()
    [waiting] = night.all("select becomes, not_before from ledger.outbox")
    assert (waiting.becomes["forget"], waiting.not_before < night.now) == (True, True)


# ── taken back ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_addition_is_taken_back_and_waits_before_it_goes_again(planned, mailer):
    planned.delivers()
    [plan] = planned.plans()
    rows = planned.takes_back(plan.plan)
    assert [row["becomes"]["member"] for row in rows] == [False, False]
    planned.syncs()
    assert mailer.addresses("sofa buyers") == set()
    planned.decides_in_full()
    planned.delivers()
    assert mailer.addresses("sofa buyers") == set()
    assert set(planned.states().values()) == {("held", "undone")}


def test_who_refused_is_never_put_back(planned, mailer):
    planned.delivers()
    planned.leave("sofas", ALIYA, BORIS)
    planned.syncs()
    planned.says(BORIS, "refused")
    rows = {row["subject"]: row for row in planned.takes_back(planned.plans()[-1].plan)}
    assert rows["sofas/boris"]["left_alone"] == REFUSED[1]
    assert rows["sofas/aliya"]["becomes"] == {"audience": "sofa buyers", "member": True}
    planned.delivers()
    assert mailer.addresses("sofa buyers") == {email(ALIYA)}


def test_who_refuses_while_the_way_back_waits_is_not_put_back_either(planned, mailer):
    planned.delivers()
    planned.leave("sofas", ALIYA, BORIS)
    planned.syncs()
    planned.takes_back(planned.plans()[-1].plan)
    refuses_unseen(planned, ALIYA)
    planned.delivers()
    assert mailer.addresses("sofa buyers") == {email(BORIS)}


def test_a_refusal_is_not_held_back_as_something_undone(planned, mailer):
    planned.delivers()
    planned.leave("sofas", ALIYA)
    planned.syncs()
    planned.takes_back(planned.plans()[-1].plan)
    planned.delivers()
    planned.enter("sofas", ALIYA)
    planned.syncs()
    planned.says(ALIYA, "refused")
    planned.syncs()
    assert mailer.addresses("sofa buyers") == {email(BORIS)}
    assert planned.states()["sofas/aliya"] == REFUSED
