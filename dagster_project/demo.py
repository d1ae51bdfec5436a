"""The demo: an invented shop in every connector's sandbox, a first sync, and a page that says what to try."""

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import Engine

from connectors.sdk.errors import ConfigError
from dagster_project import clock, processes
from dagster_project.commands.output import err, out, progress
from dagster_project.connections import Hub, load
from dagster_project.demo_segments import to_try as segments_to_try
from dagster_project.demo_segments import write_segment
from dagster_project.home import DEFAULT, home
from dagster_project.simulators import Simulator, simulators
from dagster_project.steps.status import conservation, status
from dagster_project.steps.sync import Report, sync
from dagster_project.store.database import stop as stop_store
from dagster_project.yaml_text import text_of

MARK = "# written by keruen up --demo; it is rewritten each time"
SEED = 1
LEFT_BEHIND = ("postgres", "archive", "dlt", "dagster", "feeds", "inbox", "logs")
SECONDS_BETWEEN_SALES = 4


@dataclass(frozen=True)
class Stage:
    """The running sandboxes: name → base url. `erp`: the one that keeps goods and prices."""

    urls: dict[str, str]
    erp: str | None = None


@contextmanager
def stage(wanted: bool, feed_port: int, people: bool = False) -> Iterator[Callable[[], Stage]]:
    """Sandboxes with the shop in them, opening while the caller does something else; nothing when no demo is wanted.

    Yields what waits until they are open and writes a connections.yaml that points at them.
    """
    if not wanted:
        yield lambda: Stage({})
        return
    refuse_foreign_home()
    cast = [one.name for one in simulators() if people or not (one.demo and one.demo.people)]
    child = processes.start(
        processes.python(
            "-m", "dagster_project.cli", "sandbox", "up", *cast, "--limits", "off", "--seed", str(SEED),
            "--life", str(SECONDS_BETWEEN_SALES), "--feeds", f"http://127.0.0.1:{feed_port}/feeds",
        ),
        stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield lambda: _opened(child, cast)
    finally:
        processes.stop([child], patience=5)


def _opened(child: "subprocess.Popen[str]", cast: Sequence[str]) -> Stage:
    with progress("demo") as tell:
        tell("sandboxes", "opening an invented shop: 5,000 variants, 20,000 people, 60,000 orders")
        urls = _announced(child, set(cast))
    return Stage(urls, write_connections(urls))


def connections_file() -> Path:
    return home() / "connections.yaml"


def secrets_file() -> Path:
    return home() / "secrets.env"


def refuse_foreign_home() -> None:
    """Raises ConfigError when the home belongs to somebody: the demo never overwrites a merchant's files."""
    if os.environ.get("KERUEN_CONNECTIONS"):
        raise ConfigError("the demo writes its own connections.yaml: unset KERUEN_CONNECTIONS first.")
    for path in (connections_file(), secrets_file()):
        if path.exists() and not _of_demo(path):
            raise ConfigError(f"{path} was not written by the demo; name an empty folder in KERUEN_HOME to try it.")


def refuse_demo_home() -> None:
    """Raises ConfigError when the home is the demo's: without the demo nobody opens the sandboxes it points at."""
    path = connections_file()
    if path.exists() and _of_demo(path):
        raise ConfigError(
            f"{path} is the demo's: run `keruen up --demo` again, or name an empty folder in KERUEN_HOME for your shop."
        )


def _of_demo(path: Path) -> bool:
    return text_of(path, str(path)).startswith(MARK)


def clean_slate() -> None:
    """A demo begins anew: the invented shop lives up to this moment, so yesterday's does not fit today's sandboxes.

    Raises ConfigError when the home is not the demo's. A home without a demo's connections.yaml is left as it is.
    """
    refuse_foreign_home()
    if connections_file().exists():
        stop_store()
        for name in LEFT_BEHIND:
            shutil.rmtree(home() / name, ignore_errors=True)


def _announced(child: "subprocess.Popen[str]", expected: set[str]) -> dict[str, str]:
    urls: dict[str, str] = {}
    assert child.stdout is not None
    while expected - set(urls):
        line = child.stdout.readline()
        if not line:
            raise ConfigError("the sandboxes did not start; run `keruen sandbox up` to see why.")
        said = json.loads(line)
        urls[said["name"]] = said["base_url"]
    return urls


def write_connections(urls: dict[str, str]) -> str | None:
    """connections.yaml for every connector on stage that declares DEMO, and secrets.env for commands beside it.

    The one that keeps goods and prices, if any.
    """
    players = [one for one in simulators(list(urls)) if one.demo]
    erp = next((one.name for one in players if _takes_copies(one)), None)
    document = {one.name: _entry(one, urls, erp) for one in players}
    hub = {"authority": dict.fromkeys(("product", "price", "on_hand"), erp)} if erp else {}
    text = yaml.safe_dump({"hub": hub, **document}, sort_keys=False, allow_unicode=True)
    connections_file().write_text(f"{MARK}\n{text}", "utf-8")
    lines = [f"{variable}={value}" for one in players for variable, value in _secrets(one).values()]
    secrets_file().touch(mode=0o600)
    secrets_file().write_text("\n".join((MARK, *lines, "")), "utf-8")
    write_segment(players, MARK)
    return erp


def _takes_copies(player: Simulator) -> bool:
    """A CRM could too: the demo of each says who does."""
    pushed = player.demo.connection.get("push", {}) if player.demo else {}
    return "order.push" in player.spec.capabilities and pushed.get("order") == "auto"


def _secrets(player: Simulator) -> dict[str, tuple[str, str]]:
    """Setting → name of its variable, and value."""
    return {name: (f"KERUEN_DEMO_{player.name}_{name}".upper(), value) for name, value in player.secrets.items()}


def _entry(player: Simulator, urls: dict[str, str], erp: str | None) -> dict[str, Any]:
    """One connection. Orders of channels are copied to whoever takes copies."""
    demo = player.demo
    assert demo is not None
    entry = {
        "connector": player.name,
        "settings": {**player.settings(urls[player.name], limits="off"), **demo.among},
        "secrets": {name: variable for name, (variable, _) in _secrets(player).items()},
        **demo.connection,
    }
    return {**entry, "orders_to": erp} if "order.status" in player.spec.capabilities and erp else entry


def first_sync(engine: Engine) -> Report:
    with progress("first sync") as tell:
        return sync(engine, load(), clock=clock.now, progress=tell)


def broken_laws(engine: Engine, hub: Hub) -> list[str]:
    """What the conservation law says of each capability, where it does not hold."""
    return [
        f"{connection.name} {capability}: {violation}"
        for connection in hub.connections.values()
        for capability in connection.capabilities
        for violation in conservation(engine, connection.name, capability).violations
    ]


def verdict(engine: Engine, report: Report) -> int:
    """Exit code of `--once`: 0 only when everything was read and written and the conservation law holds."""
    hub = load()
    problems = [*report.errors, *broken_laws(engine, hub)]
    for problem in problems:
        err.print(problem, style="red", markup=False)
    if not problems:
        rows = sum(row["subjects"] for row in status(engine, hub))
        where = f"{rows} on the channels, see `{_keruen()} status`"
        out.print(f"Every row is accounted for: {where}. `make demo` opens the UI.")
    return 1 if problems else 0


def page(port: int, feeds: str, stage: Stage) -> str:
    """What the terminal shows when everything runs: where to click, what to try."""
    vendors = "\n".join(f"  {name:<12} {url}" for name, url in stage.urls.items())
    return f"""
[bold]Keruen is up.[/]  Dagster: [link]http://127.0.0.1:{port}[/link]   feeds: {feeds}/<connection>.xml
Sandboxes (simulators, limits off; somebody buys every {SECONDS_BETWEEN_SALES} s):
{vendors}

[bold]Where to click[/]
  Assets → Global asset lineage: raw_1 → canonical_2 → position_3 → desired_4 → plan_5 → delivery_6 → drift_7
  Automation: the hot lane, the file sensor and the schedules are on
  Assets → held_plan: plans that wait for you, with the config for the job `approve`

[bold]What to try[/] (in a second terminal, same folder)
{_to_try(stage)}
  Ctrl-C stops everything.
"""


def _keruen() -> str:
    """The command as a second terminal needs it, which was not told of a home other than the default one."""
    named = "" if home() == DEFAULT.resolve() else f"KERUEN_HOME={shlex.quote(str(home()))} "
    return f"{named}.venv/bin/keruen"


def _to_try(stage: Stage) -> str:
    keruen, inbox = _keruen(), home() / "inbox"
    lines = [f"{keruen} status", f"{keruen} explain sku KR00001A"]
    if stage.erp:
        lines += [
            f"{keruen} sandbox price {stage.erp} KR00001A 10 && {keruen} sync {stage.erp} && {keruen} plan --held",
            "    a price is mistyped: what it would show waits for you, the rest goes on",
        ]
    if dropped := sorted(inbox.glob("*.csv")):
        lines += [
            f"cp {dropped[0]} {inbox}/again.csv; head -c 3000 {dropped[0]} > {inbox}/half.csv",
            f"{keruen} sync files",
            "    the same file again is read once; one cut in the middle is refused whole, and says where it broke",
        ]
    lines += [
        *segments_to_try(keruen),
        f"{keruen} sandbox fault {max(stage.urls)} 500 --for 60",
        "    a channel fails, the others keep their pace",
    ]
    return "\n".join(f"  {line}" for line in lines)
