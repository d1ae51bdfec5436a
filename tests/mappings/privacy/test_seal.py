"""Seals: the same for the same where one must join, never the same where one need not, and nothing without the key."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mappings.privacy.seal import DataKey, Keys, WrongKey, key_of

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


def data_key(number=7, secret=bytes(range(64))):
    return DataKey.unwrapped(KEYS, number, DataKey.wrapped(KEYS, number, secret, bytes(12)))


@given(words)
def test_what_lies_under_a_data_key_says_which_and_opens_with_it(value):
    sealed = data_key().seal(value)
    assert (sealed[:4], key_of(sealed), data_key().open(sealed)) == ("gcm:", 7, value)


def test_what_did_not_change_seals_the_same_and_under_another_key_it_looks_different():
    address = "Abay 1, flat 2"
    other = data_key(8, bytes(range(1, 65)))
    assert data_key().seal(address) == data_key().seal(address) == data_key().seal(data_key().seal(address))
    assert data_key().seal(address)[20:] != other.seal(address)[20:]
    with pytest.raises(WrongKey):
        other.open(data_key().seal(address))


def test_a_wrapped_key_opens_under_its_number_and_master_key_only():
    stored = DataKey.wrapped(KEYS, 7, bytes(range(64)), bytes(12))
    for keys, number in ((KEYS, 8), (OTHERS, 7)):
        with pytest.raises(WrongKey):
            DataKey.unwrapped(keys, number, stored)


def test_one_altered_sign_opens_nothing():
    sealed = data_key().seal("Abay 1, flat 2")
    with pytest.raises(WrongKey):
        data_key().open(sealed[:-2] + ("A" if sealed[-2] != "A" else "B") + sealed[-1])


def test_a_short_master_key_is_refused():
    with pytest.raises(ValueError, match="32 bytes"):
        Keys.of(b"short")
