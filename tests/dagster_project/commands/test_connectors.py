"""`keruen connectors`: what is there, whether it works, and making one's own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.sdk.registry import discover
from tests.dagster_project.conftest import SYSTEMS, Street

CASES = Path(__file__).parents[2] / "connectors"


def test_the_list_shows_what_each_reads_and_writes_and_who_ships_it(street: Street):
    listed = {row["name"]: row for row in street.told("connectors", "list")}
    assert set(listed) == set(discover().specs)
    site = listed[SYSTEMS["site"]]
    assert site["writes"] == ["price.push", "stock.push", "order.status"]
    assert site["sandbox"] is True
    assert site["problem"] is None
    assert site["from"].startswith("keruen ")
    assert "stock.push" in street.keruen("connectors", "list").stdout


def test_check_says_that_accounts_answer(street: Street):
    street.opens("erp")
    street.opens("site")
    assert {(row["name"], row["ok"]) for row in street.told("connectors", "check")} == {("erp", True), ("site", True)}


def test_check_names_what_is_wrong_with_which_account_and_goes_on_to_the_next(street: Street, monkeypatch):
    street.opens("erp")
    street.opens("site")
    monkeypatch.setenv("SITE_TOKEN", "an-old-token")
    done = street.keruen("connectors", "check", "--json")
    assert done.exit_code == 1
    said = {row["name"]: row for row in json.loads(done.stdout)}
    assert said["erp"]["ok"] is True
    assert said["site"]["ok"] is False
    assert "token" in said["site"]["says"]
    assert "an-old-token" not in done.output
    monkeypatch.delenv("SITE_TOKEN")
    assert "SITE_TOKEN" in street.keruen("connectors", "check").stdout


def test_check_shows_what_an_account_that_answers_has_to_remark(street: Street):
    street.drops("crm", "customers", [{"external_id": "7.0", "name": "Ann"}])
    [crm] = street.told("connectors", "check")
    assert (crm["ok"], "external_id as fractions, like 7.0" in crm["says"]) == (True, True)


def test_without_connections_check_says_so(street: Street):
    assert "no connection is configured" in street.keruen("connectors", "check").stdout


def test_a_new_connector_lies_where_it_was_asked_for_and_is_not_written_over(street: Street, tmp_path: Path):
    made = street.keruen("connectors", "new", "acme", "--folder", str(tmp_path / "acme"))
    assert made.exit_code == 0
    assert (tmp_path / "acme/keruen_acme/__init__.py").exists()
    assert "not empty" in street.refuses("connectors", "new", "acme", "--folder", str(tmp_path / "acme"))
    assert "no name for a connector" in street.refuses("connectors", "new", "1C", "--folder", str(tmp_path / "other"))


def test_settings_are_listed_with_their_defaults(street: Street):
    rows = {row["setting"]: row for row in street.told("connectors", "settings", SYSTEMS["site"])}
    assert rows["token"]["default"] == "required, secret"
    assert rows["currency"]["default"] == "`KZT`"
    assert street.keruen("connectors", "settings", SYSTEMS["site"]).stdout.startswith("| setting | default | what |")


def a_saved_reply(resource: str) -> Path:
    return sorted((CASES / SYSTEMS["site"] / "cases" / resource).glob("*.raw.json"))[0]


def test_a_saved_reply_is_mapped_without_store_or_network(street: Street):
    reply = a_saved_reply("products")
    told = street.told("connectors", "map", SYSTEMS["site"], str(reply))
    assert set(told) == {"mapped", "quarantined", "unmapped"}
    assert {"product", "listing"} <= {row["entity"] for row in told["mapped"]}
    in_words = street.keruen("connectors", "map", SYSTEMS["site"], str(reply))
    assert "fields nobody looks at: none" in in_words.stdout


def test_what_a_mapping_sets_aside_and_overlooks_is_shown(street: Street, tmp_path: Path):
    reply = json.loads(a_saved_reply("products").read_text("utf-8"))
    [products] = [value for value in reply.values() if isinstance(value, list)]
    products[0].update(name=None, colour="red")
    (tmp_path / "reply.json").write_text(json.dumps(reply))
    told = street.told("connectors", "map", SYSTEMS["site"], str(tmp_path / "reply.json"))
    assert told["quarantined"]
    assert all(row["reason"] for row in told["quarantined"])
    assert told["unmapped"] == ["colour"]


def test_a_reply_that_fits_two_resources_is_refused_with_both_names(street: Street, tmp_path: Path, two_alike):
    (tmp_path / "reply.json").write_text('{"data": [{"id": 1}]}')
    said = street.refuses("connectors", "map", two_alike, str(tmp_path / "reply.json"))
    assert "could be of" in said
    assert "orders and returns" in said
    assert "--resource" in said


@pytest.fixture
def two_alike(monkeypatch: pytest.MonkeyPatch) -> str:
    """A connector whose two resources answer in the same shape."""
    from connectors.sdk import ConnectionConfig, ConnectorSpec, Resource
    from connectors.sdk.registry import Discovery
    from dagster_project.commands import connectors
    from mappings.canonical import Order
    from mappings.tables import FieldMap

    def reads(reply):
        return reply["data"]

    twins = tuple(
        Resource(name, lambda c, s: iter(()), "id", FieldMap(Order, {}), reads) for name in ("orders", "returns")
    )
    spec = ConnectorSpec("twins", "Twins", ConnectionConfig, twins)
    monkeypatch.setattr(connectors, "discover", lambda: Discovery({"twins": spec}))
    return "twins"


def test_a_reply_that_fits_nothing_is_refused_with_what_there_is(street: Street, tmp_path: Path):
    path = tmp_path / "reply.json"
    path.write_text('{"weather": "fine"}')
    assert "it reads products, orders, clients" in street.refuses("connectors", "map", SYSTEMS["site"], str(path))
    path.write_text("<html>")
    assert "is not JSON" in street.refuses("connectors", "map", SYSTEMS["site"], str(path))
    assert "it reads products" in street.refuses(
        "connectors", "map", SYSTEMS["site"], str(path), "--resource", "weather"
    )
    assert "no connector 'acme' is installed" in street.refuses("connectors", "map", "acme", str(path))
    (tmp_path / "empty").mkdir()
    assert "no *.json" in street.refuses("connectors", "map", SYSTEMS["site"], str(tmp_path / "empty"))


def test_of_a_folder_what_fits_nothing_is_skipped_with_a_word(street: Street, tmp_path: Path):
    (tmp_path / "a.json").write_text('{"weather": "fine"}')
    (tmp_path / "b.json").write_text("<html>")
    said = street.refuses("connectors", "map", SYSTEMS["site"], str(tmp_path))
    assert "a.json has the shape" in said
    assert "b.json is not JSON" in said
    (tmp_path / "c.json").write_text(a_saved_reply("products").read_text("utf-8"))
    done = street.keruen("connectors", "map", SYSTEMS["site"], str(tmp_path), "--json")
    assert json.loads(done.stdout)["mapped"]
    assert "skipped: a.json has the shape of no resource" in done.stderr
    assert "skipped: b.json is not JSON" in done.stderr


def test_mapping_needs_neither_an_address_nor_a_way_in(street: Street, tmp_path: Path):
    """Bitrix24 wants the portal's address, and a webhook or all of an application; a wrong setting is still named."""
    contact = {"ID": "7", "NAME": "Әлия", "EXPORT": "Y", "PHONE": [{"VALUE": "8 700 000 00 01"}]}
    (tmp_path / "reply.json").write_text(json.dumps({"result": [contact]}))
    told = street.told("connectors", "map", "bitrix24", str(tmp_path / "reply.json"), "--set", "region=KZ")
    assert [row["phones"] for row in told["mapped"]] == [["+77000000001"]]
    wrong = ("connectors", "map", "bitrix24", str(tmp_path / "reply.json"), "--set", "burst=many")
    assert "burst" in street.refuses(*wrong)


@pytest.mark.slow
def test_a_certificate_lists_every_rule(street: Street):
    told = street.told("connectors", "certify", SYSTEMS["site"])
    assert len(told) > 25
    assert all(row["passed"] for row in told)


def test_a_connector_without_a_sandbox_gets_no_certificate(street: Street, two_alike: str):
    done = street.keruen("connectors", "certify", two_alike, "--json")
    assert done.exit_code == 1
    assert [row for row in json.loads(done.stdout) if not row["passed"]]


def test_json_goes_alone_to_standard_output_of_a_real_process(street: Street):
    done = subprocess.run(
        [sys.executable, "-m", "dagster_project.cli", "connectors", "list", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert {row["name"] for row in json.loads(done.stdout)} == set(discover().specs)
    assert done.stderr == ""
