"""`keruen sandbox`: a vendor in a process of its own, and its faults switched from another."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
import requests

from tests.dagster_project.conftest import SYSTEMS, Street

NAME = SYSTEMS["site"]


@pytest.fixture
def a_child(street: Street) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "dagster_project.cli", *words]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for child in started:
        child.kill()
        child.communicate()


def test_a_sandbox_says_where_it_is_and_takes_faults_until_it_is_stopped(street: Street, a_child):
    child = a_child("sandbox", "up", NAME, "--limits", "off")
    said = json.loads(child.stdout.readline())
    assert said["name"] == NAME
    address = f"{said['base_url']}/orders/list"
    refused = requests.get(address, timeout=10).status_code
    assert refused in (401, 403)

    done = street.keruen("sandbox", "fault", NAME, "500", "--for", "60")
    assert done.exit_code == 0
    [fault] = json.loads(done.stdout)
    assert (fault["kind"], fault["rate"], fault["match"]) == ("500", 1.0, "")
    assert 30 < fault["seconds"] <= 60
    assert requests.get(address, timeout=10).status_code == 500
    assert street.keruen("sandbox", "fault", NAME, "--clear").exit_code == 0
    assert requests.get(address, timeout=10).status_code == refused

    child.send_signal(signal.SIGTERM)
    assert child.wait(20) == 0
    assert "is gone" in street.refuses("sandbox", "fault", NAME, "500")


def test_what_a_sandbox_says_of_itself_is_enough_to_connect_it(street: Street, a_child):
    said = json.loads(a_child("sandbox", "up", "kaspi").stdout.readline())
    variables = {secret: f"OWN_{secret}".upper() for secret in said["secrets"]}
    for secret, value in said["secrets"].items():
        street.environment(variables[secret], value)
    street.entries["own"] = {"connector": said["name"], "settings": said["settings"], "secrets": variables}
    street.connects()
    [checked] = street.told("connectors", "check")
    assert (checked["name"], checked["ok"]) == ("own", True), checked


def test_a_price_is_mistyped_where_prices_are_kept(street: Street, a_child):
    child = a_child("sandbox", "up", "moysklad", NAME, "--limits", "off", "--seed", "1")
    child.stdout.readline()
    child.stdout.readline()
    told = json.loads(street.keruen("sandbox", "price", "moysklad", "KR00001A", "0.01").stdout)
    assert told == {"sku": "KR00001A", "price": pytest.approx(22.7)}
    assert "nothing has the SKU KR-NONE" in street.refuses("sandbox", "price", "moysklad", "KR-NONE")
    assert f"the sandbox {NAME} has no price of its own" in street.refuses("sandbox", "price", NAME, "KR00001A")


def test_a_fault_needs_a_running_sandbox_and_a_kind_there_is(street: Street, a_child):
    assert f"keruen sandbox up {NAME}" in street.refuses("sandbox", "fault", NAME, "500")
    child = a_child("sandbox", "up", NAME)
    child.stdout.readline()
    assert "choose one of 429, 500, lost_reply" in street.refuses("sandbox", "fault", NAME, "earthquake")


def test_a_connector_without_a_sandbox_is_answered_with_those_that_have_one(street: Street):
    said = street.refuses("sandbox", "up", "acme")
    assert "no sandbox for acme" in said
    assert NAME in said


def test_the_shop_of_a_seed_is_shown(street: Street):
    told = json.loads(street.keruen("sandbox", "seed", "7").stdout)
    assert (told["variants"], told["people"], told["orders"]) == (5000, 20000, 60000)
