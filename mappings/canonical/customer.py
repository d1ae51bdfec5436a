"""A customer is what one system says of a buyer; who is who is decided later, in `mappings.identity`."""

from datetime import date
from typing import ClassVar

from pydantic import AwareDatetime

from mappings.canonical.base import Canonical, Identifier


class Customer(Canonical):
    """Phones in E.164, e-mails lower-cased. `masked` names contact kinds that are proxies of the channel.

    `refs`: `<connection>\\x1f<external id>` of the same buyer elsewhere, as this system says. `tax_id`: the state's
    number of a person or company (in Kazakhstan IIN or BIN).
    """

    entity: ClassVar[str] = "customer"
    external_id: Identifier
    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    middle_name: str | None = None
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    loyalty_ids: tuple[str, ...] = ()
    account_id: str | None = None
    refs: tuple[str, ...] = ()
    tax_id: str | None = None
    birth_date: date | None = None
    gender: str | None = None
    language: str | None = None
    city: str | None = None
    address: str | None = None
    tags: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    created_at: AwareDatetime | None = None
    updated_at: AwareDatetime | None = None
