"""Settings of a Telegram bot."""

from typing import Annotated, Self

from pydantic import Field as Setting
from pydantic import HttpUrl, SecretStr, StringConstraints, field_validator, model_validator

from connectors.sdk import ConnectionConfig

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4096)]
"""What one message takes."""


MARKS = " .,;:!?…-–—()\"'«»“”"
"""What may stand around a word without changing it."""


def bare(text: str) -> str:
    """A message as stop words are compared: `Стоп!!` is `стоп`."""
    return " ".join(text.casefold().strip(MARKS).split())


class TelegramConfig(ConnectionConfig):
    """One bot. It reaches those who started it, and nobody by a phone number."""

    base_url: HttpUrl = Setting(HttpUrl("https://api.telegram.org"), description="API root; the sandbox has its own.")
    token: SecretStr = Setting(description="Token of the bot, from @BotFather.")
    per_second: float = Setting(5.0, gt=0, description="Requests a second; a bot may make about 30.")
    consent_text: str | None = Setting(
        None,
        description="Version of the text on the bot's start page; set, starting the bot is consent to messages there.",
    )
    stop_words: tuple[str, ...] = Setting(
        ("/stop", "stop", "стоп", "тоқтат"),
        description="A message that is just one of these is a refusal, however it is written.",
    )
    links_to: str | None = Setting(
        None, description="Connection whose customers get personal start links; needs `link_secret`."
    )
    link_secret: SecretStr | None = Setting(None, description="Any long text; signs the tokens of start links.")

    messages: dict[str, Text] = Setting(
        default_factory=dict, description="Segment's audience → text that whoever enters it gets, once."
    )
    webhook_secret: SecretStr | None = Setting(
        None, description="The `secret_token` given to setWebhook; set, updates come by calls and are not asked for."
    )

    @field_validator("stop_words")
    @classmethod
    def _as_compared(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(filter(None, map(bare, words)))

    @model_validator(mode="after")
    def _links_are_signed(self) -> Self:
        if (self.links_to is None) is not (self.link_secret is None):
            raise ValueError("`links_to` and the secret `link_secret` belong together")
        return self
