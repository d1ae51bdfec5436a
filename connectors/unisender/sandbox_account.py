"""The account of UniSender's simulator: contacts, lists, campaigns and what became of their letters."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connectors.sdk import Change
from connectors.sdk.testing.sandbox import Sandbox
from connectors.unisender.source import stamp


@dataclass
class Contact:
    """What the platform keeps of an e-mail, a phone (digits), or both. Times as it writes them."""

    email: str
    status: str = "new"
    added: str = ""
    confirmed: str = ""
    lists: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)
    tags: set[str] = field(default_factory=set)
    phone: str = ""
    phone_status: str = "new"
    fields: dict[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """An answer `{error, code}`."""

    def __init__(self, code: str, words: str):
        super().__init__(words)
        self.code = code


@dataclass
class UniSender:
    """The account's state. `invited`: addresses that got a letter asking to confirm."""

    clock: Callable[[], datetime]
    lists: dict[str, str] = field(default_factory=dict)
    contacts: dict[str, Contact] = field(default_factory=dict)
    fields: set[str] = field(default_factory=lambda: {"Name", "City"})
    campaigns: list[dict[str, Any]] = field(default_factory=list)
    letters: dict[int, dict[str, list[str]]] = field(default_factory=dict)
    invited: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    called: deque[datetime] = field(default_factory=deque)
    exports: deque[datetime] = field(default_factory=deque)
    sandbox: Sandbox = field(init=False)

    def listed(self, title: str) -> str:
        """Makes a list; gives its id."""
        number = str(8 + len(self.lists))
        self.lists[number] = title
        return number

    def contact(self, email: str, *lists: str, status: str = "active", **facts: Any) -> Contact:
        """Somebody who is there already."""
        self.contacts[email] = Contact(email, status, stamp(self.clock()), lists=set(lists), **facts)
        return self.contacts[email]

    def mailed(self, number: str, subject: str, at: datetime) -> int:
        """A campaign to the active contacts of a list; gives its id."""
        campaign = 1001 + len(self.campaigns)
        self.campaigns.append(
            {"id": campaign, "start_time": stamp(at), "status": "completed", "message_id": campaign + 5000,
             "list_id": number, "subject": subject}
        )  # fmt: skip
        chosen = [
            one.email for one in self.contacts.values() if one.email and one.status == "active" and number in one.lists
        ]
        self.letters[campaign] = {email: [email, "ok_delivered", stamp(at)] for email in chosen}
        return campaign

    def turns(self, campaign: int, email: str, result: str, at: datetime | None = None) -> None:
        """A letter's state changes; who unsubscribes by its link is unsubscribed."""
        self.letters[campaign][email] = [email, result, stamp(at or self.clock())]
        if result == "ok_unsubscribed":
            self.contacts[email].status = "unsubscribed"

    def changes(self, capability: str) -> list[Change]:
        """What the kit may send: people it knows and people it does not."""
        emails = [*list(self.contacts)[:3], "somebody.new@example.com", "another.new@example.com"]
        if capability == "segment.push":
            return [
                Change(capability, f"vip/{place}", "", {"audience": "VIP", "member": True}, about={"email": email})
                for place, email in enumerate(emails)
            ]
        return [
            Change(capability, f"person-{place}", "", {"first_name": "Әлия", "emails": [email]})
            for place, email in enumerate(emails)
        ]
