"""Settings of a Bitrix24 portal."""

from typing import Literal, Self

from pydantic import Field as Setting
from pydantic import HttpUrl, SecretStr, field_validator, model_validator

from connectors.sdk import ConnectionConfig, HubPath, known_zone
from mappings.canonical.order import Status

STAGES: dict[str, Status] = {
    "NEW": "placed",
    "PREPARATION": "confirmed",
    "PREPAYMENT_INVOICE": "confirmed",
    "EXECUTING": "assembling",
    "FINAL_INVOICE": "ready",
    "WON": "completed",
    "LOSE": "cancelled",
    "APOLOGY": "cancelled",
}
"""Stages that Bitrix24 gives to a new portal; in further pipelines they are called `C<pipeline>:NEW` and so on."""

ORDER_STATUSES: dict[str, Status] = {
    "N": "placed",
    "P": "confirmed",
    "S": "shipped",
    "F": "completed",
    "D": "cancelled",
}
"""Statuses that Bitrix24 gives to a new online store."""


class Bitrix24Config(ConnectionConfig):
    """One portal of Bitrix24, seen through an incoming webhook or as a local application."""

    base_url: HttpUrl = Setting(description="Address of the portal, e.g. https://example.bitrix24.kz.")
    webhook: SecretStr | None = Setting(
        None, description="Address of the incoming webhook, or its end: <user>/<code>. Not with an application."
    )
    client_id: str | None = Setting(None, description="Application: its client_id.")
    client_secret: SecretStr | None = Setting(None, description="Application: its client_secret.")
    refresh_token: SecretStr | None = Setting(
        None, description="Application: the refresh token of its installation, from which the first access is got."
    )
    token_file: HubPath | None = Setting(
        None, description="Application: where the tokens are kept that Bitrix24 replaces at each refresh."
    )
    oauth_url: HttpUrl = Setting(
        HttpUrl("https://oauth.bitrix.info/oauth/token/"), description="Application: where tokens are refreshed."
    )
    application_token: SecretStr | None = Setting(
        None, description="Token by which events of the portal are known to be its own."
    )
    offline_events: bool = Setting(
        False, description="Application: read the queue of offline events as hints of what else has changed."
    )
    per_second: float = Setting(2.0, gt=0, description="Requests a second that the tariff allows; Enterprise has 5.")
    burst: float = Setting(25.0, ge=1, description="Requests that may leave at once; half of the portal's own bucket.")
    operating: float = Setting(
        480.0, gt=0, description="Seconds that one method may work in 10 minutes; a box has 420 where it limits."
    )
    timezone: str = Setting("Asia/Almaty", description="Zone of the portal: filters by date are written in it.")
    dates: Literal["iso", "space"] = Setting(
        "iso", description="Notation of dates in filters; `keruen connectors check` tells when `space` is needed."
    )
    currency: str = Setting("KZT", description="Currency of deals that name none.")
    region: str = Setting("KZ", description="Country of telephone numbers that are written without one.")
    leads: bool = Setting(True, description="Read leads; switch off where the CRM works without them.")
    activities: tuple[Literal["call", "email", "meeting"], ...] = Setting(
        ("call",), description="Activities that are contacts with people; empty: none is read."
    )
    orders_from: tuple[Literal["deals", "shop"], ...] = Setting(
        ("deals",),
        description="Where orders stand: in deals, in the portal's online store (`sale`), in both; empty: elsewhere.",
    )
    pipelines: tuple[int, ...] = Setting((), description="Deal pipelines (ids) that are orders; empty: all of them.")
    stages: dict[str, Status] = Setting(
        default_factory=lambda: dict(STAGES),
        description="Stage of a deal → canonical status; `C9:UC_1` means one pipeline's, `WON` that of every pipeline.",
    )
    channel: str = Setting("crm", description="Channel of deals whose source is not in `channels`.")
    channels: dict[str, str] = Setting(default_factory=dict, description="Source of a deal (SOURCE_ID) → channel.")
    order_statuses: dict[str, Status] = Setting(
        default_factory=lambda: dict(ORDER_STATUSES),
        description="Status of an order of the online store → canonical status.",
    )
    shop_channel: str = Setting("site", description="Channel of orders of the online store.")
    sku: tuple[str, ...] = Setting(
        ("xmlId", "code", "id"),
        min_length=1,
        description="Where our SKU stands: the first of these fields that is filled, e.g. [property258, xmlId].",
    )
    properties: dict[str, str] = Setting(
        default_factory=dict, description="Property of a product → brand, category or a name of your own."
    )
    price_types: dict[str, str] = Setting(
        default_factory=lambda: {"1": "retail"},
        description="Price type (id) → retail, wholesale, recommended; others keep their number.",
    )
    stock: Literal["stores", "total"] = Setting(
        "stores", description="Where counts stand: `total` on products, where inventory accounting is off."
    )
    location: str = Setting("main", description="Location of the total count, with `stock: total`.")
    shops: tuple[str, ...] = Setting((), description="Stores (ids) that are shops; the others are warehouses.")
    originator: str = Setting("keruen", min_length=1, description="How Keruen marks what it made (ORIGINATOR_ID).")
    pipeline: int = Setting(0, ge=0, description="Pipeline in which copies of orders are made.")
    person_fields: dict[str, str] = Setting(
        default_factory=dict, description="Further facts of a person → field of the contact, e.g. city: UF_CRM_CITY."
    )
    segment_field: str | None = Setting(
        None, description="Multiple field of the contact that lists its segments, e.g. UF_CRM_SEGMENTS."
    )
    segment_values: dict[str, str] = Setting(
        default_factory=dict, description="Segment → value in that field, where it is a list with ids of its own."
    )

    _zone = field_validator("timezone")(known_zone)

    @field_validator("webhook")
    @classmethod
    def _end_of_address(cls, webhook: SecretStr | None) -> SecretStr | None:
        """`<user>/<code>`: what follows `/rest/`, however much of the address was pasted."""
        if webhook is None:
            return None
        return SecretStr(webhook.get_secret_value().rpartition("/rest/")[2].strip("/ "))

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        application = (self.client_id, self.client_secret, self.refresh_token, self.token_file)
        if (self.webhook is None) == (None in application):
            raise ValueError("give `webhook`, or `client_id`, `client_secret`, `refresh_token` and `token_file`")
        if self.offline_events and self.webhook:
            raise ValueError("offline_events need an application: Bitrix24 refuses them to a webhook")
        return self
