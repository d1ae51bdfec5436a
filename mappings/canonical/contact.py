"""What passes between a shop and its people: contacts, consents, carts, points. Who they are is decided later."""

from decimal import Decimal
from typing import Any, ClassVar, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from mappings.canonical.base import Canonical, Currency, Identifier
from mappings.canonical.product import VariantRef

Channel = Literal["email", "sms", "whatsapp", "telegram", "push", "ads", "call"]
"""Ways to reach a person, for each of which consent is asked apart."""
IdentifierKind = Literal["phone", "email", "account"]


class ConsentEvent(Canonical):
    """One statement about one identifier, for one channel and purpose. It is never changed, only followed by others.

    `identifier`: phone in E.164, e-mail lower-cased, or the account id. `by`: only what the person said ends a refusal;
    a list that was imported, or what a platform assumes, never does (canonical-model, consent). `at` is None where a
    source shows a refusal and not when it was made: it counts from when we learnt of it, which is never too early.
    """

    entity: ClassVar[str] = "consent_event"
    external_id: Identifier
    customer: str | None = None
    identifier_kind: IdentifierKind
    identifier: Identifier
    channel: Channel
    purpose: str = "marketing"
    state: Literal["granted", "refused"]
    by: Literal["person", "import", "platform"] = "import"
    at: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None
    text_version: str | None = None
    evidence: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _a_grant_says_when(self) -> Self:
        if self.state == "granted" and self.at is None:
            raise ValueError("a consent without its time proves nothing")
        return self


class ContactEvent(Canonical):
    """A call, a message, a letter opened, a page seen, an answer to a survey.

    `kind`: call, message, sent, delivered, opened, clicked, bounced, unsubscribed, complained, page_view, product_view,
    survey, consultation, visit, ad_view, ad_click. An event of somebody known only by a contact carries the
    identifier. `value`: the answer, or what it was worth.
    """

    entity: ClassVar[str] = "contact_event"
    external_id: Identifier
    customer: str | None = None
    identifier_kind: IdentifierKind | None = None
    identifier: str | None = None
    at: AwareDatetime
    channel: str
    kind: str
    direction: Literal["in", "out"] | None = None
    campaign: str | None = None
    reference: str | None = None
    value: Decimal | None = None
    payload: dict[str, Any] = Field(default_factory=dict)


class CartLine(VariantRef):
    """`quantity` in the base unit."""

    entity: ClassVar[str] = "cart_line"
    line: Identifier
    quantity: Decimal = Field(gt=0)
    unit_price: Decimal | None = None


class Cart(Canonical):
    """What somebody means to buy. `dropped`: emptied by its owner; abandoned is decided by a rule, not by a source."""

    entity: ClassVar[str] = "cart"
    external_id: Identifier
    customer: str | None = None
    channel: str = "site"
    updated_at: AwareDatetime
    state: Literal["open", "ordered", "dropped"] = "open"
    currency: Currency | None = None
    lines: tuple[CartLine, ...] = ()


class LoyaltyEntry(Canonical):
    """Points that came (> 0) or went (< 0). Append-only: a mistake is mended by a further entry."""

    entity: ClassVar[str] = "loyalty_entry"
    external_id: Identifier
    customer: str | None = None
    loyalty_id: str | None = None
    at: AwareDatetime
    points: Decimal
    reason: str = "purchase"
    reference: str | None = None
