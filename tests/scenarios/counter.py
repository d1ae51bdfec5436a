"""A shop that knows its people from files, and the `keruen` command beside it."""

import json
from pathlib import Path
from typing import Any

import yaml
from click.testing import Result
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from dagster_project.home import home


class Counter:
    """Folders of files, by connection; cards come from `crm`."""

    def __init__(self, store: Engine):
        self.store, self.entries, self.drops = store, {}, 0

    def gets(self, name: str, layout: str, rows: list[dict[str, Any]]) -> Path:
        folder = home() / name
        folder.mkdir(exist_ok=True)
        self.drops += 1
        path = folder / f"{self.drops}.csv"
        lines = [",".join(map(str, row.values())) for row in rows]
        path.write_text("\n".join([",".join(rows[0]), *lines, ""]), "utf-8")
        settings = {"path": f"{name}/*.csv", "layout": layout, "timezone": "Asia/Almaty"}
        settings |= {"currency": "KZT"} if layout == "receipts" else {}
        if name != "crm":
            settings["customers_of"] = "crm"
        self.entries[name] = {"connector": "files", "settings": {**settings, "columns": {one: one for one in rows[0]}}}
        self.connects()
        return path

    def connects(self) -> None:
        (home() / "connections.yaml").write_text(yaml.safe_dump(self.entries), "utf-8")

    def keruen(self, *words: str) -> Any:
        done = self.tries(*words)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout) if "--json" in words else done.stdout

    def tries(self, *words: str) -> Result:
        from dagster_project.cli import app

        return CliRunner().invoke(app, list(words))

    def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        with self.store.connect() as db:
            return [tuple(row) for row in db.execute(text(query), values)]

    def person(self, card: str) -> str:
        [(person,)] = self.rows(
            "select person_id from canonical.identity where external_id = :card and connection = 'crm'", card=card
        )
        return person

    def everything(self) -> str:
        """Every row of every table and every file of the home, as text."""
        tables = self.rows("select quote_ident(schemaname) || '.' || quote_ident(tablename) from pg_tables "
                           "where schemaname !~ '^(pg_|information_schema)'")  # fmt: skip
        told = [str(self.rows(f"select t::text from {name} t")) for (name,) in tables]
        files = [path for path in home().rglob("*") if path.is_file() and "postgres" not in path.parts]
        return "\n".join(told + [path.read_bytes().decode("utf-8", "ignore") for path in files])
