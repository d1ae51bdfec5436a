"""What passed between a shop and its people, as files tell it: contacts, consents, entries of points."""

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Literal

import pydantic
from pydantic import AwareDatetime

from connectors.files.columns import Columns, normal
from connectors.files.config import FilesConfig
from connectors.files.words import known, or_as_written, words
from mappings.canonical import Canonical, ConsentEvent, ContactEvent, LoyaltyEntry
from mappings.canonical.base import Identifier
from mappings.canonical.contact import Channel, IdentifierKind
from mappings.tables import Derived, Field, FieldMap, Unusable, at, convert
from mappings.tables.notation import Moments, Numbers, identifier, somebodys

Cells = Mapping[str, str | None]
Telling = Mapping[str, Callable[[str], Any]]
"""Column → how it is read."""

CHANNELS = words(
    email="e-mail, email, почта, эл почта, электронная почта, письмо, пошта",
    sms="sms, смс",
    whatsapp="whatsapp, ватсап, вотсап, wa",
    telegram="telegram, телеграм, телеграмм, tg",
    push="push, пуш, пуш-уведомление, web push",
    ads="ads, реклама, таргет, жарнама",
    call="call, phone, звонок, телефон, обзвон, қоңырау",
    site="site, web, website, сайт",
    store="store, магазин, касса, дүкен",
)
KINDS = words(
    call="call, звонок, қоңырау",
    message="message, сообщение, хабарлама, чат, chat",
    sent="sent, send, message accepted, отправлено, отправлен, жіберілді",
    delivered="delivered, message delivered, доставлено, доставлен, жеткізілді",
    opened="opened, open, notification open, открыто, открытие, прочитано, read, ашылды",
    clicked="clicked, click, клик, переход, басылды",
    bounced="bounced, bounce, missing registrations, не доставлено, недоставлено, ошибка доставки",
    unsubscribed="unsubscribed, unsubscribe, отписка, отписался, бас тарту",
    complained="complained, complaint, spam, жалоба, спам",
    page_view="page view, pageview, просмотр страницы, просмотр",
    product_view="product view, просмотр товара",
    survey="survey, опрос, анкета, оценка, сауалнама",
    nps="nps",
    csat="csat",
    consultation="consultation, консультация, кеңес",
    visit="visit, визит, посещение, келу",
    ad_view="ad view, impression, показ рекламы, показ",
    ad_click="ad click, клик по рекламе",
)
DIRECTIONS = words(
    **{"in": "in, inbound, incoming, входящий, входящая, входящее, кіріс"},
    out="out, outbound, outgoing, исходящий, исходящая, исходящее, шығыс",
)
PURPOSES = words(
    marketing="marketing, реклама, маркетинг, рассылка, рассылки, newsletter, жарнама, маркетинг",
    service="service, сервис, сервисные, уведомления, transactional, қызмет",
)
STATES = words(
    granted="granted, grant, yes, true, 1, opt-in, subscribed, да, есть, согласен, согласна, дано, подписан, иә, "
    "берілді",
    refused="refused, revoked, withdrawn, denied, no, false, 0, opt-out, unsubscribed, нет, отказ, отказался, "
    "отозвано, отписан, жоқ, бас тартты",
)
GIVEN_BY = words(
    person="person, customer, self, form, web form, webform, signup form, sign-up form, registration, landing, "
    "landing page, double opt-in, unsubscribe link, preference center, site, website, checkout, app, mobile app, till, "
    "pos, sms, call, клиент, лично, форма, веб-форма, форма подписки, анкета, бумажная анкета, регистрация, лендинг, "
    "личный кабинет, ссылка отписки, сайт, касса, приложение, мобильное приложение, смс, звонок, форма на сайте, өзі, "
    "тұтынушы, сауалнама",
    platform="platform, esp, default, платформа, сервис рассылок, по умолчанию",
)
"""Everything else is an import: it never ends a refusal (canonical-model, consent)."""
REASONS = words(
    purchase="purchase, покупка, начисление, начисление за покупку, начислено, сатып алу",
    redeem="redeem, redeemed, списание, списано, оплата бонусами, есептен шығару",
    gift="gift, welcome, подарок, приветственные, сыйлық",
    expiry="expiry, expired, сгорание, сгорели, күйіп кету",
    correction="correction, корректировка, исправление, түзету",
)
"""Further reasons are kept as they are written."""
NUMBER = re.compile(r"\+?[\d\s().-]{10,}")


class ConsentRow(Canonical):
    """A ConsentEvent whose rule across fields the mapping applies, so that files can be mapped by their cells."""

    entity: ClassVar[str] = ConsentEvent.entity
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
    evidence: dict[str, Any] = pydantic.Field(default_factory=dict)


class PointsRow(LoyaltyEntry):
    """`cause` is the entry's `reason`, which in a mapped frame says why a row is set aside."""

    cause: str | None = None


def events(config: FilesConfig, columns: Columns) -> FieldMap:
    """Contacts. Without an id of its own an event is known by all that it says of who, when and what."""
    moments, numbers = Moments(config.date_format, config.timezone), Numbers(config.decimal, config.thousands)
    telling: Telling = {
        "external_id": _same_contact, "identifier": _same_contact, "at": moments,
        "channel": or_as_written(CHANNELS), "kind": or_as_written(KINDS), "direction": known(DIRECTIONS),
        "campaign": convert.text, "reference": convert.text,
    }  # fmt: skip
    of_whom = columns.those("identifier", "external_id")
    return FieldMap(
        ContactEvent,
        {
            "customer": Field("external_id", _unless_contact),
            "identifier_kind": Derived(lambda cells, _: _contact(cells)[0], of_whom),
            "identifier": Derived(lambda cells, _: _contact(cells)[1], of_whom),
            "at": Field("at", moments),
            "channel": Field("channel", or_as_written(CHANNELS)),
            "kind": Field("kind", or_as_written(KINDS)), "direction": Field("direction", known(DIRECTIONS)),
            "campaign": Field("campaign", convert.text), "reference": Field("reference", convert.text),
            "value": Field("value", numbers),
            "external_id": Derived(_own_id("event", telling), columns.those("event", *telling)),
        },
    )  # fmt: skip


def consents(config: FilesConfig, columns: Columns) -> FieldMap:
    """Statements about an identifier; `source` says who made them, and stays as evidence.

    Version and source tell one from another: of a refusal given twice neither may be set aside as a doubled key.
    """
    moments = Moments(config.date_format, config.timezone)
    telling: Telling = {
        "identifier": _same_contact, "external_id": _same_contact, "channel": known(CHANNELS),
        "purpose": or_as_written(PURPOSES), "state": known(STATES), "at": moments, "text_version": identifier,
        "source": normal,
    }  # fmt: skip
    of_whom = (*columns.those("identifier", "external_id"), "channel")
    return FieldMap(
        ConsentRow,
        {
            "customer": Field("external_id", _unless_contact),
            "identifier_kind": Derived(lambda cells, _: _consenting(cells)[0], of_whom),
            "identifier": Derived(lambda cells, _: _consenting(cells)[1], of_whom),
            "channel": Field("channel", known(CHANNELS)), "purpose": Field("purpose", or_as_written(PURPOSES)),
            "state": Field("state", known(STATES)), "at": Derived(_when(moments), ("at", "state")),
            "expires_at": Field("expires_at", moments),
            "by": Field("source", lambda text: GIVEN_BY.get(normal(text), "import")),
            "text_version": Field("text_version", identifier),
            "evidence": Field("source", lambda text: {"source": convert.text(text)}),
            "external_id": Derived(_own_id(None, telling), columns.those(*telling)),
        },
    )  # fmt: skip


def points(config: FilesConfig) -> FieldMap:
    """Entries of points, signs as they are written: what came is above zero, what went below. A reason that says the
    contrary of its sign sets the entry aside, as either of them may be the mistake."""
    moments, numbers = Moments(config.date_format, config.timezone), Numbers(config.decimal, config.thousands)
    return FieldMap(
        PointsRow,
        {
            "external_id": Field("entry", identifier), "customer": Field("external_id", somebodys),
            "loyalty_id": Field("loyalty_id", somebodys), "at": Field("at", moments),
            "points": Field("points", numbers.quantity), "cause": Derived(_cause(numbers), ("reason", "points")),
            "reference": Field("reference", identifier),
        },
    )  # fmt: skip


SIGNS = {"purchase": 1, "gift": 1, "redeem": -1, "expiry": -1}
"""Reason → the sign of its points; a correction, and what shops call otherwise, has either."""


def _cause(numbers: Numbers) -> Callable[[Cells, Any], str | None]:
    def made(cells: Cells, _: Any) -> str | None:
        written, points = at(cells, "reason"), at(cells, "points")
        cause = None if written is None else or_as_written(REASONS)(written)
        amount = numbers(points) if points else Decimal(0)
        if amount * SIGNS.get(cause or "", 0) < 0:
            mend = f"write {-amount.normalize():f}, or a reason that fits, such as correction"
            raise Unusable(f"{points} points of the reason {written}: {mend}", "contradicts_reason")
        return cause

    return made


def _own_id(target: str | None, telling: Telling) -> Callable[[Cells, Any], str | None]:
    """The id in column `target`, else a digest of what tells one record from another, however it is written: an id
    must not show a contact."""

    def made(cells: Cells, _: Any) -> str | None:
        if target and (own := at(cells, target)):
            return identifier(own)
        told = (read(written) if (written := at(cells, name)) else "" for name, read in telling.items())
        return hashlib.sha256("\x1f".join(map(str, told)).encode()).hexdigest()[:32]

    return made


def _same_contact(written: str) -> Any:
    return _read_contact(written) or identifier(written)


def _when(moments: Moments) -> Callable[[Cells, Any], datetime | None]:
    """A refusal without its time counts from when we learn of it; a consent without one proves nothing."""

    def made(cells: Cells, _: Any) -> datetime | None:
        written = at(cells, "at")
        if written is None and STATES.get(normal(at(cells, "state") or "")) == "granted":
            raise Unusable("a consent without its time proves nothing", "missing_field")
        return None if written is None else moments(written)

    return made


def _contact(cells: Cells) -> tuple[str | None, str | None]:
    """Kind and contact by which somebody is known. An id that is an address or a whole number is one as well."""
    if written := at(cells, "identifier"):
        account = somebodys(written)
        return _read_contact(written) or (("account", account) if account else (None, None))
    written = at(cells, "external_id") or ""
    return (_read_contact(written) if written[:1] == "+" or "@" in written else None) or (None, None)


def _unless_contact(written: str) -> str | None:
    """An id that is an address or a whole number says who it is as a contact; as an id it would show it."""
    return None if _contact({"external_id": written})[0] else somebodys(written)


def _read_contact(written: str) -> tuple[str, str] | None:
    if "@" in written:
        address = convert.email(written)
        return ("email", address) if address else None
    phone = convert.phone(written) if NUMBER.fullmatch(written.strip()) else None
    return ("phone", phone) if phone else None


OF_ACCOUNTS = {"telegram", "push", "ads"}
"""Channels that reach an account: a bare number there is its id, not a phone."""


def _consenting(cells: Cells) -> tuple[str, str]:
    """Kind and identifier a consent is about. Raises Unusable where there is none that its channel could reach."""
    written = at(cells, "identifier") or ""
    channel = CHANNELS.get(normal(at(cells, "channel") or ""))
    if channel in OF_ACCOUNTS and written and written[:1] != "+" and convert.email(written) is None:
        kind, contact = "account", somebodys(written)
    else:
        kind, contact = (_read_contact(written) if written else _contact(cells)) or (None, None)
    if kind is None or contact is None:
        raise Unusable("neither a phone nor an e-mail nor an account stands there", "no_identifier")
    return kind, contact
