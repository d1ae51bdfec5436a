"""`keruen connectors`: what is installed, what is wrong with it, and making one's own."""

from pathlib import Path
from typing import Annotated, Any

import typer

from connectors.sdk.errors import ConfigError, HubError
from connectors.sdk.registry import discover, installed_since
from connectors.sdk.spec import ConnectorSpec
from dagster_project.commands.output import err, out, print_json, print_rows, says_who_must_act
from dagster_project.commands.settings import as_markdown, settings_of
from dagster_project.connections import Connection, load
from dagster_project.home import home, up_since
from dagster_project.simulators import sandbox_module
from dagster_project.steps.trial import placeholder_config, trial, trial_files

app = typer.Typer(no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
_GIVEN_HERE = "Here settings are given as --set NAME=VALUE."


def _spec(name: str) -> ConnectorSpec:
    found = discover()
    if name in found.specs:
        return found.specs[name]
    why = next((problem.why for problem in found.problems if problem.name == name), None)
    raise ConfigError(
        f"connector {name} {why}" if why else f"no connector {name!r} is installed: {', '.join(found.specs)} are"
    )


@app.command("list")
@says_who_must_act
def list_(as_json: Json = False) -> None:
    """Installed connectors: what they read, what they write, who ships them.

    Example: keruen connectors list
    """
    found = discover()
    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "title": spec.title,
            "reads": [resource.name for resource in spec.resources] + ([spec.files.name] if spec.files else []),
            "writes": list(spec.capabilities),
            "sandbox": sandbox_module(spec) is not None,
            "from": found.origins.get(name, ""),
            "problem": None,
        }
        for name, spec in found.specs.items()
    ]
    rows += [
        {
            "name": one.name,
            "title": None,
            "reads": [],
            "writes": [],
            "sandbox": False,
            "from": one.distribution,
            "problem": one.why,
        }
        for one in found.problems
    ]
    print_rows(rows, as_json=as_json)


@app.command()
@says_who_must_act
def check(as_json: Json = False) -> None:
    """Every plugin loads, every connection has its settings and secrets, and every account answers one cheap read.

    Example: keruen connectors check
    """
    rows = [{"name": f"plugin {one.name}", "ok": False, "says": one.why} for one in discover().problems]
    rows += [_checked(connection) for connection in load().connections.values()]
    print_rows(rows, as_json=as_json, empty="every plugin loads; no connection is configured")
    if (since := up_since(home())) and (fresh := installed_since(since)):
        err.print(f"`keruen up` began before {', '.join(fresh)} was installed: press Reload beside keruen in its UI.")
    if not all(row["ok"] for row in rows):
        raise typer.Exit(1)


def _checked(connection: Connection) -> dict[str, Any]:
    says = "configured"
    try:
        config = connection.config
        if connection.spec and connection.spec.check:
            remark = connection.spec.check(config)
            says = remark if isinstance(remark, str) else "answers"  # most give what they have read
    except HubError as error:
        return {"name": connection.name, "ok": False, "says": str(error)}
    return {"name": connection.name, "ok": True, "says": says}


@app.command()
@says_who_must_act
def settings(name: Annotated[str, typer.Argument(help="An installed connector.")], as_json: Json = False) -> None:
    """What a connection of it may set, as the Markdown table of the connector's README.

    Example: keruen connectors settings acme
    """
    rows = settings_of(_spec(name))
    if as_json:
        print_json(rows)
    else:
        typer.echo(as_markdown(rows))


@app.command()
@says_who_must_act
def new(
    name: Annotated[str, typer.Argument(help="Name of the system, e.g. acme.")],
    folder: Annotated[Path | None, typer.Option(help="Where to; none: ./keruen-NAME.")] = None,
) -> None:
    """A new connector as its own distribution; it passes the conformance kit untouched.

    Example: keruen connectors new acme
    """
    from connectors.sdk.scaffold import new as scaffold

    made = scaffold(name, folder or Path(f"keruen-{name}"))
    out.print(
        f'Made {made}. Next: pip install -e "{made}[dev]", then pytest {made}; connectors/README.md tells the rest.',
        markup=False,
    )


@app.command()
@says_who_must_act
def certify(name: Annotated[str, typer.Argument(help="An installed connector.")], as_json: Json = False) -> None:
    """The conformance kit and the sandbox's faults, with the vendor's limits on.

    Example: keruen connectors certify acme
    """
    from connectors.sdk.testing.conformance import certify as run_kit

    spec = _spec(name)
    rows = [{"rule": one.rule, "passed": one.passed, "why": one.why} for one in run_kit(spec, sandbox_module(spec))]
    print_rows(rows, as_json=as_json)
    if not all(row["passed"] for row in rows):
        raise typer.Exit(1)


@app.command("map")
@says_who_must_act
def map_(
    name: Annotated[str, typer.Argument(help="An installed connector.")],
    file: Annotated[
        Path, typer.Argument(help="A saved reply of the vendor (for files: a file), or a folder of them.", exists=True)
    ],
    resource: Annotated[str | None, typer.Option(help="Which resource it is of; none: its shape decides.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="A setting, NAME=VALUE; may be repeated.")] = None,
    as_json: Json = False,
) -> None:
    """Map a saved vendor reply: canonical rows, what is set aside and why, and fields nobody looks at.

    It needs no credentials. Of a folder, files of no known shape are skipped with a word on standard error. Where files
    cannot be read, the others are shown, each refusal goes to standard error, and the exit code is 1.

    Example: keruen connectors map acme reply.json --json
    """
    spec = _spec(name)
    given = dict(one.partition("=")[::2] for one in settings or ())
    if spec.files and not spec.resources:
        paths = sorted(path for path in file.iterdir() if path.is_file()) if file.is_dir() else [file]
        try:
            config = placeholder_config(spec, given)
        except ConfigError as error:
            raise ConfigError(f"{error} {_GIVEN_HERE}") from None
        made = trial_files(spec, config, paths)
    else:
        paths = sorted(file.glob("*.json")) if file.is_dir() else [file]
        if not paths:
            raise ConfigError(f"{file} holds no *.json; save a reply of the vendor there")
        made = trial(spec, placeholder_config(spec, given), paths, resource)
    for why in made.skipped:
        err.print(f"skipped: {why}", markup=False)
    for why in made.refused:
        err.print(why, style="red", markup=False)
    if as_json:
        print_json(made.as_json())
    elif made.mapped or made.quarantined or not made.refused:
        print_rows(made.mapped, as_json=False, empty="nothing was mapped")
        print_rows(made.quarantined, as_json=False, empty="nothing was set aside")
        out.print(f"fields nobody looks at: {', '.join(sorted(made.unmapped)) or 'none'}")
    if made.refused:
        err.print(_GIVEN_HERE)
        raise typer.Exit(1)
