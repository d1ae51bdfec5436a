"""Every command that shows somebody's data says who looked, at what and at whom, before it shows them."""

import re
from pathlib import Path
from typing import Any

import pytest

from dagster_project import commands
from dagster_project.store.people.access import pseudonym
from tests.dagster_project.commands.test_person import LIKE, people, says  # noqa: F401
from tests.dagster_project.steps.test_identify import People

QUEUE = ({"external_id": "7", "first_name": "Ерлан", "phones": ["+77000000008"]},
         {"external_id": "8", "first_name": "Ерлан", "phones": ["+77000000008"], "connection": "till"})  # fmt: skip


def looks(people: People) -> list[Any]:  # noqa: F811
    return people.all("select actor, purpose, object, person, fields, rows from privacy.access_log order by id")


@pytest.mark.parametrize(
    ("command", "fields"),
    [(("person", "show", "crm:1"), {"phones", "name"}), (("explain", "person", "crm:1"), {"record", "order"})],
)
def test_a_look_at_one_person_names_the_pseudonym_and_what_was_shown(people, command, fields):  # noqa: F811
    says(*command)
    [look] = looks(people)
    assert look.actor
    assert look.purpose == " ".join(command[:2])
    assert look.person == pseudonym(people.person("crm", "1"))
    assert fields <= set(look.fields)
    assert people.person("crm", "1") not in str(look)


def test_the_review_queue_is_a_look_at_each_of_the_pair(people):  # noqa: F811
    people.come(*(dict(one, birth_date=day) for one, day in zip(QUEUE, ("1980-05-06", "1991-08-17"), strict=True)))
    people.settles()
    says("person", "review")
    both = {pseudonym(people.person("crm", "7")), pseudonym(people.person("till", "8"))}
    assert {(look.purpose, look.person) for look in looks(people)} >= {("person review", one) for one in both}


def test_an_opened_query_is_a_look_at_everybody_it_names_and_keeps_no_name(people):  # noqa: F811
    says("sql", "--open", "select person_id, phone from identity.golden where name <> 'Алия Тестовая'")
    seen = looks(people)
    assert {look.person for look in seen} == {
        pseudonym(people.person("crm", "1")),
        pseudonym(people.person("till", "5")),
    }
    assert {look.object for look in seen} == {"select person_id, phone from identity.golden where name <> '…'"}


def test_a_query_that_opens_nothing_is_no_look(people):  # noqa: F811
    says("sql", "select count(*) from identity.golden")
    says("segment", "list")
    says("status")
    assert looks(people) == []


def test_asking_what_somebody_agreed_to_is_a_look(people):  # noqa: F811
    says("consent", "show", people.person("crm", "1"))
    [look] = looks(people)
    assert (look.purpose, look.person) == ("consent show", pseudonym(people.person("crm", "1")))


def test_whoever_adds_a_command_that_opens_seals_must_write_it_down():
    """Modules of commands reach clear text through few doors; each of their callers looks."""
    doors = re.compile(
        r"access\.opened|explain_person\(|explain_person\.show|explain_person\.review|quarantine\.shown|opened_row"
    )
    for path in Path(commands.__file__).parent.glob("*.py"):
        opened = len(doors.findall(path.read_text("utf-8")))
        assert len(re.findall(r"\blooked\(", path.read_text("utf-8"))) >= opened, path.name
