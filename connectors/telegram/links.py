"""Personal start links: `https://t.me/<bot>?start=<token>`. The token names a customer and cannot be made up.

Telegram takes 64 signs of A-Z, a-z, 0-9, `_` and `-` (contract messengers-and-audiences, A1). A token without a
signature would let anybody start the bot as somebody else; one without an end could be found years later.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, date, datetime

from connectors.telegram.config import TelegramConfig

MOST = 64
DAY, SIGNATURE = 5, 16
"""Signs of the last day, counted from 1970, and of the signature: the end of a token."""


def start_token(config: TelegramConfig, customer: str, until: date) -> str:
    """For a link given to `customer` of the connection `links_to`, valid through `until` (UTC).

    Raises ValueError where the settings have no `link_secret`, or the id is too long for a link.
    """
    if config.link_secret is None:
        raise ValueError("start links need the settings `links_to` and `link_secret`")
    body = urlsafe_b64encode(customer.encode()).decode().rstrip("=") + f"{(until - date(1970, 1, 1)).days:0{DAY}d}"
    token = body + _signature(config, body)
    if len(token) > MOST:
        raise ValueError(f"the customer's id makes a token of {len(token)} signs, Telegram takes {MOST}")
    return token


def linked(config: TelegramConfig, token: str, at: datetime) -> str | None:
    """The customer a token names; None where it is not ours, or was used too late."""
    body, signature = token[:-SIGNATURE], token[-SIGNATURE:]
    if config.link_secret is None or not hmac.compare_digest(signature.encode(), _signature(config, body).encode()):
        return None
    if (at.astimezone(UTC).date() - date(1970, 1, 1)).days > int(body[-DAY:]):
        return None
    name = body[:-DAY]
    return urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode()


def _signature(config: TelegramConfig, body: str) -> str:
    assert config.link_secret is not None
    signed = hmac.digest(config.link_secret.get_secret_value().encode(), body.encode(), "sha256")
    return urlsafe_b64encode(signed).decode()[:SIGNATURE]
