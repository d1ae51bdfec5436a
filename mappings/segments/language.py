"""A segment as a marketer writes it: conditions over named fields, in YAML. There is no SQL in it, and none can be."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StrictBool,
    Tag,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from mappings.canonical.contact import Channel
from mappings.complaints import Steps, complaint, dotted

NAME = r"^[a-z][a-z0-9_]{0,60}$"
SPAN = r"^[1-9]\d{0,3} ?[dh]$"
Operator = Literal[
    "=", "!=", "in", "not in", ">", ">=", "<", "<=", "between", "within", "older_than", "exists", "absent",
]  # fmt: skip
Scalar = StrictBool | int | Decimal | date | datetime | str


def _like(pattern: str, looks: str) -> BeforeValidator:
    """A text of that pattern. Of any other it is said how it `looks`: a marketer reads no patterns."""

    def read(said: Any) -> Any:
        if isinstance(said, str) and re.fullmatch(pattern, said):
            return said
        raise ValueError(looks)

    return BeforeValidator(read, json_schema_input_type=Annotated[str, Field(pattern=pattern)])


def _whole_hour(said: Any) -> Any:
    """YAML takes 10:00 for 600 seconds."""
    if isinstance(said, int) and 0 <= said <= 24:
        return said
    raise ValueError("hours are whole, from 0 to 24: write 10, not 10:00")


def _plain(said: Any, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(said)
    except ValidationError:
        raise ValueError("it takes a number, a text, a day, true or false, or a list of these") from None


Name = Annotated[str, _like(NAME, "it is made of small Latin letters, digits and _, and begins with a letter")]
Span = Annotated[str, _like(SPAN, "a time is written like 14d (days) or 4h (hours)")]
"""Whole local days (14d) or hours (4h)."""
Hour = Annotated[int, BeforeValidator(_whole_hour)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Test(_Part):
    """A field compared with a value: `{field: orders.count, op: ">=", value: 8}`."""

    __test__ = False

    field: str = Field(description="Name of a field; `keruen segment list --fields` shows them.")
    op: Operator = Field(
        description="within 30d: on the last 30 local days, today included; older_than 30d: before these."
    )
    value: Annotated[Scalar | tuple[Scalar, ...] | None, WrapValidator(_plain)] = Field(
        None, description="in, not in: a list; between: two values, both included; exists, absent: none."
    )


class Goods(_Part):
    """Goods by their category (and all below it) or by sku."""

    category: str | None = Field(None, description="Path of a category; what lies below it belongs to it.")
    sku: tuple[str, ...] = Field((), description="Skus, one or a list.")

    @model_validator(mode="before")
    @classmethod
    def _one_sku_is_a_list(cls, said: Any) -> Any:
        one = isinstance(said, Mapping) and isinstance(said.get("sku"), str | int)
        return {**said, "sku": [said["sku"]]} if one else said

    @model_validator(mode="after")
    def _names_goods(self) -> "Goods":
        if not self.category and not self.sku:
            raise ValueError("say which goods: a category or a sku")
        return self


class Purchase(Goods):
    """Bought anywhere, and not brought back anywhere."""

    within: Span | None = Field(None, description="Bought on these last local days (or hours).")
    older_than: Span | None = Field(None, description="At least so long ago: a follow-up waits for it.")
    without: Goods | None = Field(
        None, description="No purchase of these since, in the same order neither; what came back was none."
    )

    @model_validator(mode="after")
    def _leaves_time(self) -> "Purchase":
        if self.within and self.older_than and _never(self.within, self.older_than):
            raise ValueError(f"`within` must reach further back than `older_than` ({self.older_than})")
        return self


class Bought(_Part):
    """`{bought: {category: Sofas, within: 60d, without: {category: Care}}}`."""

    bought: Purchase


class Abandoned(_Part):
    """An open cart nobody touched for so long, of which nothing was bought since, in whatever channel."""

    idle: Span = Field(description="Nobody touched it for so long, e.g. 4h.")
    within: Span | None = Field(None, description="It is not older than this: nobody wants last year's cart.")

    @model_validator(mode="after")
    def _leaves_time(self) -> "Abandoned":
        if self.within and _never(self.within, self.idle):
            raise ValueError(f"`within` must reach further back than `idle` ({self.idle})")
        return self


class Cart(_Part):
    """`{abandoned_cart: {idle: 4h, within: 7d}}`."""

    abandoned_cart: Abandoned


class InSegment(_Part):
    """`{segment: employees}`: is a member of another segment."""

    segment: Name


class All(_Part):
    """Every one of the conditions holds."""

    all: tuple["Condition", ...] = Field(min_length=1)


class AnyOf(_Part):
    """At least one of the conditions holds."""

    any: tuple["Condition", ...] = Field(min_length=1)


class Not(_Part):
    """The condition does not hold; where a field is unknown it does not hold either, so its `not` does."""

    not_: "Condition" = Field(alias="not")


KINDS: Mapping[str, type[_Part]] = {
    "field": Test, "bought": Bought, "abandoned_cart": Cart, "segment": InSegment, "all": All, "any": AnyOf, "not": Not,
}  # fmt: skip


def _kind(said: Any) -> str | None:
    """Which condition it is, by its first word."""
    if isinstance(said, _Part):
        return next(word for word, one in KINDS.items() if type(said) is one)
    return next((word for word in KINDS if isinstance(said, Mapping) and word in said), None)


Condition = Annotated[
    Annotated[Test, Tag("field")]
    | Annotated[Bought, Tag("bought")]
    | Annotated[Cart, Tag("abandoned_cart")]
    | Annotated[InSegment, Tag("segment")]
    | Annotated[All, Tag("all")]
    | Annotated[AnyOf, Tag("any")]
    | Annotated[Not, Tag("not")],
    Discriminator(
        _kind,
        custom_error_type="condition",
        custom_error_message=f"a condition begins with one of the words {', '.join(KINDS)}",
    ),
]


class Title(_Part):
    """What people read, in each language."""

    ru: str
    kk: str
    en: str


class Consent(_Part):
    """By which consent its members may be reached; asked when something is sent, not when they become members.
    It is asked by the channel by which whatever they are shown to reaches people."""

    channel: Channel
    purpose: str = "marketing"


class Activation(_Part):
    """Where members are shown."""

    channel: str = Field(description="A connection of connections.yaml that can take segments.")
    audience: str = Field(description="Name of the list, tag, field or audience there.")


class Hours(_Part):
    """Local hours in which somebody may enter and be shown to channels; at night both wait until they begin. Leaving
    never waits."""

    from_: Hour = Field(alias="from", ge=0, le=23)
    to: Hour = Field(ge=1, le=24)

    @model_validator(mode="after")
    def _is_a_piece_of_the_day(self) -> "Hours":
        if self.to <= self.from_:
            raise ValueError("`to` must be later than `from`, on the same day")
        return self


def _share(said: Any) -> Decimal:
    found = re.fullmatch(r"(\d+(?:[.,]\d+)?) ?(%?)", str(said))
    share = Decimal(found[1].replace(",", ".")) / (100 if found[2] else 1) if found else Decimal(1)
    if share < 1:
        return share
    raise ValueError("it is a share below the whole: write it like 10%")


class Segment(_Part):
    """One file `segments/<name>.yaml`."""

    segment: Name = Field(description="Its name, as in the file's name.")
    title: Title
    owner: str = Field("", description="Who answers for it.")
    refresh: Literal["on_change", "daily", "once"] = Field(
        "on_change",
        description="When the passing of time is looked at: always, or once a local day. Changed data count at once. "
        "once: filled one time and then left as it is (a static list).",
    )
    where: Condition
    hours: Hours | None = None
    hold_out: Annotated[Decimal, BeforeValidator(_share)] = Field(
        Decimal(0), ge=0, lt=1, description="Share of members that are never written to, to compare with, e.g. 10%."
    )
    consent: Consent | None = None
    activate: tuple[Activation, ...] = ()

    @model_validator(mode="after")
    def _asks_for_consent(self) -> "Segment":
        if self.activate and self.consent is None:
            raise ValueError("a segment that is activated says by which consent: consent: {channel: …, purpose: …}")
        return self


class Slip(ValueError):
    """What is to be mended in a segment's file, and at which of its keys."""

    def __init__(self, why: str, at: Steps = ()) -> None:
        super().__init__(why)
        self.at = at


def parse(said: Any) -> Segment:
    """A segment of its YAML's content. Raises Slip that begins with the place and says what to mend."""
    try:
        return Segment.model_validate(said)
    except ValidationError as error:
        steps, says = complaint(error, Segment)
        place = _place(steps)
        raise Slip(f"{dotted(place)}: {says}" if place else says, place) from None


def _place(steps: Steps) -> Steps:
    """As the file has it: the words by which pydantic says which condition was meant are its own."""
    following = (*steps, None)[1:]
    told = (one for one, then in zip(steps, following, strict=False) if one != then and not (one == "field" and then))
    return tuple(told)


def schema() -> dict[str, Any]:
    """JSON Schema of a segment's file, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Segment.model_json_schema()}


# ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def bound(span: str, now: datetime) -> datetime:
    """What lies before it is older than `span`, what does not is within it. `now` in the local zone.

    Days are whole: 30d ends with the midnight that began the thirtieth day, today counted as the first. Hours are those
    that passed, and in UTC: moments of one zone are compared by the hands of its clock, which may go back.
    """
    amount = int(span[:-1])
    if span.endswith("h"):
        return now.astimezone(UTC) - timedelta(hours=amount)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=amount - 1)


def _never(within: str, older: str) -> bool:
    """Whether nothing is within one span and older than the other, at whatever hour it is asked."""
    day = datetime(2026, 1, 1, tzinfo=UTC)
    return all(bound(within, now) >= bound(older, now) for now in (day, day + timedelta(hours=23, minutes=59)))


def polite(hours: Hours | None, now: datetime) -> datetime | None:
    """When somebody may enter next: None for at once. `now` in the local zone."""
    if hours is None or hours.from_ <= now.hour < hours.to:
        return None
    opens = now.replace(hour=hours.from_, minute=0, second=0, microsecond=0)
    return opens if now < opens else opens + timedelta(days=1)
