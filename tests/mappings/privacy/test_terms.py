"""Where personal data may lie, and when a demand must be met."""

from datetime import UTC, datetime, timedelta

import pytest

from mappings.privacy.terms import PROFILES, transfer_problem


@pytest.mark.parametrize(
    ("profile", "country", "basis", "allowed"),
    [
        ("kz", "KZ", None, True),
        ("kz", "RU", None, False),
        ("kz", "RU", "contract 12", True),
        ("ru", "KZ", None, False),
        ("eu", "DE", None, True),
        ("eu", "US", None, False),
        ("kz", None, None, False),
    ],
)
def test_data_stay_where_the_profile_says_unless_a_basis_is_recorded(profile, country, basis, allowed):
    assert (transfer_problem(profile, country, basis) is None) == allowed


def test_the_clock_of_a_demand_starts_at_its_receipt():
    monday = datetime(2026, 3, 2, 5, tzinfo=UTC)
    assert PROFILES["ru"].due(monday) == monday + timedelta(days=30)
