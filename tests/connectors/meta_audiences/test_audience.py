"""People join an audience as hashes and leave it by the hash that was uploaded, whatever they are called by now."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests
import responses

from connectors.meta_audiences import CONNECTOR
from connectors.meta_audiences.api import write
from connectors.meta_audiences.config import MetaAudiencesConfig
from connectors.meta_audiences.sandbox import DEMO, Meta, sandbox
from connectors.sdk import (
    Accepted,
    Change,
    ConfigError,
    Deferred,
    Outcome,
    Rejected,
    RejectedError,
    TransientError,
    UnansweredError,
    Unknown,
    outcomes,
)
from connectors.sdk.audiences import META, hashed
from connectors.sdk.runtime import LocalBucket, Runtime, using
from connectors.sdk.testing.sandbox import served

SINK = CONNECTOR.sink("segment.push")
Settings = Callable[..., MetaAudiencesConfig]
ALIYA = {"email": "aliya@example.kz", "phone": "+77000000001"}


@pytest.fixture
def meta(now) -> Meta:
    return sandbox(clock=lambda: now)


@pytest.fixture
def settings(meta: Meta) -> Iterator[Settings]:
    with served(meta.sandbox) as url, using(Runtime(bucket=LocalBucket(), sleep=lambda seconds: None)):

        def make(**given: Any) -> MetaAudiencesConfig:
            known = {**DEMO.settings, **DEMO.secrets, **DEMO.unlimited, "base_url": url}
            return MetaAudiencesConfig.model_validate({**known, **given}).named("ads")  # type: ignore[return-value]

        yield make


def joins(person: str, about: dict[str, str], receipt: str = "", audience: str = "vip") -> Change:
    return Change("segment.push", f"{audience}/{person}", receipt, {"audience": audience, "member": True}, about=about)


def leaves(person: str, receipt: str = "", about: dict[str, str] | None = None, audience: str = "vip") -> Change:
    value = {"audience": audience, "member": False}
    return Change("segment.push", f"{audience}/{person}", receipt, value, about=about or {})


def sent(config: MetaAudiencesConfig, *changes: Change) -> list[Outcome]:
    """Outcomes in the order of the changes."""
    found = {outcome.change.subject: outcome for outcome in outcomes(SINK, config, changes)}
    return [found[change.subject] for change in changes]


def row(person: str, about: dict[str, str]) -> dict[str, str]:
    return {"EMAIL": META.email(about["email"]), "PHONE": META.phone(about["phone"]), "EXTERN_ID": person}


def test_nothing_but_hashes_and_our_own_id_leaves_the_house(meta, settings):
    sent(settings(), joins("P1", {**ALIYA, "first_name": "Әлия"}))
    [upload] = meta.sandbox.requests("POST", "/users")
    assert b"aliya" not in upload.body
    assert b"7000000001" not in upload.body
    assert meta.named("vip").holds(**row("P1", ALIYA))


def test_who_has_no_phone_is_found_by_the_email_and_a_gap_is_no_hash(meta, settings):
    made = sent(settings(), joins("P1", ALIYA), joins("P2", {"email": "dana@example.kz"}))
    assert [type(one) for one in made] == [Accepted, Accepted]
    [upload] = meta.sandbox.requests("POST", "/users")
    assert upload.json["payload"]["data"][1] == [hashed("dana@example.kz"), "", "P2"]


def test_who_leaves_is_taken_out_by_what_was_uploaded_though_the_phone_is_another_one_now(meta, settings):
    [joined] = sent(settings(), joins("P1", ALIYA))
    moved = {"email": "aliya.new@example.kz", "phone": "+77000000009"}
    assert [type(one) for one in sent(settings(), leaves("P1", joined.receipt, moved))] == [Accepted]
    assert meta.named("vip").rows == set()
    [taken] = meta.sandbox.requests("DELETE", "/users")
    assert taken.json["payload"]["data"] == [[META.email(ALIYA["email"]), META.phone(ALIYA["phone"]), "P1"]]


def test_a_person_who_was_erased_is_taken_out_by_the_receipt_alone(meta, settings):
    [joined] = sent(settings(), joins("P1", ALIYA))
    sent(settings(), leaves("P1", joined.receipt, about=None))
    assert meta.named("vip").rows == set()


def test_a_new_phone_replaces_the_old_row_and_leaves_no_trace_of_it(meta, settings):
    [joined] = sent(settings(), joins("P1", ALIYA))
    moved = {**ALIYA, "phone": "+77000000009"}
    [again] = sent(settings(), joins("P1", moved, joined.receipt))
    assert isinstance(again, Accepted)
    assert meta.named("vip").rows == {frozenset(row("P1", moved).items())}
    assert again.receipt != joined.receipt


def test_the_same_person_sent_again_is_there_once(meta, settings):
    [joined] = sent(settings(), joins("P1", ALIYA))
    sent(settings(), joins("P1", ALIYA, joined.receipt))
    assert len(meta.named("vip").rows) == 1
    assert meta.sandbox.requests("DELETE") == []


def test_who_cannot_be_found_by_anything_is_not_sent(meta, settings):
    [made] = sent(settings(), joins("P1", {"first_name": "Әлия"}))
    assert (type(made), made.code) == (Rejected, "no_address")
    assert meta.sandbox.requests("POST") == []


def test_leaving_goes_before_joining(meta, settings):
    sent(settings(), joins("P1", ALIYA))
    meta.sandbox.journal.clear()
    sent(settings(), joins("P2", {"email": "dana@example.kz"}), leaves("P1", about=ALIYA))
    assert [seen.method for seen in meta.sandbox.journal if seen.method != "GET"] == ["DELETE", "POST"]


@pytest.mark.parametrize("samples", [True, False])
def test_an_invalid_row_costs_no_other_whether_meta_names_it_or_not(meta, settings, samples):
    people = [joins(f"P{number}", {"email": f"buyer{number}@example.com"}) for number in range(7)]
    meta.samples, meta.invalid = samples, {META.email("buyer5@example.com")}
    made = sent(settings(), *people)
    assert [type(one) for one in made] == [Accepted] * 5 + [Rejected] + [Accepted]
    assert len(meta.named("vip").rows) == 6


def test_an_invalid_row_costs_nobody_of_the_same_family(meta, settings):
    meta.invalid = {META.email("son@example.kz")}
    mother, son = ({"email": f"{one}@example.kz", "phone": ALIYA["phone"]} for one in ("mother", "son"))
    found = {one.change.subject: one for one in sent(settings(), joins("mother", mother), joins("son", son))}
    assert isinstance(found["vip/mother"], Accepted)
    assert found["vip/mother"].receipt
    assert isinstance(found["vip/son"], Rejected)


def test_a_son_who_leaves_does_not_take_out_his_mother_of_the_same_phone(meta, settings):
    mother, son = ({"email": f"{one}@example.kz", "phone": ALIYA["phone"]} for one in ("mother", "son"))
    _, joined = sent(settings(), joins("mother", mother), joins("son", son))
    sent(settings(), leaves("son", joined.receipt))
    assert meta.named("vip").rows == {frozenset(row("mother", mother).items())}


# ── what the simulator takes ──────────────────────────────────────────────────────────────────────────────────────────


def uploads(config: MetaAudiencesConfig, meta: Meta, **payload: Any) -> Any:
    body = {"session": {"session_id": 1, "batch_seq": 1, "last_batch_flag": True}, "payload": payload}
    return write(config, "POST", f"{meta.named('vip').id}/users", body)


@pytest.mark.parametrize("schema", [["EMAIL", "SHOE_SIZE"], [], None])
def test_a_schema_that_meta_does_not_know_is_refused_whole(meta, settings, schema):
    with pytest.raises(RejectedError, match="schema"):
        uploads(settings(), meta, schema=schema, data=[[hashed("a"), "42"]])
    assert meta.named("vip").rows == set()


def test_a_row_of_another_length_than_the_schema_is_invalid_and_costs_no_other(meta, settings):
    data = [[hashed("a"), "P1"], [hashed("b")], [hashed("c"), "P3", ""]]
    answer = uploads(settings(), meta, schema=["EMAIL", "EXTERN_ID"], data=data)
    assert (answer["num_received"], answer["num_invalid_entries"]) == (3, 2)
    assert meta.named("vip").rows == {frozenset({("EMAIL", hashed("a")), ("EXTERN_ID", "P1")})}


@pytest.mark.parametrize(
    "body",
    [b"{", b"[1]", b'{"payload": "x"}', b'{"session": {"session_id": 1}, "payload": {"schema": ["EMAIL"], "data": 5}}'],
)
def test_what_meta_cannot_read_is_refused_and_breaks_nothing(meta, settings, body):
    url = f"{str(settings().base_url).rstrip('/')}/v23.0/{meta.named('vip').id}/users"
    for params, code in (({}, 190), ({"access_token": DEMO.secrets["token"]}, 100)):
        answer = requests.post(url, params=params, data=body, timeout=5)
        assert answer.json()["error"]["code"] == code
        assert answer.status_code < 500


def test_a_value_that_is_no_text_or_a_row_that_is_none_is_invalid(meta, settings):
    answer = uploads(settings(), meta, schema=["EMAIL"], data=[[5], "x", [hashed("a")]])
    assert (answer["num_received"], answer["num_invalid_entries"]) == (3, 2)


def test_a_session_that_replaces_begins_anew_and_its_batches_add_up(meta, settings):
    uploads(settings(), meta, schema=["EMAIL"], data=[[hashed("a")]])
    for batch, last in ((1, False), (2, True)):
        session = {"session_id": 7, "batch_seq": batch, "last_batch_flag": last}
        body = {"session": session, "payload": {"schema": ["EMAIL"], "data": [[hashed(f"b{batch}")]]}}
        write(settings(), "POST", f"{meta.named('vip').id}/usersreplace", body)
    assert meta.named("vip").rows == {frozenset({("EMAIL", hashed(f"b{batch}"))}) for batch in (1, 2)}


def test_no_audience_is_made_in_an_account_of_others(meta, settings):
    asked = {"name": "x", "subtype": "CUSTOM", "customer_file_source": "USER_PROVIDED_ONLY"}
    with pytest.raises(RejectedError, match="100"):
        write(settings(), "POST", "act_999/customaudiences", asked)
    assert len(meta.audiences) == 1


# ── audiences ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_segment_without_an_audience_gets_one(meta, settings):
    sent(settings(), joins("P1", ALIYA, audience="at_risk_vip"))
    sent(settings(), joins("P2", {"email": "dana@example.kz"}, audience="at_risk_vip"))
    assert [one.name for one in meta.audiences.values()] == ["vip", "at_risk_vip"]
    assert len(meta.named("at_risk_vip").rows) == 2


def test_an_audience_is_found_however_many_there_are(meta, settings):
    for number in range(450):
        meta.audience(f"audience {number}")
    sent(settings(audiences={"vip": "audience 449"}), joins("P1", ALIYA))
    assert len(meta.named("audience 449").rows) == 1


def test_nobody_leaves_an_audience_that_does_not_exist_and_none_is_made_for_it(meta, settings):
    assert [type(one) for one in sent(settings(), leaves("P1", about=ALIYA, audience="gone"))] == [Accepted]
    assert len(meta.audiences) == 1


def test_nobody_joins_a_flagged_audience_and_who_refused_leaves_it(meta, settings):
    sent(settings(), joins("P1", ALIYA))
    meta.named("vip").status = 471
    dana = {"email": "dana@example.kz"}
    left, waits, other = sent(settings(), leaves("P1", about=ALIYA), joins("P2", dana), joins("P2", dana, "", "new"))
    assert [type(one) for one in (left, waits, other)] == [Accepted, Deferred, Accepted]
    assert meta.named("vip").rows == set()
    assert (waits.alone, waits.blocked) == (True, False), "no removal that comes later waits with it"
    assert "flagged" in waits.why


def test_an_upload_without_an_answer_is_unknown_and_the_rest_is_not_sent(meta, settings):
    sent(settings(), joins("P1", ALIYA))
    meta.sandbox.faults.set("lost_reply", match="DELETE", times=1)
    made = sent(settings(), leaves("P1", about=ALIYA), joins("P2", {"email": "dana@example.kz"}))
    assert [type(one) for one in made] == [Unknown, Deferred]
    assert len(meta.sandbox.requests("POST", "/users")) == 1


def test_the_same_upload_is_the_same_session(meta, settings):
    change = replace(joins("P1", ALIYA), key="ads:1")
    sent(settings(), change)
    sent(settings(), change)
    sent(settings(), replace(change, key="ads:2"))
    first, again, other = (seen.json["session"]["session_id"] for seen in meta.sandbox.requests("POST", "/users"))
    assert first == again != other


@pytest.mark.parametrize(("wrong", "words"), [({"token": "old"}, "system user"), ({"ad_account": "1"}, "ad_account")])
def test_a_wrong_setting_is_named_with_the_page_that_mends_it(settings, wrong, words):
    with pytest.raises(ConfigError, match=f"(?i){words}") as caught:
        CONNECTOR.check(settings(**wrong))
    assert "old" not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "corrected", "raised"),
    [
        (190, {}, ConfigError), (130429, {}, TransientError), (294, {}, ConfigError), (80004, {}, TransientError),
        (2, {}, UnansweredError), (100, {}, RejectedError), (294, {294: "refused"}, RejectedError),
        (100, {100: "rate"}, TransientError),
    ],
)  # fmt: skip
@responses.activate
def test_a_code_means_what_the_settings_say_else_what_is_known_or_supposed(code, corrected, raised):
    responses.post(
        "https://graph.facebook.com/v23.0/7/users", status=400, json={"error": {"code": code, "message": "no"}}
    )
    config = MetaAudiencesConfig(token="x", ad_account="1", errors=corrected).named("ads")
    with using(Runtime(bucket=LocalBucket())), pytest.raises(raised) as told:
        write(config, "POST", "7/users", {})
    assert type(told.value) is raised
