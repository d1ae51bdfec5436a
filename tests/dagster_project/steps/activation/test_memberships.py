"""Segments reach a channel's audiences through the plan, the guards and the ledger that prices go through."""

import pytest

from connectors.sdk import Accepted
from dagster_project.steps.approve import approve
from dagster_project.steps.people.membership import preview
from dagster_project.steps.people.memberships import NOT_THERE
from dagster_project.steps.rules import decide_due
from tests.dagster_project.steps.activation.conftest import ALIYA, BORIS, DANA, email

REFUSED = ("excluded", "consent: may not be reached by email for marketing")


def shown(circle):
    return preview(circle.store, circle.hub, "sofas", now=circle.now)


def test_a_member_who_agreed_is_added_and_one_who_said_nothing_is_excluded_by_name(circle, mailer):
    circle.agree(ALIYA)
    circle.enter("sofas", ALIYA, BORIS)
    circle.syncs()
    assert mailer.addresses("sofa buyers") == {email(ALIYA)}
    assert circle.states() == {"sofas/aliya": ("in_sync", None), "sofas/boris": REFUSED}


def test_who_leaves_is_taken_out_by_the_receipt_of_his_addition(circle, mailer):
    circle.agree(ALIYA)
    circle.enter("sofas", ALIYA)
    circle.syncs()
    circle.say("delete from identity.golden")
    circle.leave("sofas", ALIYA)
    circle.syncs()
    assert mailer.addresses("sofa buyers") == set()
    assert [change.external_id for change in mailer.received] == ["", "c-0"]
    assert circle.states() == {"sofas/aliya": ("excluded", "left the segment")}


def test_who_was_never_there_and_is_no_member_gives_nothing(circle):
    circle.agree(ALIYA)
    circle.dirty("sofas/aliya")
    circle.syncs()
    assert circle.states() == {}


def test_an_addition_that_still_waits_is_dropped_when_the_person_leaves(circle, mailer):
    circle.agree(ALIYA)
    circle.enter("sofas", ALIYA)
    circle.decides()
    circle.leave("sofas", ALIYA)
    circle.syncs()
    assert mailer.received == []
    assert circle.states() == {"sofas/aliya": ("excluded", "left the segment")}


def test_a_hold_out_belongs_to_the_segment_and_is_never_written_to(circle, mailer):
    circle.agree(ALIYA, BORIS)
    circle.enter("sofas", ALIYA)
    circle.enter("sofas", BORIS, hold_out=True)
    circle.syncs()
    assert mailer.addresses("sofa buyers") == {email(ALIYA)}
    assert circle.states()["sofas/boris"] == ("excluded", "hold-out: kept aside for comparison")


def test_a_mere_record_about_a_person_asks_for_no_consent(circle, mailer):
    circle.reaches = None
    circle.enter("sofas", ALIYA)
    circle.syncs()
    assert mailer.addresses("sofa buyers") == {email(ALIYA)}


def test_a_mark_on_a_card_waits_for_the_card_and_asks_nobody_meanwhile(circle, mailer):
    circle.reaches, circle.listed = None, True
    circle.enter("sofas", ALIYA, BORIS)
    circle.cards(ALIYA, of="letters")
    circle.syncs()
    assert mailer.addresses("sofa buyers") == {email(ALIYA)}
    assert circle.states()["sofas/boris"] == ("excluded", NOT_THERE)
    circle.cards(BORIS, of="letters")
    circle.moved(BORIS)
    circle.syncs()
    assert mailer.addresses("sofa buyers") == {email(ALIYA), email(BORIS)}


def test_only_what_is_dirty_is_decided_and_a_full_decision_agrees(circle, mailer):
    circle.agree(ALIYA, BORIS, DANA)
    circle.enter("sofas", ALIYA, BORIS)
    circle.syncs()
    circle.say("insert into segment.membership (segment, person_id, since) values ('sofas', 'dana', now())")
    assert circle.decides() == {}
    assert circle.decides_in_full().planned == 1
    circle.delivers()
    assert circle.decides_in_full().planned == 0
    assert mailer.addresses("sofa buyers") == {email(ALIYA), email(BORIS), email(DANA)}


def test_a_segment_no_longer_activated_is_taken_from_the_channel(circle, mailer):
    circle.agree(ALIYA)
    circle.enter("sofas", ALIYA)
    circle.syncs()
    (circle.folder / "segments" / "sofas.yaml").unlink()
    circle.decides_in_full()
    circle.delivers()
    assert mailer.addresses("sofa buyers") == set()
    assert circle.states() == {"sofas/aliya": ("excluded", "the segment is not activated here")}


def test_nothing_leaves_before_a_person_made_the_segment_live(circle, mailer):
    circle.say("update segment.definition set live_since = null")
    circle.agree(ALIYA)
    circle.enter("sofas", ALIYA)
    circle.syncs()
    assert mailer.received == []
    assert circle.states() == {}
    circle.say("update segment.definition set live_since = now()")
    decide_due(circle.store, circle.hub, now=circle.now)
    circle.delivers()
    assert mailer.addresses("sofa buyers") == {email(ALIYA)}
    assert decide_due(circle.store, circle.hub, now=circle.now) == {}


MISTAKE = {"field": "orders.cuont", "op": ">", "value": 0}


@pytest.mark.parametrize("mistake", [{"where": MISTAKE}, {"channel": "pigeons"}, {"hold_uot": "10%"}])
def test_of_a_segment_with_a_mistake_nobody_is_added_or_taken_out_until_it_is_mended(circle, mailer, mistake):
    circle.activates("lamps")
    circle.agree(ALIYA, BORIS)
    circle.enter("sofas", ALIYA)
    circle.enter("lamps", ALIYA)
    circle.syncs()
    circle.activates("sofas", "sofa buyers", **mistake)
    circle.enter("sofas", BORIS)
    circle.enter("lamps", BORIS)
    circle.leave("sofas", ALIYA)
    circle.syncs()
    circle.decides_in_full()
    circle.delivers()
    assert mailer.addresses("sofa buyers") == {email(ALIYA)}
    assert mailer.addresses("lamps") == {email(ALIYA), email(BORIS)}, "the other segment goes on"
    circle.activates("sofas", "sofa buyers")
    decide_due(circle.store, circle.hub, now=circle.now)
    circle.delivers()
    assert mailer.addresses("sofa buyers") == {email(BORIS)}


def test_who_refuses_or_is_erased_leaves_even_the_audience_of_a_segment_with_a_mistake(circle, mailer):
    circle.agree(ALIYA, BORIS, DANA)
    circle.enter("sofas", ALIYA, BORIS, DANA)
    circle.syncs()
    circle.activates("sofas", "sofa buyers", where=MISTAKE)
    circle.says(ALIYA, "revoked")
    circle.say("update identity.person set status = 'erased' where person_id = :p", p=BORIS)
    circle.dirty(f"sofas/{BORIS}")
    circle.syncs()
    assert mailer.addresses("sofa buyers") == {email(DANA)}


def test_an_addition_that_was_planned_waits_until_its_segment_is_mended(circle, mailer):
    circle.agree(ALIYA)
    circle.enter("sofas", ALIYA)
    circle.decides()
    circle.activates("sofas", "sofa buyers", where=MISTAKE)
    circle.delivers()
    assert mailer.received == []
    assert circle.states() == {"sofas/aliya": ("pending", "waits until its segment is mended")}
    circle.activates("sofas", "sofa buyers")
    circle.passes(minutes=15)
    circle.syncs()
    assert mailer.addresses("sofa buyers") == {email(ALIYA)}


def test_whatever_channel_the_file_names_the_consent_asked_is_by_what_reaches_people_and_the_preview_counts_by_it(
    circle, mailer
):
    circle.agree(ALIYA)
    circle.activates(
        "sofas", "sofa buyers", consent={"channel": "sms", "purpose": "marketing"},
        where={"field": "orders.count", "op": "=", "value": 0},
    )  # fmt: skip
    assert shown(circle)["reachable"] == 1
    circle.enter("sofas", ALIYA, BORIS)
    circle.syncs()
    assert mailer.addresses("sofa buyers") == {email(ALIYA)}


def test_a_preview_counts_whom_the_channel_would_be_allowed_to_reach(circle):
    circle.activates("sofas", "sofa buyers", where={"field": "orders.count", "op": "=", "value": 0})
    circle.agree(ALIYA)
    assert shown(circle)["reachable"] == 1
    circle.reaches = None
    assert shown(circle)["reachable"] == 3, "a mere record takes no consent"


@pytest.mark.parametrize("reaches", ["email", None])
def test_who_is_held_out_is_not_counted_as_reachable(circle, reaches):
    circle.reaches = reaches
    everybody = {"field": "orders.count", "op": "=", "value": 0}
    circle.activates("sofas", "sofa buyers", where=everybody, hold_out="99.9999%")
    circle.agree(ALIYA, BORIS, DANA)
    assert (shown(circle)["held_out"], shown(circle)["reachable"]) == (3, 0)


# ── what makes a plan wait ────────────────────────────────────────────────────────────────────────────────────────────

CROWD = tuple(f"guest{number}" for number in range(10))


@pytest.fixture
def crowd(circle):
    """Ten people in the audience."""
    circle.guards = "share: 0.3"
    circle.knows(*CROWD)
    circle.agree(*CROWD)
    circle.enter("sofas", *CROWD)
    circle.syncs()
    return circle


def test_the_first_plan_waits_for_a_person(circle, mailer):
    circle.push = "segment: auto"
    circle.agree(ALIYA)
    circle.enter("sofas", ALIYA)
    circle.syncs()
    assert circle.states() == {"sofas/aliya": ("held", "first sync")}
    [plan] = circle.plans()
    approve(circle.store, plan.plan, who="Aigul", now=circle.now)
    circle.syncs()
    assert mailer.addresses("sofa buyers") == {email(ALIYA)}


def test_many_who_leave_at_once_wait_for_a_person(crowd, mailer):
    crowd.leave("sofas", *CROWD[:6])
    crowd.syncs()
    assert len(mailer.addresses("sofa buyers")) == 10
    assert {state for state, _ in crowd.states().values()} == {"in_sync", "held"}
    assert crowd.plans()[-1].reason.startswith("share: 6 of 10")


def test_an_audience_that_would_be_emptied_waits_even_where_no_share_is_guarded(crowd, mailer):
    crowd.guards = "share: 1.0"
    crowd.leave("sofas", *CROWD)
    crowd.syncs()
    assert set(crowd.states().values()) == {("held", "empty")}
    crowd.decides_in_full()
    assert len(crowd.plans()) == 2, "deciding again plans nothing new"
    crowd.enter("sofas", *CROWD[1:])
    crowd.decides_in_full()
    crowd.delivers()
    assert mailer.addresses("sofa buyers") == {email(one) for one in CROWD[1:]}


def test_a_refusal_waits_for_nobody_however_many_refuse(crowd, mailer):
    crowd.push = "segment: approve"
    for person in CROWD[:8]:
        crowd.says(person, "refused")
    crowd.syncs()
    assert mailer.addresses("sofa buyers") == {email(one) for one in CROWD[8:]}
    assert crowd.states()["sofas/guest0"] == REFUSED


def test_a_refusal_leaves_at_once_beside_others_who_wait(crowd, mailer):
    crowd.says(CROWD[0], "refused")
    crowd.leave("sofas", *CROWD[1:8])
    crowd.syncs()
    assert mailer.addresses("sofa buyers") == {email(one) for one in CROWD[1:]}
    assert crowd.states()["sofas/guest1"][0] == "held"


# ── persons who turn out to be one ────────────────────────────────────────────────────────────────────────────────────


def test_a_merged_member_stays_and_leaves_with_the_person_he_is(circle, mailer):
    circle.agree(ALIYA, BORIS)
    circle.enter("sofas", ALIYA, BORIS)
    circle.syncs()
    circle.merges(BORIS, into=ALIYA)
    circle.leave("sofas", BORIS)
    circle.syncs()
    assert mailer.addresses("sofa buyers") == {email(ALIYA), email(BORIS)}
    assert circle.states()["sofas/boris"] == ("excluded", "merged into aliya")
    circle.leave("sofas", ALIYA)
    circle.syncs()
    assert mailer.addresses("sofa buyers") == set()


def test_nothing_personal_is_stored_on_the_way_not_even_where_the_receipt_is_an_address(circle, mailer):
    mailer.answers = [lambda changes: [Accepted(change, change.about["email"]) for change in changes]]
    circle.agree(ALIYA, BORIS)
    circle.enter("sofas", ALIYA, BORIS)
    circle.syncs()
    circle.leave("sofas", BORIS)
    circle.syncs()
    stored = circle.everything_stored()
    assert "sofas/aliya" in stored
    assert not any(personal in stored for personal in ("@example.com", "+7700"))
