"""`keruen sandbox`: vendors on loopback. Running ones are noted in `$KERUEN_HOME/sandboxes.json`."""

import json
import signal
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Literal

import requests
import typer

from connectors.sdk.errors import ConfigError
from connectors.sdk.testing.faults import KINDS
from connectors.sdk.testing.sandbox import CONTROLS
from connectors.sdk.testing.shop import a_shop
from dagster_project.commands.output import out, print_json, says_who_must_act
from dagster_project.home import home
from dagster_project.simulators import Simulator, simulators

app = typer.Typer(no_args_is_help=True)
PATIENCE = 30.0
"""Seconds that a sandbox has to answer: it may be busy with the hub."""


def register() -> Path:
    """Where running sandboxes are noted: name → base url."""
    return home() / "sandboxes.json"


@app.command()
@says_who_must_act
def up(
    names: Annotated[list[str] | None, typer.Argument(help="Connectors; none: every one that has a sandbox.")] = None,
    limits: Annotated[Literal["contract", "off"], typer.Option(help="Keep the vendor's limits, or none.")] = "contract",
    seed: Annotated[int | None, typer.Option(help="Fill them with the invented shop of this seed.")] = None,
    life: Annotated[float, typer.Option(help="Seconds between sales; 0: nobody buys.")] = 0.0,
    feeds: Annotated[str | None, typer.Option(help="Base url of the hub's feeds, for vendors that fetch them.")] = None,
) -> None:
    """Serve sandboxes until Ctrl-C; prints {"name", "base_url", "settings", "secrets"} of each, a line apiece.

    The settings and the invented tokens are what a connection to it needs: for connections.yaml and secrets.env.

    Example: keruen sandbox up acme --seed 1 --limits off
    """
    shop = a_shop(seed) if seed is not None else None
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with ExitStack() as stack:
        running = simulators(names or ())
        urls = {one.name: stack.enter_context(one.running(shop, limits=limits, folder=home())) for one in running}
        register().write_text(json.dumps(urls), "utf-8")
        for one in running:
            url = urls[one.name]
            needs = {"settings": one.settings(url, limits=limits), "secrets": one.secrets}
            typer.echo(json.dumps({"name": one.name, "base_url": url, **needs}, ensure_ascii=False))
        _live(running, shop, life, feeds, stopped)


def _live(simulators_: list[Simulator], shop, life: float, feeds: str | None, stopped: threading.Event) -> None:  # type: ignore[no-untyped-def]
    """Waits for the end; meanwhile, if there is to be life, buyers buy and vendors fetch their feeds."""
    pulses = [simulator.pulse(shop, feeds, home()) for simulator in simulators_] if life and shop else []
    while not stopped.wait(life or None):
        for pulse in pulses:
            pulse()


@app.command()
@says_who_must_act
def seed(number: Annotated[int, typer.Argument(help="Seed of the invented shop.")] = 1) -> None:
    """Show what the invented shop of a seed holds; `keruen sandbox up --seed N` fills sandboxes with it.

    Example: keruen sandbox seed 7
    """
    shop = a_shop(number)
    print_json(
        {
            "variants": len(shop.variants),
            "places": len(shop.places),
            "people": len(shop.people),
            "orders": len(shop.orders),
        }
    )


@app.command()
@says_who_must_act
def fault(
    name: Annotated[str, typer.Argument(help="A running sandbox.")],
    kind: Annotated[str, typer.Argument(help="429, 500, lost_reply, slow, cut or clock.")] = "",
    rate: Annotated[float, typer.Option(help="Share of requests that are hit.")] = 1.0,
    for_: Annotated[float | None, typer.Option("--for", help="Seconds until it ends by itself.")] = None,
    match: Annotated[str, typer.Option(help="Only requests whose path contains this.")] = "",
    clear: Annotated[bool, typer.Option(help="End this fault, or all when no kind is given.")] = False,
) -> None:
    """Switch a fault of a running sandbox on or off.

    Example: keruen sandbox fault acme 500 --for 60
    """
    if not clear and kind not in KINDS:
        raise ConfigError(f"{kind!r} is no fault; choose one of {', '.join(KINDS)}")
    asked = (
        {"clear": True, "kind": kind or None}
        if clear
        else {"kind": kind, "rate": rate, "seconds": for_, "match": match}
    )
    out.print_json(_happen(name, "faults", asked))


@app.command()
@says_who_must_act
def price(
    name: Annotated[str, typer.Argument(help="A running sandbox that keeps prices.")],
    sku: Annotated[str, typer.Argument(help="The goods.")],
    times: Annotated[float, typer.Argument(help="By how much the price is mistyped: 10 is one digit too many.")] = 10.0,
) -> None:
    """Mistype a price in a running sandbox: what its channels are shown then waits for a person.

    Example: keruen sandbox price acme KR00001A 10
    """
    out.print_json(_happen(name, "price", {"sku": sku, "times": times}))


def _happen(name: str, what: str, asked: dict[str, object]) -> str:
    """Makes it happen in the sandbox of that name; its answer, as JSON."""
    urls = json.loads(register().read_text("utf-8")) if register().exists() else {}
    if name not in urls:
        raise ConfigError(
            f"no sandbox {name!r} is running (running: {', '.join(urls) or 'none'}); start it: keruen sandbox up {name}"
        )
    try:
        answer = requests.post(f"{urls[name]}{CONTROLS}/{what}", json=asked, timeout=PATIENCE)
    except requests.ConnectionError:
        raise ConfigError(
            f"the sandbox {name} noted at {urls[name]} is gone; start it: keruen sandbox up {name}"
        ) from None
    except requests.Timeout:
        raise ConfigError(f"the sandbox {name} did not answer within {PATIENCE:.0f} s; try again") from None
    if answer.status_code in (404, 405):
        raise ConfigError(f"the sandbox {name} has no {what} of its own; try another (running: {', '.join(urls)})")
    if not answer.ok:
        raise ConfigError(f"the sandbox refused: {answer.json()['error']}")
    return answer.text
