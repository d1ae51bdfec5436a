"""connections.yaml: which accounts come alive and what each channel is shown. Secrets are names, never values."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from connectors.sdk.config import ConnectionConfig
from connectors.sdk.errors import ConfigError
from connectors.sdk.spec import ConnectorSpec
from dagster_project.yaml_text import content, text_of
from mappings.complaints import complaint, dotted

NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _span(value: Any) -> Any:
    match = re.fullmatch(r"(\d+)\s*([smhd])", value.strip()) if isinstance(value, str) else None
    return timedelta(**{UNITS[match[2]]: int(match[1])}) if match else value


Span = Annotated[timedelta, BeforeValidator(_span)]
Mode = Literal["auto", "approve", "off"]
Kept = Literal["raw", "marketing", "service", "carts", "buyers", "quarantine", "access", "erasures"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Guards(_Part):
    """When a change waits for a person. Unset fields of a connection fall back to the hub's."""

    step: Decimal | None = Field(
        None, description="Hold a price or count that becomes at least this many times more, or less."
    )
    share: float | None = Field(
        None, description="Hold the plan when more than this share of a channel's listings changes at once."
    )
    shrink: float | None = Field(
        None, description="Hold a snapshot or a file that loses more than this share of its rows."
    )
    fresh: Span | None = Field(
        None, description="Inputs older than this raise no stock and publish no snapshot, e.g. 2h."
    )
    zero: bool | None = Field(
        None, description="Hold a price of zero (always) and a stock that falls to zero for more than `share`."
    )

    def over(self, base: "Guards") -> "Guards":
        """These guards where set, else `base`."""
        mine = {name: value for name, value in self if value is not None}
        return Guards(**{**dict(base), **mine})


DEFAULT_GUARDS = Guards(step=Decimal(10), share=0.3, shrink=0.1, fresh=timedelta(hours=2), zero=True)


class Offers(_Part):
    """What belongs on the channel; the rest is excluded by the rule's name."""

    status: str | None = Field("active", description="Product status that belongs here.")
    has: tuple[Literal["price", "stock"], ...] = Field((), description="Facts a product must have to be offered.")
    category: tuple[str, ...] = Field((), description="Category paths (prefixes) that belong here; empty: all.")
    exclude: tuple[str, ...] = Field((), description="SKUs that never belong here.")


class StockRules(_Part):
    """How available-to-sell of the channel is made."""

    allocation: Literal["shared", "quota", "priority"] = Field(
        "shared", description="How units are split between channels."
    )
    share: float = Field(1.0, ge=0, le=1, description="Quota: this channel's share of what is available.")
    priority: int = Field(100, description="Priority: lower numbers are served first.")
    safety: int = Field(0, ge=0, description="Units held back from this channel.")
    from_: tuple[str, ...] = Field(
        (), alias="from", description="Locations that sell here, in order; empty: all that sell."
    )


class PriceRules(_Part):
    """Base price → channel price."""

    from_: str = Field("retail", alias="from", description="Price type to start from.")
    markup: Decimal = Field(Decimal(0), description="Share added, e.g. 0.05.")
    round: Decimal = Field(Decimal(1), gt=0, description="Rounded to a multiple of this.")
    floor: str | None = Field(None, description="Price type never undercut, e.g. minimum.")
    ceiling: str | None = Field(None, description="Price type never exceeded.")


class Push(_Part):
    """What may be written. Absent = off. `first`: what happens to the first plan of a capability. `create`: people are
    made where a system does not know them yet."""

    stock: Mode = "off"
    price: Mode = "off"
    order: Mode = "off"
    segment: Mode = "off"
    customer: Mode = "off"
    first: Mode = "approve"
    create: bool = False


class ConnectionEntry(_Part):
    """One account of a vendor."""

    connector: str = Field(description="Name of an installed connector; `keruen connectors list`.")
    settings: dict[str, Any] = Field(default_factory=dict, description="The connector's own settings.")
    secrets: dict[str, str] = Field(
        default_factory=dict, description="Setting → NAME of the environment variable that holds it."
    )
    locations: dict[str, str] = Field(default_factory=dict, description="Vendor's location id or name → ours.")
    offers: Offers = Offers()
    stock: StockRules = StockRules()
    price: PriceRules = PriceRules()
    every: dict[str, str] = Field(default_factory=dict, description="Resource → cron line.")
    hot: dict[str, Span] = Field(
        default_factory=dict,
        description="Resource → how often the hot lane polls it, e.g. 30s; one not named here is polled every 5s.",
    )
    push: Push = Push()
    guards: Guards = Guards()
    fields: dict[str, dict[str, str]] = Field(
        default_factory=dict, description="Entity → canonical field → vendor path."
    )
    account: str | None = Field(
        None, description="Connections of one vendor account share its rate limit under this name."
    )
    country: str | None = Field(
        None, min_length=2, max_length=2, description="Where the vendor keeps what it is given: a code like KZ."
    )
    transfer: str | None = Field(
        None, description="Basis on which personal data may leave the country, e.g. `contract 12 of 2026-01-15`."
    )
    orders_to: str | None = Field(None, description="Connection that receives copies of this channel's orders.")
    single_card: bool = Field(
        False, description="A person has one card here at most, as in a well-kept CRM: two cards are two people."
    )


class Privacy(_Part):
    """Which law applies, and how long what is kept of people, where the owner knows better than the profile."""

    profile: Literal["kz", "ru", "eu"] = "kz"
    retention: dict[Kept, Span] = Field(
        default_factory=dict, description="Class of data → how long it is kept, e.g. `marketing: 365d`."
    )


class Loyalty(_Part):
    """One programme of points for all channels."""

    life: Span | None = Field(
        None, description="How long points last, e.g. `365d`. Only where no system lets them expire itself."
    )


class Reorder(_Part):
    """How goods are bought, for the mart `reorder`."""

    lead_days: int = Field(14, ge=0, le=365, description="Days from an order to the goods on the shelf.")
    review_days: int = Field(7, ge=0, le=365, description="Days between two looks at what to order.")
    service_level: float = Field(
        0.95, gt=0, lt=1, description="Chance with which stock shall last until the next delivery, a share of 1."
    )


class HubEntry(_Part):
    """What holds for all connections."""

    privacy: Privacy = Privacy()
    loyalty: Loyalty = Loyalty()
    reorder: Reorder = Reorder()
    authority: dict[str, Any] = Field(
        default_factory=dict, description="Field or entity → connection, list, or {default, location: connection}."
    )
    guards: Guards = Guards()
    currency: str = "KZT"
    timezone: str = "Asia/Almaty"


@dataclass(frozen=True)
class Connection:
    """A configured account, with its connector. `spec` is None, and `problem` says why, when the plugin failed."""

    name: str
    entry: ConnectionEntry
    spec: ConnectorSpec | None
    guards: Guards
    folder: Path
    problem: str | None = None
    hub: HubEntry = field(default_factory=HubEntry)

    @cached_property
    def config(self) -> ConnectionConfig:
        """The connector's settings with their secrets. Raises ConfigError naming what is missing: only on use, so that
        definitions load anywhere."""
        return self.configured(
            {name: SecretStr(secret_value(self.name, name, variable)) for name, variable in self.entry.secrets.items()}
        )

    def configured(self, secrets: Mapping[str, SecretStr]) -> ConnectionConfig:
        if self.spec is None:
            raise ConfigError(f"{self.name} cannot run: {self.problem}")
        try:
            config = self.spec.config.model_validate(
                {**self.entry.settings, **secrets}, context={"folder": self.folder}
            )
        except ValidationError as error:
            place, says = complaint(error, self.spec.config)
            where = f"setting `{dotted(place)}`" if place else "the settings"
            raise ConfigError(
                f"{self.name}: {where} of connector {self.spec.name}: {says.rstrip('.')}. Mend it in connections.yaml."
            ) from None
        return config.named(self.name, self.entry.account)

    def mode(self, capability: str) -> Mode:
        """auto, approve or off for `stock.push`, `order.status` …"""
        mode: Mode = getattr(self.entry.push, capability.partition(".")[0])
        return mode

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What the connector can write and the merchant has not switched off."""
        return tuple(c for c in (self.spec.capabilities if self.spec else ()) if self.mode(c) != "off")

    def silent_since(self, now: datetime) -> datetime | None:
        """Before this moment what was last read is too old to act on; None where nothing is."""
        return now - self.guards.fresh if self.guards.fresh else None

    def location(self, external: str | None) -> str | None:
        """Our name of the vendor's location."""
        return None if external is None else self.entry.locations.get(external, f"{self.name}:{external}")


@dataclass(frozen=True)
class Hub:
    """Everything connections.yaml says."""

    connections: Mapping[str, Connection]
    entry: HubEntry = field(default_factory=HubEntry)
    folder: Path = Path(".")
    problems: tuple[str, ...] = field(default=())

    def __getitem__(self, name: str) -> Connection:
        try:
            return self.connections[name]
        except KeyError:
            known = ", ".join(sorted(self.connections)) or "none"
            raise ConfigError(f"there is no connection {name!r} in connections.yaml (known: {known})") from None

    def authority(self, entity: str, place: str | None = None) -> tuple[str, ...]:
        """Connections that own `entity` (or a field), strongest first; empty where the merchant named none."""
        stated = self.entry.authority.get(entity)
        if isinstance(stated, Mapping):
            stated = stated.get(place, stated.get("default")) if place else stated.get("default")
        return (stated,) if isinstance(stated, str) else tuple(stated or ())

    def local(self, moment: datetime) -> datetime:
        """The same moment by the hub's clock, whose date is the hub's day."""
        return moment.astimezone(ZoneInfo(self.entry.timezone))


def secret_value(connection: str, setting: str, variable: str) -> str:
    """From the environment, else from `$KERUEN_HOME/secrets.env`. Raises ConfigError naming the variable."""
    path = _secrets_path()
    value = os.environ.get(variable) or _secrets_in(path).get(variable)
    if not value:
        raise ConfigError(
            f"{connection} needs the secret `{setting}`: set the environment variable {variable}, "
            f"or write the line {variable}=… into {path} (mode 600)."
        )
    return value


def _secrets_path() -> Path:
    from dagster_project.home import home

    return home() / "secrets.env"


def _secrets_in(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    if path.stat().st_mode & 0o077:
        raise ConfigError(f"{path} can be read by others; run: chmod 600 {path}")
    lines = enumerate(text_of(path, str(path)).splitlines(), 1)
    return dict(_secret_line(path, at, line) for at, line in lines if line.strip() and not line.strip().startswith("#"))


def _secret_line(path: Path, at: int, line: str) -> tuple[str, str]:
    """Name and value. The line is not shown: it may hold the secret."""
    name, equals, value = line.partition("=")
    if not equals:
        raise ConfigError(f"{path}:{at} has no `=`: write NAME=value, one a line")
    return name.strip(), value.strip()


def connections_path() -> Path:
    """`$KERUEN_CONNECTIONS`, else connections.yaml in the home."""
    from dagster_project.home import home

    return Path(os.environ.get("KERUEN_CONNECTIONS") or home() / "connections.yaml").absolute()


def load(path: Path | None = None) -> Hub:
    """The hub as configured, with installed connectors. A missing file is an empty hub. Raises ConfigError."""
    from connectors.sdk.registry import discover

    path = path or connections_path()
    found = discover()
    broken = {problem.name: problem.why for problem in found.problems}
    return parse(text_of(path, str(path)) if path.exists() else "", found.specs, broken, folder=path.parent)


def require_configured() -> Path:
    """Where connections.yaml is. Raises ConfigError that names the place and how to name another one."""
    path = connections_path()
    if not path.exists():
        raise ConfigError(
            f"nothing is configured: there is no {path}. If your hub lives in another folder, put "
            "KERUEN_HOME=FOLDER before the command; for a new one write connections.yaml there first."
        )
    return path


def configured() -> Hub:
    """The hub of a home that has a connections.yaml. Raises ConfigError."""
    return load(require_configured())


def parse(
    text: str, specs: Mapping[str, ConnectorSpec], broken: Mapping[str, str] | None = None, *, folder: Path = Path(".")
) -> Hub:
    """connections.yaml's text → Hub. Raises ConfigError that names the line's place and what is wrong."""
    data = content(text, "connections.yaml") or {}
    if not isinstance(data, dict):
        raise ConfigError("connections.yaml must be a mapping of connection names")
    hub = _validated(HubEntry, "hub", data.pop("hub", None) or {})
    guards = hub.guards.over(DEFAULT_GUARDS)
    connections = {
        name: _connection(name, entry, specs, broken or {}, guards, folder, hub) for name, entry in data.items()
    }
    _known_authorities(hub, connections)
    return Hub(connections, hub, folder)


def _connection(
    name: Any,
    entry: Any,
    specs: Mapping[str, ConnectorSpec],
    broken: Mapping[str, str],
    guards: Guards,
    folder: Path,
    hub: HubEntry,
) -> Connection:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ConfigError(
            f"connection name {name!r}: use small Latin letters, digits and _, starting with a letter, at most 41"
        )
    parsed = _validated(ConnectionEntry, name, entry)
    spec = specs.get(parsed.connector)
    problem = (
        None
        if spec
        else broken.get(parsed.connector)
        or f"no connector {parsed.connector!r} is installed; `keruen connectors list` shows what is"
    )
    return Connection(name, parsed, spec, parsed.guards.over(guards), folder, problem, hub)


PartT = TypeVar("PartT", bound=_Part)


def _validated(model: type[PartT], name: str, data: Any) -> PartT:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        place, says = complaint(error, model)
        raise ConfigError(f"connections.yaml, {dotted((name, *place))}: {says}") from None


def _known_authorities(hub: HubEntry, connections: Mapping[str, Connection]) -> None:
    def names(stated: Any) -> list[str]:
        if isinstance(stated, str):
            return [stated]
        return [name for part in (stated.values() if isinstance(stated, Mapping) else stated) for name in names(part)]

    for field_name, stated in hub.authority.items():
        for name in names(stated):
            if name not in connections:
                raise ConfigError(f"connections.yaml, hub.authority.{field_name}: there is no connection {name!r}")


def schema() -> dict[str, Any]:
    """JSON Schema of connections.yaml, for editors."""
    entry = ConnectionEntry.model_json_schema(ref_template="#/$defs/{model}")
    hub = HubEntry.model_json_schema(ref_template="#/$defs/{model}")
    definitions = {**entry.pop("$defs", {}), **hub.pop("$defs", {})}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Keruen connections", "type": "object",
            "properties": {"hub": hub}, "additionalProperties": entry, "$defs": definitions}  # fmt: skip
