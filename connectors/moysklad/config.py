"""Settings of a MoySklad account."""

from datetime import date
from typing import Literal, Self
from uuid import UUID

from pydantic import Field as Setting
from pydantic import HttpUrl, SecretStr, field_validator, model_validator

from connectors.sdk import ConnectionConfig, known_zone
from mappings.canonical.order import Status

STATES: dict[str, Status] = {
    "Новый": "placed",
    "Подтвержден": "confirmed",
    "Собран": "ready",
    "Отгружен": "shipped",
    "Доставлен": "delivered",
    "Возврат": "returned",
    "Отменен": "cancelled",
}
"""States that MoySklad gives to a new account."""

TokenKind = Literal["user", "solution", "draft", "password"]


class MoySkladConfig(ConnectionConfig):
    """One account of МойСклад, seen by one of its users or by an installed solution."""

    base_url: HttpUrl = Setting(
        HttpUrl("https://api.moysklad.ru/api/remap/1.2"), description="API root; the sandbox has its own."
    )
    token: SecretStr = Setting(
        description="Access token (Настройки > Обмен данными > Токены); the password when token_kind is `password`."
    )
    token_kind: TokenKind = Setting(
        "user", description="Whose token it is: it sets the price of a request. `password` needs `login`."
    )
    login: str | None = Setting(None, description="Login, e.g. admin@shop, where no token is used.")
    budget: int = Setting(45, gt=0, description="Units to spend in 3 seconds; a sandbox without limits has more.")
    region: Literal["kz", "ru", "uz"] = Setting("kz", description="Region whose fields (БИН, ИИН, НТИН) are exchanged.")
    timezone: str = Setting("Europe/Moscow", description="Zone of document dates; see the README before changing it.")
    currency: str = Setting("KZT", description="Currency of the account.")
    sku: tuple[Literal["code", "article", "externalCode"], ...] = Setting(
        ("code", "article", "externalCode"),
        min_length=1,
        description="Where our SKU stands: the first of these that is filled and that no other variant bears.",
    )
    price_types: dict[str, str] = Setting(
        default_factory=lambda: {"Цена продажи": "retail"},
        description="Price type (name or id) → retail, wholesale, recommended; others keep their own name.",
    )
    brand_attribute: str = Setting("Бренд", description="Name of the product's own field that holds the brand.")
    states: dict[str, Status] = Setting(
        default_factory=lambda: dict(STATES),
        description="State of a customer order (id or name) → canonical status; others follow the state's type.",
    )
    channels: dict[str, str] = Setting(
        default_factory=dict, description="Sales channel (id or name) → channel of the hub; others follow its type."
    )
    channel: str = Setting("office", description="Channel of orders that name no sales channel.")
    anonymous: tuple[str, ...] = Setting(
        ("Розничный покупатель",), description="Counterparties that stand for an unknown buyer."
    )
    shops: tuple[str, ...] = Setting((), description="Stores (id or name) that are shops; the others are warehouses.")
    organization: UUID | None = Setting(None, description="Organization (юрлицо) that sells; needed to write orders.")
    store: UUID | None = Setting(None, description="Store that written orders are shipped from.")
    stores: dict[str, UUID] = Setting(
        default_factory=dict, description="Location of the hub → store, where an order names its location."
    )
    reserve: bool = Setting(True, description="Reserve the goods of written orders.")
    delivery_service: UUID | None = Setting(
        None, description="Service (услуга) that stands for the cost of delivery; without it that cost is left out."
    )
    bundles: bool = Setting(True, description="Count bundles (комплекты) from what their components make.")
    webhook_secret: SecretStr | None = Setting(
        None, description="Last part of the address MoySklad calls, any long text; it proves that the call is its own."
    )
    webhook_prefix: HttpUrl | None = Setting(
        None, description="Our webhooks that begin so are not called for our own writes."
    )

    _zone = field_validator("timezone")(known_zone)

    @field_validator("price_types")
    @classmethod
    def _one_source_each(cls, table: dict[str, str]) -> dict[str, str]:
        taken = sorted(table.values())
        if len(set(taken)) < len(taken) or {"purchase", "minimum"} & set(taken):
            raise ValueError("each price needs one source; purchase and minimum come from the product's own fields")
        return table

    @model_validator(mode="after")
    def _login_goes_with_password(self) -> Self:
        if (self.token_kind == "password") is (self.login is None):  # noqa: S105
            raise ValueError("`login` and `token_kind: password` belong together")
        return self


WEIGHTS: dict[TokenKind, tuple[tuple[date, int], ...]] = {
    "solution": (),
    "draft": ((date(2026, 4, 13), 4),),
    "user": ((date(2026, 5, 12), 2), (date(2026, 9, 1), 3), (date(2026, 12, 1), 4)),
    "password": ((date(2026, 5, 12), 2), (date(2026, 9, 1), 3), (date(2026, 12, 1), 4)),
}


def weight(kind: TokenKind, on: date) -> int:
    """Units of the budget that one request costs (contract moysklad 2)."""
    return max((units for since, units in WEIGHTS[kind] if on >= since), default=1)
