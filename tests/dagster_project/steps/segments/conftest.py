"""A town of invented people who buy, bring back, fill carts and are merged; and the segments they belong to."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import Engine

from dagster_project.connections import Hub, HubEntry
from dagster_project.steps.people.segments import segments_due
from dagster_project.store import quarantine
from dagster_project.store.dirty import mark
from dagster_project.store.goods import put_products
from dagster_project.store.incoming import Incoming
from mappings.identity import names
from tests.dagster_project.steps.asking import Asking

DAY = timedelta(days=1)
TITLE = {"ru": "Люди", "kk": "Адамдар", "en": "People"}


@dataclass
class Town(Asking):
    """Time stands still until `passes`. Whoever something happens to is marked dirty, as identity does it."""

    store: Engine
    hub: Hub
    now: datetime
    numbers: dict[str, int] = field(default_factory=dict)

    # ── what happens ──────────────────────────────────────────────────────────────────────────────────────────────────

    def passes(self, **span: float) -> None:
        self.now += timedelta(**span)

    def lives(self, *persons: str, **golden: Any) -> None:
        for person in persons:
            self.say(
                "insert into identity.person (person_id, created_at, records) values (:p, :now, 1) "
                "on conflict (person_id) do update set status = 'active', merged_into = null",
                p=person, now=self.now,
            )  # fmt: skip
            folded = {"town": names.town(golden["city"] or "")} if "city" in golden else {}
            named = {"person_id": person, **golden, **folded}
            columns, given = ", ".join(named), ", ".join(f":{name}" for name in named)
            self.say(
                f"insert into identity.golden ({columns}) values ({given}) on conflict (person_id) do update set "
                + ", ".join(f"{name} = excluded.{name}" for name in named),
                **named,
            )
        self.dirty(*persons)

    def buys(
        self, person: str, sku: str = "SOFA", total: float = 1000, *, ago: timedelta = timedelta(0),
        channel: str = "store", kind: str = "sale", returns: str | None = None, status: str = "completed",
        quantity: int = 1, known: bool = True, currency: str = "KZT",
    ) -> str:  # fmt: skip
        """An order; gives its name. `known`: a return at a till may name nobody."""
        number = f"{person}-{self._next(person)}"
        self.say(
            'insert into canonical."order" (connection, external_id, number, kind, channel, placed_at, status, '
            "person_id, total, currency, returns, source) values ('till', :n, :n, :kind, :channel, :at, :status, :p, "
            ":total, :currency, :returns, '{}')",
            n=number, kind=kind, channel=channel, at=self.now - ago, status=status, p=person if known else None,
            total=total, currency=currency, returns=returns,
        )  # fmt: skip
        self.say(
            "insert into canonical.order_line (connection, external_id, line, sku, quantity, total) "
            "values ('till', :n, '1', :sku, :quantity, :total)",
            n=number, sku=sku, quantity=quantity, total=total,
        )  # fmt: skip
        self.dirty(person)
        return f"till:{number}"

    def brings_back(self, person: str, bought: str | None, sku: str = "SOFA", total: float = 1000, **said: Any) -> str:
        return self.buys(person, sku, total, kind="return", returns=bought, **said)

    def fills_a_cart(self, person: str, *skus: str, channel: str = "site", state: str = "open") -> None:
        number = f"{person}-{self._next(person)}"
        self.say(
            "insert into canonical.cart (connection, external_id, person_id, channel, updated_at, state, source) "
            "values ('site', :n, :p, :channel, :now, :state, '{}')",
            n=number, p=person, now=self.now, channel=channel, state=state,
        )  # fmt: skip
        for line, sku in enumerate(skus, 1):
            self.say(
                "insert into canonical.cart_line (connection, external_id, line, sku, quantity) "
                "values ('site', :n, :line, :sku, 1)",
                n=number, line=str(line), sku=sku,
            )  # fmt: skip
        self.dirty(person)

    def sells(self, sku: str, category: str | None = None, **said: Any) -> None:
        """A product as the ERP describes it now; whoever stores it says what it was described as before."""
        product = {"sku": sku, "external_id": sku, "name": sku, "status": "active", "category": category, **said}
        with self.store.begin() as db:
            for module in (Incoming("product"), quarantine):
                module.prepare(db)
            Incoming("product").add(db, [{"seq": 1, "source": {}, "skus": [sku], **product}])
            values = {"connection": "erp", "resource": "products", "stronger": [], "because": "erp.products"}
            put_products(db, {**values, "now": self.now})

    def merges(self, retired: str, survivor: str) -> None:
        self.say(
            "update identity.person set status = 'merged', merged_into = :s where person_id = :r", r=retired, s=survivor
        )
        self.say('update canonical."order" set person_id = :s where person_id = :r', r=retired, s=survivor)
        self.dirty(retired, survivor)

    def undoes_the_merge(self, retired: str, survivor: str) -> None:
        """Orders keep the name of the person who made them in their numbers."""
        self.say("update identity.person set status = 'active', merged_into = null where person_id = :r", r=retired)
        self.say(
            "update canonical.\"order\" set person_id = :r where person_id = :s and external_id like :r || '-%'",
            r=retired, s=survivor,
        )  # fmt: skip
        self.dirty(retired, survivor)

    # ── segments ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def writes(self, name: str, where: Any, **more: Any) -> None:
        """A file of a segment."""
        said = {"segment": name, "title": TITLE, "where": where, **more}
        (self.folder / f"{name}.yaml").write_text(yaml.safe_dump(said, allow_unicode=True), "utf-8")

    def tears_up(self, name: str) -> None:
        (self.folder / f"{name}.yaml").unlink()

    def goes_live(self) -> None:
        """A person activates every segment."""
        self.say("update segment.definition set live_since = now()")

    @property
    def folder(self) -> Path:
        folder = self.hub.folder / "segments"
        folder.mkdir(exist_ok=True)
        return folder

    def looks(self, *, full: bool = False) -> int:
        return segments_due(self.store, self.hub, now=self.now, full=full)

    def members(self, name: str) -> set[str]:
        return {row.person_id for row in self.all("select * from segment.membership where segment = :n", n=name)}

    def story(self, name: str, person: str) -> list[tuple[str, str]]:
        """(change, cause) of a person in a segment."""
        query = "select change, cause from segment.change where segment = :n and person_id = :p order by seq"
        return [tuple(row) for row in self.all(query, n=name, p=person)]

    def value(self, person: str) -> Any:
        (row,) = self.all("select * from segment.person_value where person_id = :p", p=person)
        return row

    def told(self) -> set[str]:
        """Memberships that channels will be told of."""
        return {row.subject for row in self.all("select subject from hub.dirty where entity = 'member'")}

    # ── SQL ───────────────────────────────────────────────────────────────────────────────────────────────────────────

    def dirty(self, *persons: str) -> None:
        with self.store.begin() as db:
            mark(db, "person", persons)

    def _next(self, person: str) -> int:
        self.numbers[person] = self.numbers.get(person, 0) + 1
        return self.numbers[person]


@pytest.fixture
def town(store: Engine, tmp_path: Path, now: datetime) -> Town:
    """Nobody lives there yet."""
    return Town(store, Hub({}, HubEntry(), tmp_path), now)
