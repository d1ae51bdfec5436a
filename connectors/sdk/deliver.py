"""Changes to write, and the one outcome each of them gets."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import SecretStr

from connectors.sdk.config import secrets_of
from connectors.sdk.errors import ConfigError, ContractError, RejectedError, TransientError, UnansweredError
from connectors.sdk.redact import sample

if TYPE_CHECKING:
    from connectors.sdk.config import ConnectionConfig
    from connectors.sdk.spec import Sink


@dataclass(frozen=True)
class Change:
    """One difference to write.

    `external_id`: the channel's id of the listing or order. `value`: the absolute value it should show (stock: a
    number, or a mapping point → number; price: Decimal text; order.status: `{"status"}` and, of what the sink `asks`,
    `reason`, `comment`, `arrived`, and `keep` (line → what stays of it: `quantity`, `weight_g`); order.push: a
    canonical order as JSON; segment.push: `{"audience", "member": true|false}`; customer.push: a person's names,
    phones, emails, birth_date, city, and, to a sink that `takes` it, `points`, the balance as text; of both to a sink
    that `forgets`, with `"forget": true`, of who was erased).
    `key`: idempotency key. `about`: facts of the subject a channel wants beside the value (name, brand, currency …; for
    segment.push the person's email, phone, first_name, last_name, city, birth_date, gender: fetched when it leaves, and
    stored nowhere; of the contacts only those by which the person agreed to be reached, `account` among them; of who
    was erased `receipts`, also of addresses that the person had before). For segment.push `external_id` is the
    receipt of the addition (a hash that was uploaded, a contact's number, no address: it is kept), else the person's id
    there, else empty; a removal finds the person by it, an addition goes to the contacts of `about`: the receipt may be
    of an address that he had before.
    """

    capability: str
    subject: str
    external_id: str
    value: Any
    was: Any = None
    key: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Accepted:
    """The channel confirmed. `receipt`: its own reference, e.g. the id of what it created."""

    change: Change
    receipt: str | None = None


@dataclass(frozen=True)
class Rejected:
    """A definite no; trying again will not help. `message` holds the vendor's words.

    `unreachable`: of the contacts in `change.about` (`email`, `phone`, `account`) the one by which the channel says
    that it cannot reach the person any more: blocked, or the account is gone. The hub keeps it as a refusal.
    """

    change: Change
    code: str
    message: str = ""
    unreachable: str = ""


@dataclass(frozen=True)
class Deferred:
    """Not now: the request did not happen, or was refused for a while. `retry_after` in seconds.

    `blocked`: a setting must be mended first, so nothing else need be tried. `alone`: the channel is well and answered;
    only this change waits (an order whose buyer has still to sign), so the others go on.
    """

    change: Change
    retry_after: float | None = None
    why: str = ""
    blocked: bool = False
    alone: bool = False


@dataclass(frozen=True)
class Unknown:
    """The request left, the answer did not come. Read back before anything else is sent for this subject."""

    change: Change
    why: str = ""


@dataclass(frozen=True)
class Shown:
    """What a read-back found, of a sink whose receipts tell the person from then on: the receipt got lost with the
    answer, so it is told here again."""

    value: Any
    receipt: str | None = None

    @classmethod
    def of(cls, seen: Any) -> "Shown":
        """Most sinks give the bare value."""
        return seen if isinstance(seen, Shown) else cls(seen)


Outcome = Accepted | Rejected | Deferred | Unknown


def outcomes(sink: "Sink", config: "ConnectionConfig", changes: Sequence[Change]) -> Iterator[Outcome]:
    """One outcome per change, whatever the connector does. `changes` are at most `sink.batch`: one request's worth.

    What has no outcome when `deliver` ends early gets the one its exception means; a `ConfigError` defers all the rest
    and says why, since the merchant can mend it; a bug leaves them unknown. What a vendor says is redacted here.
    """
    secrets = secrets_of(config)
    waiting = {change.subject: change for change in changes}
    try:
        for outcome in sink.deliver(config, changes) if changes else ():
            if waiting.pop(outcome.change.subject, None) is not None:
                yield _told(outcome, secrets)
        rest: Iterable[Outcome] = [Unknown(change, "the connector gave no outcome") for change in waiting.values()]
    except UnansweredError as error:
        rest = [Unknown(change, str(error)) for change in waiting.values()]
    except TransientError as error:
        rest = [Deferred(change, error.retry_after, str(error)) for change in waiting.values()]
    except ConfigError as error:
        rest = [Deferred(change, None, str(error), blocked=True) for change in waiting.values()]
    except RejectedError as error:
        rest = [Rejected(change, error.code, str(error)) for change in waiting.values()]
    except ContractError as error:
        rest = [Unknown(change, str(error)) for change in waiting.values()]
    except Exception as bug:
        why = f"the connector broke ({type(bug).__name__}: {bug}); please report it to its author"
        rest = [Unknown(change, why) for change in waiting.values()]
    yield from (_told(outcome, secrets) for outcome in rest)


class Step(NamedTuple):
    """One request of several, and the changes it carries. `send()` gives their outcomes, or raises for all of them."""

    changes: Sequence[Change]
    send: Callable[[], Iterable[Outcome]]


def in_turn(steps: Iterable[Step]) -> Iterator[Outcome]:
    """Outcomes of a batch that needs more than one request, as where who joins and who leaves go different ways.

    A request that stays unanswered leaves its own changes unknown; those after it were not sent, and wait. What has an
    outcome before its request failed keeps it.
    """
    unanswered = False
    for step in steps:
        waiting = {change.subject: change for change in step.changes}
        if unanswered:
            yield from (
                Deferred(one, why="not sent: the request before it was not answered") for one in waiting.values()
            )
            continue
        try:
            for outcome in step.send():
                waiting.pop(outcome.change.subject, None)
                yield outcome
        except RejectedError as error:
            yield from (Rejected(change, error.code, str(error)) for change in waiting.values())
        except (UnansweredError, ContractError) as error:
            unanswered = True
            yield from (Unknown(change, str(error)) for change in waiting.values())


def _told(outcome: Outcome, secrets: Sequence[SecretStr]) -> Outcome:
    """The outcome in words that may be stored and shown."""
    if isinstance(outcome, Accepted):  # nearly all of them
        return outcome
    match outcome:
        case Rejected(message=words):
            return replace(outcome, message=sample(words, secrets))
        case Deferred(why=words) | Unknown(why=words):
            return replace(outcome, why=sample(words, secrets))
