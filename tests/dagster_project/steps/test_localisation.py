"""Nothing personal leaves for a country outside the profile, unless somebody recorded on what basis."""

import pytest

from connectors.sdk import ConnectionConfig, ConnectorSpec, Sink
from connectors.sdk.errors import ConfigError
from dagster_project.connections import parse
from dagster_project.factories.checks import localised
from dagster_project.steps.people.localisation import require_home

CAPABILITIES = ("segment.push", "order.push", "price.push")
SPEC = ConnectorSpec(
    "mail", "Mail", ConnectionConfig, sinks=tuple(Sink(one, deliver=lambda config, changes: ()) for one in CAPABILITIES)
)


def letters(profile="kz", **entry):
    said = ", ".join(f"{name}: {value!r}" for name, value in {"connector": "mail", **entry}.items())
    hub = parse(f"hub: {{privacy: {{profile: {profile}}}}}\nletters: {{{said}}}", {"mail": SPEC})
    return hub["letters"]


def leaves(capability, profile="kz", **entry):
    require_home(letters(profile, **entry), capability)


def test_a_segment_does_not_leave_for_another_country():
    with pytest.raises(ConfigError, match=r"letters: segment\.push may not leave: it lies in US.*`transfer`"):
        leaves("segment.push", country="US")


def test_nothing_personal_leaves_for_a_country_that_nobody_named():
    with pytest.raises(ConfigError, match=r"letters: segment\.push may not leave: .*nobody named.*Name the `country`"):
        leaves("segment.push")
    leaves("segment.push", transfer="contract 12 of 2026-01-15")
    leaves("price.push")


def test_a_merchants_own_books_need_no_country_but_may_not_lie_in_a_foreign_one():
    leaves("order.push")
    with pytest.raises(ConfigError, match=r"order\.push may not leave: it lies in US"):
        leaves("order.push", country="US")


def test_with_a_recorded_basis_it_does():
    leaves("segment.push", country="US", transfer="contract 12 of 2026-01-15")


@pytest.mark.parametrize(("profile", "country"), [("kz", "KZ"), ("ru", "RU"), ("eu", "DE")])
def test_at_home_nobody_asks(profile, country):
    leaves("order.push", profile, country=country)


def test_a_price_is_nobodys_personal_data():
    leaves("price.push", country="US")


@pytest.mark.parametrize(("capability", "entry", "severity"), [
    ("order.push", {}, "WARN"), ("order.push", {"country": "US"}, "ERROR"), ("segment.push", {}, "ERROR"),
])  # fmt: skip
def test_what_leaves_all_the_same_is_only_warned_of(capability, entry, severity):
    connection = letters(**entry)
    checked = localised(connection, capability)()
    assert (checked.passed, checked.severity.name) == (False, severity)
    if severity == "WARN":
        leaves(capability, **entry)
    else:
        with pytest.raises(ConfigError):
            leaves(capability, **entry)
