"""How Bitrix24 writes requests and times: PHP's brackets, commands of a batch, dates (contract 1, 5, 6.5)."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from connectors.bitrix24.config import Bitrix24Config
from mappings.tables import convert

Params = Mapping[str, Any]


def brackets(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """`{"filter": {">ID": 5}}` → `filter[>ID]`, `5`. None and an empty list are an empty text: it clears."""
    if isinstance(value, Mapping | list | tuple) and value:
        for step, inner in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from brackets(inner, f"{name}[{step}]" if name else str(step))
    elif name:
        yield name, "" if value in (None, [], (), {}) else str(value)


def plain(value: Any) -> Any:
    """The same in a JSON body, where numbers stay numbers: None and what is empty are an empty text there, too."""
    if isinstance(value, Mapping) and value:
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple) and value:
        return [plain(inner) for inner in value]
    return "" if value in (None, [], (), {}) else value


def command(method: str, params: Params) -> str:
    """One command of a batch: everything is encoded once, references to earlier results stay as they are."""
    parts = (f"{quote(name, safe='[]')}={_encoded(value)}" for name, value in brackets(params))
    return f"{method}?{'&'.join(parts)}"


def _encoded(value: str) -> str:
    return value if value.startswith("$result[") else quote(value, safe="")


def moment(value: Any) -> datetime:
    """A time of the portal, which always says its offset."""
    return convert.aware(value)


def utc(at: datetime) -> str:
    """A cursor: fixed width, in one zone, so that it compares as text though the portal's offset changes."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")


def in_filters(config: Bitrix24Config, at: datetime) -> str:
    """A moment as filters of this portal understand it: in its zone, with the offset or with a blank."""
    local = at.astimezone(ZoneInfo(config.timezone))
    return local.strftime("%Y-%m-%d %H:%M:%S") if config.dates == "space" else local.isoformat(timespec="seconds")
