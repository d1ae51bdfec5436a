"""What persons did, not what cards say, tells which contact is theirs and how they like to be spoken to."""

from datetime import timedelta

import pytest

from dagster_project.store.people.keyring import keys
from dagster_project.store.tables import TABLES
from dagster_project.store.transfer import upsert
from tests.dagster_project.steps.test_identify import OTHER, PHONE, People

ANN = {"external_id": "1", "first_name": "Анна", "last_name": "Ким"}


class Talk(People):
    """People with whom something passed."""

    def hear(self, kind: str, channel: str, contact: str | None = None, *, days: int = 0, direction: str = "out"):
        known = self.all("select count(*) from canonical.contact_event")[0][0]
        event = {"connection": "crm", "external_id": f"e{known}", "customer": "1", "channel": channel, "kind": kind,
                 "direction": direction, "at": self.began + timedelta(days=days), "source": {}}  # fmt: skip
        if contact:
            sort = "email" if "@" in contact else "phone"
            event |= {"identifier_kind": sort, "identifier": keys().seal(contact, sort)}
        with self.store.begin() as db:
            upsert(db, TABLES["canonical.contact_event"], [event], ["connection", "external_id"])
            self._mark(db, ["crm:1"])

    def best(self):
        self.settles()
        return self.golden(self.person("crm", "1"))


@pytest.fixture
def people(store, now) -> Talk:
    return Talk(store, now)


def test_a_phone_that_somebody_wrote_from_is_before_one_that_nobody_answered(people):
    people.come({**ANN, "phones": [PHONE, OTHER]})
    people.hear("message", "whatsapp", OTHER, direction="in")
    best = people.best()
    assert (best.phone, best.phones) == (OTHER, [OTHER, PHONE])
    assert best.provenance["phone"]["rule"] == "verified"


def test_a_box_that_letters_come_back_from_is_verified_no_more(people):
    people.come({**ANN, "emails": ["a@mail.example", "b@mail.example"]})
    people.hear("opened", "email", "b@mail.example")
    assert people.best().email == "b@mail.example"
    people.hear("clicked", "email", "a@mail.example", days=1)
    people.hear("bounced", "email", "b@mail.example", days=2)
    assert people.best().email == "a@mail.example"


def test_a_number_proved_by_one_is_not_proved_for_another(people):
    people.come({**ANN, "phones": [OTHER]})
    people.come({"external_id": "2", "first_name": "Олжас", "last_name": "Абаев", "phones": [PHONE, OTHER],
                 "emails": ["o@mail.example"]})  # fmt: skip
    people.hear("call", "call", OTHER, direction="in")
    people.settles()
    assert people.golden(people.person("crm", "2")).provenance["phone"]["rule"] != "verified"


def test_the_preferred_channel_is_where_somebody_answers_lately(people):
    people.come({**ANN, "phones": [PHONE]})
    assert people.best().preferred_channel is None, "nobody has answered yet"
    for day in range(3):
        people.hear("clicked", "email", days=day - 400)
    people.hear("sent", "sms")
    assert people.best().preferred_channel == "email"
    people.hear("message", "telegram", direction="in")
    best = people.best()
    assert best.preferred_channel == "telegram"
    assert best.provenance["preferred_channel"]["rule"] == "most answers"
    assert best.provenance["preferred_channel"]["connection"] == "crm"
