"""What is written about the project is true: settings, capabilities, errors, commands, links and examples."""

import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from pydantic import SecretStr
from typer.testing import CliRunner

from connectors.sdk import CAPABILITIES, errors
from connectors.sdk.registry import discover
from connectors.sdk.scaffold import new
from connectors.sdk.spec import ConnectorSpec
from connectors.sdk.testing.shop import a_shop
from dagster_project import demo
from dagster_project.cli import app
from dagster_project.commands.settings import as_markdown, settings_of
from dagster_project.connections import Connection, parse

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    path
    for folder in (".", "connectors", "mappings", "dagster_project", "docs")
    for path in (ROOT / folder).glob("*.md" if folder == "." else "**/*.md")
)
GUIDE = ROOT / "connectors/README.md"
SPECS = discover().specs
BUNDLED = sorted(path.parent.name for path in (ROOT / "connectors").glob("*/__init__.py") if path.parent.name != "sdk")
LINK = re.compile(r"\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def section(number: int) -> str:
    """A numbered chapter of the guide for authors of connectors."""
    return GUIDE.read_text("utf-8").partition(f"\n## {number}. ")[2].partition("\n## ")[0]


def blocks(language: str) -> list[tuple[str, str]]:
    """(page, code) of every fenced block of a language."""
    found = [(named(page), *block) for page in PAGES for block in BLOCK.findall(page.read_text("utf-8"))]
    return [(page, code) for page, kind, code in found if kind == language]


def commands(group: Any, *path: str) -> Iterator[tuple[str, Any]]:
    """(words after `keruen`, command) of every command."""
    for name, command in group.commands.items():
        if is_group(command):
            yield from commands(command, *path, name)
        else:
            yield " ".join((*path, name)), command


def is_group(command: Any) -> bool:
    return hasattr(command, "commands")


KERUEN = typer.main.get_command(app)
COMMANDS = dict(commands(KERUEN))


def refused(line: str) -> str | None:
    """Why the command line would be refused before anything is done; None where it would not."""
    words = shlex.split(line, comments=True)
    command, rest = KERUEN, words[1:]
    while is_group(command) and rest and rest[0] in command.commands:
        command, rest = command.commands[rest[0]], rest[1:]
    if is_group(command):
        return None if rest == ["--help"] else "there is no such command"
    try:
        command.make_parser(command.context_class(command)).parse_args(list(rest))
    except Exception as error:
        return str(error)
    return None


# Connectors


@pytest.mark.parametrize("name", BUNDLED)
def test_a_connector_lists_its_settings_as_they_are(name: str):
    spec = SPECS[name]
    without = [setting for setting, about in spec.config.model_fields.items() if not about.description]
    assert without == [], f"{name}: settings without a description"
    table = as_markdown(settings_of(spec))
    said = (ROOT / "connectors" / name / "README.md").read_text("utf-8")
    assert table in said, f"put the output of `keruen connectors settings {name}` in its README:\n{table}"


@pytest.mark.parametrize("name", BUNDLED)
def test_the_front_page_leads_to_every_connector(name: str):
    assert f"(connectors/{name}/README.md)" in (ROOT / "README.md").read_text("utf-8")


def test_the_guide_shows_the_connector_that_the_scaffold_makes(tmp_path: Path):
    made = (new("acme", tmp_path / "acme") / "keruen_acme/__init__.py").read_text("utf-8")
    shown = "\n".join(code for kind, code in BLOCK.findall(section(2)) if kind == "python")
    assert [line for line in shown.splitlines() if line] == [line for line in made.splitlines() if line]


def test_every_capability_is_documented():
    table = re.findall(r"^\| `([a-z]+\.[a-z]+)` \|", section(3), re.MULTILINE)
    assert sorted(table) == sorted(CAPABILITIES)


def test_every_error_is_documented_where_it_is_defined_and_in_the_guide():
    tree = [name for name, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, errors.HubError)]
    assert sorted(re.findall(r"\w+Error\b|HubBug", errors.__doc__ or "")) == sorted(tree)
    assert sorted(re.findall(r"^\| `(\w+)` \| ", section(4), re.MULTILINE)) == sorted(tree)


# Commands


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_what_it_does_and_shows_an_example_that_it_accepts(name: str):
    shown = CliRunner().invoke(app, [*name.split(), "--help"])
    assert shown.exit_code == 0
    example = re.search(rf"Example: (keruen {name}\b.*)", inspect.cleandoc(COMMANDS[name].help or ""))
    assert example, f"keruen {name} --help shows no example of itself"
    assert "Example: keruen" in shown.stdout
    assert refused(example[1]) is None
    undescribed = [one.name for one in COMMANDS[name].params if not getattr(one, "help", None)]
    assert undescribed == [], f"keruen {name}: options and arguments without a word"


def test_the_commands_that_pages_show_exist():
    in_blocks = [
        (page, line.strip())
        for page, code in blocks("sh")
        for line in code.splitlines()
        if re.match(r"\s*(\S*/)?keruen ", line)
    ]
    inline = [
        (named(page), line) for page in PAGES for line in re.findall(r"`(keruen [^`]+)`", page.read_text("utf-8"))
    ]
    assert len(in_blocks) >= 8
    assert len(inline) >= 8
    wrong = [
        f"{page}: {line}: {why}" for page, line in [*in_blocks, *inline] if (why := refused(line.replace("…", "")))
    ]
    assert wrong == []


def test_goods_that_pages_name_are_in_the_invented_shop():
    """`keruen explain sku …` can be tried as it stands, in the demo."""
    sold = {variant.sku for variant in a_shop(1, people=0, orders=0).variants}
    texts = {named(page): page.read_text("utf-8") for page in PAGES} | {
        "demo": demo.page(3000, "", demo.Stage({"a": ""}))
    }
    named_goods = [(page, sku) for page, text in texts.items() for sku in re.findall(r"\bKR-?\d[\w-]*", text)]
    assert named_goods
    assert [(page, sku) for page, sku in named_goods if sku not in sold] == []


# Links and examples


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path):
    targets = [link.partition("#")[0] for link in LINK.findall(page.read_text("utf-8")) if "://" not in link]
    missing = [target for target in targets if target and not (page.parent / target).exists()]
    assert missing == []


def examples() -> list[tuple[str, str]]:
    """Texts that are a connections.yaml, or a piece of one."""
    files = [(named(path), path.read_text("utf-8")) for path in sorted(ROOT.glob("connectors/**/*.example.yaml"))]
    return [*files, *((page, code) for page, code in blocks("yaml") if "connector:" in code)]


@pytest.mark.parametrize(("page", "text"), [pytest.param(*one, id=one[0]) for one in examples()])
def test_examples_of_connections_can_be_copied_as_they_stand(page: str, text: str):
    """Names of other connections that a piece leaves out are added; settings are checked by the connector itself."""
    document = yaml.safe_load(text)
    for other in re.findall(r"orders_to: (\w+)", text):
        document.setdefault(other, {"connector": "moysklad"})
    hub = parse(yaml.safe_dump(document), SPECS)
    assert hub.connections
    for connection in hub.connections.values():
        assert connection.problem is None
        if connection.entry.settings or connection.entry.secrets:
            connection.configured({name: SecretStr("not-a-real-token") for name in connection.entry.secrets})
        names_what_exists(connection, connection.spec)


def names_what_exists(connection: Connection, spec: ConnectorSpec | None) -> None:
    assert spec is not None
    known = {resource.name for resource in spec.resources} | ({spec.files.name} if spec.files else set())
    assert set(connection.entry.every) <= known
    pushed = {
        one for one in ("stock", "price", "order", "segment", "customer") if connection.mode(f"{one}.push") != "off"
    }
    assert pushed <= {capability.partition(".")[0] for capability in spec.capabilities}
