"""Settings of a Satu.kz account."""

from typing import Literal

from pydantic import Field as Setting
from pydantic import HttpUrl, SecretStr, field_validator

from connectors.sdk import ConnectionConfig, known_zone
from mappings.canonical.order import Status


class SatuConfig(ConnectionConfig):
    """One shop on Satu.kz (the EVO platform; other countries differ in the host only)."""

    base_url: HttpUrl = Setting(HttpUrl("https://my.satu.kz/api/v1"), description="API root; the sandbox has its own.")
    token: SecretStr = Setting(
        description="Cabinet > Настройки > Управление API-токенами; orders and products need read-write."
    )
    currency: str = Setting("KZT", description="Currency of amounts that do not say theirs.")
    timezone: str = Setting("Asia/Almaty", description="Zone of times without an offset, and of the date filters.")
    page_size: int = Setting(100, ge=1, le=500, description="Records a page; 100 is what the platform is used with.")
    per_second: float = Setting(3.0, gt=0, description="Requests a second; the platform states no limit.")
    sku_from: tuple[Literal["external_id", "sku"], ...] = Setting(
        ("external_id", "sku"), description="Which field of a product holds our SKU: the first that is filled."
    )
    out_of_stock: Literal["not_available", "order", "waiting"] = Setting(
        "not_available", description="Presence shown when nothing is left."
    )
    custom_statuses: dict[str, Status] = Setting(
        default_factory=dict, description="Own order statuses: id (`123` of `custom-123`) → canonical status."
    )
    language: str | None = Setting(None, description="X-LANGUAGE header, where the account needs one.")

    _zone = field_validator("timezone")(known_zone)
