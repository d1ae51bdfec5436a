"""Seals: the same for the same where one must join, never the same where one need not, and nothing without the key."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mappings.privacy.seal import Keys, PersonKey, WrongKey

KEYS = Keys.of(bytes(range(32)))
OTHERS = Keys.of(bytes(range(1, 33)))
words = some.text(min_size=1).filter(lambda value: not value.startswith(("siv:", "gcm:")))


@given(words)
def test_what_was_sealed_opens_again(value):
    sealed = KEYS.seal(value, "phone")
    assert sealed.startswith("siv:")
    assert KEYS.open(sealed, "phone") == value


@given(words)
def test_sealing_twice_is_sealing_once(value):
    sealed = KEYS.seal(value, "phone")
    assert KEYS.seal(sealed, "phone") == sealed == KEYS.seal(value, "phone")


def test_a_phone_does_not_open_as_an_account():
    assert KEYS.seal("+77000000001", "phone") != KEYS.seal("+77000000001", "account")
    with pytest.raises(WrongKey):
        KEYS.open(KEYS.seal("+77000000001", "phone"), "account")


def test_another_key_opens_nothing_and_the_error_tells_no_value():
    with pytest.raises(WrongKey) as error:
        OTHERS.open(KEYS.seal("+77000000001", "phone"), "phone")
    assert "7700" not in str(error.value)


def test_the_same_number_as_a_phone_and_as_an_account_are_two_subjects():
    assert KEYS.subject("phone", "+77000000001") != KEYS.subject("account", "+77000000001")
    assert KEYS.subject("phone", "+77000000001") != OTHERS.subject("phone", "+77000000001")


def test_a_subject_is_the_same_whether_asked_of_the_number_or_of_its_seal():
    assert KEYS.subject("phone", KEYS.seal("+77000000001", "phone")) == KEYS.subject("phone", "+77000000001")


def test_keys_do_not_show_in_their_repr():
    assert repr(KEYS) == "Keys()"


def test_free_text_is_under_the_persons_own_key():
    person, stored = PersonKey.wrapped(KEYS, bytes(12), bytes(range(32)))
    sealed = person.seal("Abay 1, flat 2", "customer.address", bytes(12))
    assert PersonKey.unwrapped(KEYS, stored).open(sealed, "customer.address") == "Abay 1, flat 2"
    other, _ = PersonKey.wrapped(KEYS, bytes(12), bytes(32))
    with pytest.raises(WrongKey):
        other.open(sealed, "customer.address")


def test_a_short_master_key_is_refused():
    with pytest.raises(ValueError, match="32 bytes"):
        Keys.of(b"short")
