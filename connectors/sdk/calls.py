"""What vendors tell unasked: calls to `/hooks/<connection>` of the feed server."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Call:
    """A POST as it came: the body byte for byte, since signatures are of bytes; names of headers in lower case.

    `path`: what its address has after `/hooks/<connection>/`, for vendors who sign nothing: a secret can stand there.
    """

    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    path: str = field(default="", repr=False)


@dataclass(frozen=True)
class Heard:
    """What a call says of one resource.

    `records`: whole ones, as the resource's own `extract` would give them; they land at once. `keys`: of records to be
    read again, where the call is a mere hint; the next read of the resource gets them in `Since.hinted`, and the hot
    lane reads it within seconds. The key "" asks for that read and names no record.
    """

    resource: str
    records: Sequence[dict[str, Any]] = ()
    keys: Sequence[str] = ()


Hear = Callable[[Any, Call], Iterable[Heard]]
"""`hear(config, call)`: what a call says. Raises RejectedError where it does not prove to be the vendor's own (nothing
of it is kept), ContractError where its shape is unknown, ConfigError where the secret that proves calls is not set."""
