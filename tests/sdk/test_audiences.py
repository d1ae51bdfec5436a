"""People are hashed as each ad platform wants them: one wrong sign, and nobody is found."""

import json
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sdk.audiences import GOOGLE, META, YANDEX, HashRules, hashed

VECTORS = Path(__file__).resolve().parents[3] / "shared/contracts/examples/ads-audiences/hash_vectors.json"
UPLOAD = VECTORS.with_name("yandex.upload.csv")
beside = pytest.mark.skipif(not VECTORS.is_file(), reason="the vendors' examples are not beside this checkout")
PLATFORMS = {"meta": (META, "EMAIL", "PHONE"), "google": (GOOGLE, "hashedEmail", "hashedPhoneNumber"),
             "yandex": (YANDEX, "email", "phone")}  # fmt: skip
ALL = pytest.mark.parametrize("rules", [META, GOOGLE, YANDEX])
NOTHING = sha256(b"").hexdigest()


@beside
@pytest.mark.parametrize("platform", PLATFORMS)
def test_hashes_equal_those_of_the_published_rules(platform):
    rules, email, phone = PLATFORMS[platform]
    for one in json.loads(VECTORS.read_text("utf-8")):
        assert rules.email(one["raw_email"]) == one[platform][email]
        assert rules.phone(one["raw_phone"]) == one[platform][phone]


@beside
def test_a_row_of_yandex_is_a_phone_and_an_email_each_hashed_on_its_own():
    [header, row] = UPLOAD.read_text("utf-8").split()
    assert header == "phone,email"
    assert row == f"{YANDEX.phone('+77001234567')},{YANDEX.email('aigerim.test@example.kz')}"


@ALL
@pytest.mark.parametrize("written", ["+7 700 000 00 01", "8 (700) 000-00-01", "77000000001", "7000000001"])
def test_a_phone_is_the_same_however_it_is_written(rules: HashRules, written):
    assert rules.phone(written) == hashed("+77000000001" if rules.plus else "77000000001")


@ALL
@pytest.mark.parametrize("nothing", [None, "", "  ", "—", "не скажу"])
def test_what_is_missing_has_no_hash(rules: HashRules, nothing):
    assert rules.email(nothing) is None
    assert rules.phone(nothing) is None


@pytest.mark.parametrize("nothing", [None, "", "  ", "—", "«»"])
def test_a_name_without_a_letter_has_no_hash(nothing):
    assert META.name(nothing) is None


def test_names_keep_their_script_and_lose_their_punctuation_where_the_platform_says_so():
    assert META.name(" Әлия-Айгүл ") == hashed("әлияайгүл")
    assert GOOGLE.name(" Әлия-Айгүл ") == hashed("әлия-айгүл")


def test_an_address_with_other_letters_is_none_for_a_platform_that_takes_latin_only():
    assert YANDEX.email("почта@example.kz") is None
    assert META.email("почта@example.kz") == hashed("почта@example.kz")


def test_dots_and_tags_of_an_address_are_part_of_it():
    assert META.email("A.B+shop@Example.com") == hashed("a.b+shop@example.com")


@ALL
@given(text=st.text())
def test_whatever_comes_it_is_a_hash_or_nothing_and_never_that_of_nothing(rules: HashRules, text):
    for made in (rules.email(text), rules.phone(text), rules.name(text)):
        assert made is None or (len(made) == 64 and made != NOTHING)
