"""Who may import whom (dagster_project/README.md, "Who imports whom"), read off the syntax trees."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
OURS = ("mappings", "connectors", "dagster_project")
CONNECTORS = sorted(
    path.parent.name for path in (ROOT / "connectors").glob("*/__init__.py") if path.parent.name != "sdk"
)
VENDORS = re.compile(r"\b(kaspi|satu|moysklad|bitrix24|unisender|telegram_bot|meta_audiences)\b", re.IGNORECASE)


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything a file imports."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")


def offending(paths: list[Path], forbidden: tuple[str, ...], allowed: tuple[str, ...] = ()) -> list[str]:
    def hits(name: str, prefixes: tuple[str, ...]) -> bool:
        return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)

    return [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in paths
        for line, name in imports(path)
        if hits(name, forbidden) and not hits(name, allowed)
    ]


def test_the_canonical_model_knows_nothing_but_itself():
    forbidden = ("connectors", "dagster_project", "dagster", "dlt", "requests", "sqlalchemy", "pandas", "mappings")
    assert offending(sources("mappings/canonical"), forbidden, allowed=("mappings.canonical",)) == []


def test_deciding_is_pure_it_opens_no_socket_file_or_clock():
    forbidden = (
        "connectors", "dagster_project", "dagster", "dlt", "requests", "sqlalchemy", "psycopg", "socket", "pathlib",
        "os", "time", "random", "subprocess", "tempfile",
    )  # fmt: skip
    assert offending(sources("mappings"), forbidden) == []


def test_deciding_reads_no_clock():
    clocks = re.compile(r"\bdatetime\.(now|utcnow|today)\(|\bdate\.today\(")
    found = [str(path) for path in sources("mappings") if clocks.search(path.read_text("utf-8"))]
    assert found == []


def test_the_sdk_knows_no_scheduler_no_store_and_no_vendor():
    forbidden = ("dagster", "dagster_project", "sqlalchemy", "connectors", "mappings")
    allowed = ("connectors.sdk", "mappings.canonical", "mappings.tables")
    assert offending(sources("connectors/sdk"), forbidden, allowed) == []


def test_servers_belong_to_sandboxes():
    paths = [path for path in sources("connectors/sdk") if "testing" not in path.parts and "scaffold" not in path.parts]
    assert offending(paths, ("starlette", "uvicorn")) == []


@pytest.mark.parametrize("connector", CONNECTORS)
def test_a_connector_knows_only_the_sdk_and_the_model(connector):
    forbidden = ("connectors", "dagster_project", "dagster", "sqlalchemy", "mappings")
    allowed = ("connectors.sdk", f"connectors.{connector}", "mappings.canonical", "mappings.tables")
    assert offending(sources(f"connectors/{connector}"), forbidden, allowed) == []


def test_the_hub_knows_no_connector():
    assert offending(sources("dagster_project"), ("connectors",), allowed=("connectors.sdk",)) == []


@pytest.mark.parametrize("folder", ["dagster_project", "mappings"])
def test_no_vendor_is_named_in_the_core(folder):
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sources(folder)
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if VENDORS.search(line)
    ]
    assert found == []
