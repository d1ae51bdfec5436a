"""Settings of Meta's custom audiences."""

from typing import Literal

from pydantic import Field as Setting
from pydantic import HttpUrl, SecretStr

from connectors.sdk import ConnectionConfig

Identifier = Literal["EMAIL", "PHONE", "FN", "LN", "EXTERN_ID"]

Meaning = Literal["token", "rights", "rate", "unwell", "refused"]
"""Of an error: a new token is needed, a right, some rest; nobody knows what happened; this request is refused."""

Source = Literal["USER_PROVIDED_ONLY", "PARTNER_PROVIDED_ONLY", "BOTH_USER_AND_PARTNER_PROVIDED"]


class MetaAudiencesConfig(ConnectionConfig):
    """One ad account of Meta (Facebook, Instagram)."""

    base_url: HttpUrl = Setting(HttpUrl("https://graph.facebook.com"), description="API root; the sandbox has its own.")
    token: SecretStr = Setting(description="Business settings > System users > token with the right `ads_management`.")
    ad_account: str = Setting(
        pattern=r"^\d+$", description="Number of the ad account, without `act_`: Ads Manager > account overview."
    )
    api_version: str = Setting("v23.0", pattern=r"^v\d+\.\d+$", description="Version of the Graph API.")
    per_second: float = Setting(3.0, gt=0, description="Requests a second; Meta counts points it does not publish.")
    identifiers: tuple[Identifier, ...] = Setting(
        ("EMAIL", "PHONE", "EXTERN_ID"),
        min_length=1,
        description="What a person is matched by; all but EXTERN_ID (our id of the person) leave as hashes.",
    )
    audiences: dict[str, str] = Setting(
        default_factory=dict,
        description="Segment's audience → custom audience (id or name), where it bears another name there.",
    )
    create_audiences: bool = Setting(True, description="Make a custom audience for a segment that has none yet.")
    customer_file_source: Source = Setting(
        "USER_PROVIDED_ONLY", description="Where the contacts come from, as Meta wants it declared."
    )
    data_processing_options: tuple[str, ...] = Setting(
        (), description="Limits on use that people are due, e.g. [LDU]; sent with every upload where given."
    )
    errors: dict[int, Meaning] = Setting(
        default_factory=dict,
        description="Code of an error → token, rights, rate, unwell or refused, where Keruen takes it for another.",
    )
