"""What a vendor says is read as it was meant, and nothing secret is told of it."""

import gzip

import pytest
import requests
import responses
from pydantic import SecretStr
from starlette.responses import JSONResponse

from connectors.sdk import ApiKey, Basic, Bearer, ConfigError, ContractError, Http, RejectedError, TransientError
from tests.sdk.http.vendor import TOKEN, client


@pytest.mark.parametrize("body", ["<html>Login</html>", '{"half": ', "", '{"n": NaN}'])
def test_an_answer_that_is_no_json_is_named_with_a_sample(vendor, hub, body):
    vendor.says(200, body)
    with pytest.raises(ContractError, match="is not JSON") as caught:
        client(vendor).get("orders").json()
    assert caught.value.sample == body.strip()


def test_gzip_a_byte_order_mark_and_kazakh_letters_are_read(vendor, hub):
    vendor.says(200, gzip.compress('\ufeff{"name": "Әлия Ұлы"}'.encode()), content_encoding="gzip")
    assert client(vendor).get("orders").json() == {"name": "Әлия Ұлы"}


def test_a_number_of_many_digits_keeps_them(vendor, hub):
    """More than fit into 64 bits; a float would round them."""
    vendor.says(200, '{"receipt": 123456789012345678901}')
    assert client(vendor).get("orders").json() == {"receipt": 123456789012345678901}


def test_a_broken_letter_does_not_lose_the_page(vendor, hub):
    vendor.says(200, b'{"name": "caf\xe9"}')
    assert client(vendor).get("orders").json() == {"name": "caf\ufffd"}


def test_an_old_encoding_is_read_where_it_is_stated(vendor, hub):
    vendor.says(200, "Алматы".encode("cp1251"), content_type="text/plain; charset=windows-1251")
    assert client(vendor).get("city").text == "Алматы"


def test_the_account_proves_who_it_is(vendor, hub):
    seen: list[dict[str, str]] = []
    vendor.answer = lambda request: seen.append(dict(request.headers)) or JSONResponse({})  # type: ignore[func-returns-value]
    for auth in (Bearer(TOKEN), Bearer(TOKEN, "X-Token", ""), ApiKey("X-Key", TOKEN), Basic("әлия", TOKEN)):
        client(vendor, auth=auth).get("orders")
        assert "s3cret" not in repr(auth)
    assert seen[0]["authorization"] == "Bearer s3cret-token"
    assert seen[1]["x-token"] == "s3cret-token"
    assert seen[2]["x-key"] == "s3cret-token"
    assert seen[3]["authorization"] == "Basic " + "05nQu9C40Y86czNjcmV0LXRva2Vu"
    assert seen[0]["accept-encoding"] == "gzip"


@pytest.mark.parametrize("status", [200, 400, 401, 404, 429, 500])
def test_no_error_tells_what_it_must_not(vendor, hub, status):
    vendor.says(status, "no: s3cret-token +7 700 000 00 01 buyer@example.com 87000000001")
    for call in (
        lambda account: account.get("clients/+77000000001", {"api_key": "s3cret-token"}).json(),
        lambda account: account.send("POST", "clients?token=s3cret-token", json={}).json(),
    ):
        with pytest.raises((RejectedError, ConfigError, TransientError, ContractError)) as caught:
            call(client(vendor, attempts=1))
        told = str(caught.value) + repr(caught.value) + getattr(caught.value, "sample", "")
        assert caught.value.__cause__ is None
        for secret in ("s3cret", "7000000001", "000 00 01", "buyer@"):
            assert secret not in told
    for attempt in hub.attempts:
        assert "s3cret" not in attempt.path
        assert "7000000001" not in attempt.path


def test_a_lost_connection_does_not_quote_the_address_with_its_query(hub):
    with pytest.raises(TransientError) as caught:
        Http("http://127.0.0.1:9", account="acme", attempts=1).get("orders", {"token": "s3cret-token"})
    assert "s3cret" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("token", ["with-newline\n", "құпия"])
def test_a_token_that_cannot_be_sent_is_not_shown(vendor, hub, token):
    with pytest.raises(ConfigError, match="characters of the credentials") as caught:
        client(vendor, auth=Bearer(SecretStr(token))).get("orders")
    assert token.strip() not in str(caught.value)


def test_every_request_is_noted_once(vendor, hub):
    vendor.sandbox.faults.set("500", times=1)
    account = client(vendor)
    account.get("orders", {"page": 1})
    account.send("POST", "orders", json={})
    noted = [(one.method, one.path, one.status, one.outcome) for one in hub.attempts]
    assert noted == [
        ("GET", "/api/orders", 500, "TransientError"),
        ("GET", "/api/orders", 200, "ok"),
        ("POST", "/api/orders", 200, "ok"),
    ]


@responses.activate
def test_a_certificate_nobody_trusts_is_a_matter_of_settings(hub):
    broken = requests.exceptions.SSLError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed")
    responses.get("https://api.example.com/orders", body=broken)
    with pytest.raises(ConfigError, match=r"certificate of api\.example\.com is not trusted"):
        Http("https://api.example.com", account="acme").get("orders")


def test_the_library_tells_no_address_whatever_the_log_level(vendor, hub, caplog):
    """Some vendors have the key in the path, others a phone in the query."""
    with caplog.at_level("DEBUG"):
        client(vendor).get("orders", {"phone": "+77000000001"})
    assert "orders" not in caplog.text
