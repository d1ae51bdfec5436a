"""Settings of one seller's account on Kaspi Магазин."""

import re
from typing import Literal, Self

from pydantic import Field as Setting
from pydantic import HttpUrl, SecretStr, field_validator, model_validator

from connectors.kaspi.cities import city_id
from connectors.sdk import ConnectionConfig

SWALLOWED = re.compile(r"(?i)\s*$|python|httpx|urllib|aiohttp|curl|go-http|okhttp|java/")
"""Names of libraries. Kaspi leaves requests of the first two without an answer (contract kaspi 1)."""


class KaspiConfig(ConnectionConfig):
    """One seller: orders over the API, prices and stock through a price list that Kaspi fetches."""

    base_url: HttpUrl = Setting(
        HttpUrl("https://kaspi.kz/shop/api/v2"), description="API root; the sandbox has its own."
    )
    token: SecretStr = Setting(description="Cabinet > Настройки > Токен API; only the head of the company can make it.")
    merchant_id: str | None = Setting(
        None,
        pattern=r"^[A-Za-z0-9_]+$",
        description="Id of the store in the cabinet. Without it one login over several stores sees no orders.",
    )
    company: str | None = Setting(None, description="Name of the firm in the price list; the merchant id by default.")
    points: dict[str, str] = Setting(
        default_factory=dict,
        description="Every pick-up point (PP1) and its city, by name or id: the price list names all of them, always.",
    )
    more_cities: dict[str, str] = Setting(
        default_factory=dict, description="Cities (id: name) of Kaspi's own list beyond the 77 of its guide."
    )
    spaces: int = Setting(
        1, ge=1, description="Parcels of an order handed to Kaspi Delivery, where nobody counts them."
    )
    preorders: Literal["asked", "packing"] = Setting(
        "asked", description="When Kaspi learns that pre-ordered goods came: asked for, or also when they are packed."
    )
    arrived_before: str = Setting(
        "(?i)already", description="Words (regular expression) of a refusal: arrival was told before. Kaspi names none."
    )
    partial_cancel: Literal["auto", "bulk"] = Setting(
        "auto", description="auto: one line by pieces goes by its own call. bulk: all go by orderPartialCancel."
    )
    partial_cancel_by: Literal["id", "code"] = Setting(
        "id", description="How orderPartialCancel names the order; the guide says orderId and shows none."
    )
    user_agent: str = Setting("Keruen/0.1 (order hub)", description="How requests introduce themselves to Kaspi.")
    per_second: float = Setting(4.0, gt=0, description="Requests a second; Kaspi states no limit, 5 is told.")
    timeout: float = Setting(60.0, gt=0, description="Seconds to wait for an answer.")
    pseudonym_key: SecretStr | None = Setting(
        None, description="Key of the buyers' ids, any long text; changing it later makes every buyer a new one."
    )
    feed_login: str | None = Setting(None, description="Login that Kaspi gives when it fetches the price list.")
    feed_password: SecretStr | None = Setting(
        None, description="Password that goes with `feed_login`; optional with it."
    )

    @field_validator("user_agent")
    @classmethod
    def _no_library(cls, value: str) -> str:
        if SWALLOWED.match(value):
            raise ValueError("Kaspi never answers a library's own User-Agent; name a product, e.g. Keruen/0.1")
        return value

    @model_validator(mode="after")
    def _known_cities(self) -> Self:
        for city in self.points.values():
            city_id(city, self.more_cities)
        return self

    @model_validator(mode="after")
    def _whole_login(self) -> Self:
        if (self.feed_login is None) != (self.feed_password is None):
            raise ValueError("feed_login and feed_password go together: set both or neither")
        return self
