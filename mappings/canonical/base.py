"""What every canonical record shares: it is frozen, it forbids unknown fields, its times are aware."""

from typing import Annotated, ClassVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, StringConstraints

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class Canonical(BaseModel):
    """A record in the hub's own model. `entity` names its table in schema `canonical`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    entity: ClassVar[str]


class SourceRef(Canonical):
    """Who said so, and when: enough for `keruen explain` to find the payload again."""

    entity: ClassVar[str] = "source"
    connection: str
    resource: str
    key: str
    observed_at: AwareDatetime
    load_id: str | None = None
    mapping: str = "1"


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("control characters are not allowed in an identifier")
    return value


Identifier = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(_printable)]
