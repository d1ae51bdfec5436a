"""connections.yaml: what a merchant may write, and what is said when it is wrong."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import Field as Setting
from pydantic import SecretStr

from connectors.sdk import ConfigError, ConnectionConfig, ConnectorSpec, Sink
from connectors.sdk.config import HubPath
from dagster_project.connections import load, parse, schema


class AcmeConfig(ConnectionConfig):
    """Settings of an invented vendor."""

    token: SecretStr = Setting(description="From the cabinet.")
    shop: str = Setting("main", description="Which shop.")
    inbox: HubPath = Setting("inbox/*.csv", description="Where files are dropped.")


ACME = ConnectorSpec("acme", "Acme", AcmeConfig, sinks=(Sink(("price.push", "stock.push")), Sink("order.status")))
SPECS = {"acme": ACME}


def hub(text: str):
    return parse(text, SPECS, folder=Path("/shop"))


def test_a_connection_brings_its_rules_and_the_hubs_guards():
    shop = hub("""
        hub: {guards: {step: 5, fresh: 30m}}
        east: {connector: acme, secrets: {token: EAST}, guards: {share: 0.5}, price: {markup: 0.05, round: 10}}
    """)["east"]
    assert (shop.guards.step, shop.guards.share, shop.guards.fresh) == (Decimal(5), 0.5, timedelta(minutes=30))
    assert shop.guards.shrink == 0.1
    assert shop.entry.price.markup == Decimal("0.05")


def test_nothing_is_written_to_a_channel_unless_its_push_says_so():
    silent = hub("east: {connector: acme}")["east"]
    assert silent.capabilities == ()
    prices = hub("east: {connector: acme, push: {price: approve}}")["east"]
    assert prices.capabilities == ("price.push",)
    assert prices.mode("price.push") == "approve"


def test_secrets_are_read_when_they_are_needed_and_named_when_they_are_missing(monkeypatch):
    shop = hub("east: {connector: acme, secrets: {token: EAST_TOKEN}}")["east"]
    monkeypatch.delenv("EAST_TOKEN", raising=False)
    with pytest.raises(ConfigError, match="EAST_TOKEN"):
        _ = shop.config
    monkeypatch.setenv("EAST_TOKEN", "a-secret")
    assert shop.config.token.get_secret_value() == "a-secret"
    assert "a-secret" not in repr(shop.config)


def test_secrets_file_of_the_home_is_refused_while_others_can_read_it(monkeypatch, tmp_path):
    monkeypatch.setenv("KERUEN_HOME", str(tmp_path))
    secrets = tmp_path / "secrets.env"
    secrets.write_text("# tokens\nEAST_TOKEN=from-file\n")
    secrets.chmod(0o644)
    shop = hub("east: {connector: acme, secrets: {token: EAST_TOKEN}}")["east"]
    with pytest.raises(ConfigError, match="chmod 600"):
        _ = shop.config
    secrets.chmod(0o600)
    assert shop.config.token.get_secret_value() == "from-file"


def test_connections_of_one_vendor_account_share_its_limit(monkeypatch):
    monkeypatch.setenv("T", "x")
    shop = hub("""
        east: {connector: acme, secrets: {token: T}, account: acme_head_office}
        west: {connector: acme, secrets: {token: T}, account: acme_head_office}
        north: {connector: acme, secrets: {token: T}}
    """)
    accounts = {name: shop[name].config.rate_account for name in shop.connections}
    assert accounts == {"east": "acme_head_office", "west": "acme_head_office", "north": "north"}
    assert shop["east"].config.connection == "east"


def test_relative_paths_are_relative_to_the_connections_file(monkeypatch):
    monkeypatch.setenv("T", "x")
    assert hub("east: {connector: acme, secrets: {token: T}}")["east"].config.inbox == "/shop/inbox/*.csv"


def test_places_without_a_name_of_ours_keep_the_vendors_under_the_connection():
    shop = hub("east: {connector: acme, locations: {PP1: Almaty-1}}")["east"]
    assert (shop.location("PP1"), shop.location("PP2"), shop.location(None)) == ("Almaty-1", "east:PP2", None)


def test_authority_may_differ_by_place():
    shop = hub("""
        hub: {authority: {on_hand: {default: east, Almaty-1: west}, name: [west, east]}}
        east: {connector: acme}
        west: {connector: acme}
    """)
    assert shop.authority("on_hand") == ("east",)
    assert shop.authority("on_hand", "Almaty-1") == ("west",)
    assert shop.authority("name") == ("west", "east")
    assert shop.authority("price") == ()


def test_a_connection_whose_connector_is_missing_is_kept_with_the_reason():
    lost = hub("east: {connector: other}")["east"]
    assert lost.spec is None
    assert "no connector 'other' is installed" in lost.problem
    with pytest.raises(ConfigError, match="east cannot run"):
        _ = lost.config


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("east: {connector: acme, colour: red}", r"east\.colour: there is no such setting"),
        ("east: {connector: acme, location: {A: B}}", r"east\.location: .* did you mean `locations`\?"),
        ("east: {connector: acme, stock: {form: [A]}}", r"east\.stock\.form: .* did you mean `from`\?"),
        ("east: {settings: {}}", r"east\.connector: it is missing"),
        ("east: {connector: acme, push: {stock: always}}", r"east\.push\.stock"),
        ("East Shop: {connector: acme}", "small Latin letters"),
        ("hub: {authority: {product: nobody}}\neast: {connector: acme}", "there is no connection 'nobody'"),
        ("east: {connector: acme", "not valid YAML"),
        ("- east", "must be a mapping"),
        ("east: {connector: acme, stock: {share: 2}}", r"east\.stock\.share"),
    ],
)
def test_a_mistake_is_named_with_its_place(text, says):
    with pytest.raises(ConfigError, match=says):
        hub(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("east:\n  connector: acme\n   account: one\n", "3:11 .*`account: one`; indent it like its neighbours"),
        ("east:\n  connector: acme\n account: one\n", "3:2 .*`account: one`; indent it like its neighbours"),
        ("east:\n  connector: acme\n  account one\n", "3:3 .*`account one`; indent .* a space after the colon"),
        ("east:\n  settings: {shop: one\n  push: {}\n", "2:13 .*`settings: {shop: one`; close the bracket"),
        ('east:\n  account: "one\n  push: {}\n', '2:12 .*`account: "one`; close the bracket or quote'),
        ("east:\n\tconnector: acme\n", "2:1 .*`connector: acme`; indent with spaces"),
        ("east:\n  every: {orders: */5 * * * *}\n", r"2:20 .*`every: .*`; put quotes around"),
    ],
)
def test_a_slip_of_the_pen_is_shown_with_its_line_and_what_is_likely_wrong(text, says):
    with pytest.raises(ConfigError, match=f"^connections.yaml:{says}") as told:
        hub(text)
    assert "<unicode string>" not in str(told.value)
    assert "\n" not in str(told.value)


def test_a_file_in_another_encoding_is_named_with_the_line_and_what_to_do(tmp_path):
    path = tmp_path / "connections.yaml"
    path.write_bytes("east:\n  connector: acme\n  account: Восток\n".encode("cp1251"))
    with pytest.raises(ConfigError, match=r"/connections.yaml is not UTF-8 \(line 3\): save it again in that encoding"):
        load(path)


def test_a_line_of_the_secrets_that_is_none_is_named_and_never_shown(monkeypatch, tmp_path):
    monkeypatch.setenv("KERUEN_HOME", str(tmp_path))
    secrets = tmp_path / "secrets.env"
    secrets.write_text("  # tokens\nEAST_TOKEN: a-secret\n")
    secrets.chmod(0o600)
    with pytest.raises(ConfigError, match=r"secrets\.env:2 has no `=`: write NAME=value") as told:
        _ = hub("east: {connector: acme, secrets: {token: EAST_TOKEN}}")["east"].config
    assert "a-secret" not in str(told.value)


def test_a_wrong_setting_names_the_connection_and_the_setting(monkeypatch):
    monkeypatch.setenv("T", "x")
    shop = hub("east: {connector: acme, secrets: {token: T}, settings: {shopp: two}}")["east"]
    with pytest.raises(ConfigError, match=r"east: setting `shopp` of connector acme.*connections\.yaml"):
        _ = shop.config


def test_the_schema_describes_the_file():
    described = schema()
    assert "push" in described["additionalProperties"]["properties"]
    assert "authority" in described["properties"]["hub"]["properties"]
