"""What every connection's settings share. A connector's class adds its own fields, each with a description."""

from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, PrivateAttr, SecretStr, ValidationInfo, field_validator


class ConnectionConfig(BaseModel):
    """Frozen, unknown settings refused, secrets as `SecretStr`. `connection` is the name in connections.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
    _connection: str = PrivateAttr(default="unnamed")
    _account: str | None = PrivateAttr(default=None)

    @property
    def connection(self) -> str:
        """The connection's name: keys and errors carry it."""
        return self._connection

    @property
    def rate_account(self) -> str:
        """Under what name the vendor's limit is kept: the connection's, unless several share one account there."""
        return self._account or self._connection

    def named(self, connection: str, account: str | None = None) -> "ConnectionConfig":
        """The same settings under a connection's name; `account` as in connections.yaml."""
        self._connection, self._account = connection, account
        return self


def secrets_of(config: object) -> tuple[SecretStr, ...]:
    """What must never be shown of a connection's settings."""
    settings = type(config).model_fields if isinstance(config, ConnectionConfig) else ()
    return tuple(value for name in settings if isinstance(value := getattr(config, name, None), SecretStr))


def known_zone(name: str) -> str:
    """The zone's name, if this machine knows it. Raises ValueError."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"{name!r} is not a known time zone; write it as in the tz database, e.g. Asia/Almaty"
        ) from error
    return name


def zone_validator(field: str):  # type: ignore[no-untyped-def]
    """A pydantic validator for a setting that names a time zone."""
    return field_validator(field)(lambda value: known_zone(value))


def _beside_connections(value: str, info: ValidationInfo) -> str:
    folder = (info.context or {}).get("folder")
    return value if folder is None or Path(value).is_absolute() else str(Path(folder) / value)


HubPath = Annotated[str, AfterValidator(_beside_connections)]
"""A path or glob setting; a relative one is relative to connections.yaml, wherever the command was started."""
