"""What a log line, an error or a metadata entry may show: no secrets, no phones, no e-mails, no names in JSON."""

import re
from base64 import b64encode
from collections.abc import Iterable
from urllib.parse import quote

from pydantic import SecretStr

HIDDEN = "***"
_CREDENTIAL = (
    r"(?:access|refresh|auth|api|merchant|client)?[_-]?"
    r"(?:token|secret|password|passwd|pwd|signature|sign|sig|key)"
)
_PERSONAL = (
    r"(?:client[_-]?|customer[_-]?|buyer[_-]?|recipient[_-]?)?"
    r"(?:(?:first|last|middle|full|second)[_-]?name|surname|patronymic|cell[_-]?phone|phones?|e?mails?|street[_-]?name|"
    r"street|address|formatted[_-]?address|iin)"
)
_RULES = tuple(
    (re.compile(pattern, re.IGNORECASE), becomes)
    for pattern, becomes in (
        (rf'("(?:{_CREDENTIAL}|{_PERSONAL})"\s*:\s*)("(?:[^"\\]|\\.)*"?|\[[^\]]*\]?|\d+)', rf'\1"{HIDDEN}"'),
        (rf"\b({_CREDENTIAL}=)[^&\s\"'<>]+", rf"\1{HIDDEN}"),
        (r"\b(bearer|basic|token)\s+[A-Za-z0-9+/=._~-]{6,}", rf"\1 {HIDDEN}"),
        (r"(://)[^/\s:@]+:[^/\s@]+@", rf"\1{HIDDEN}@"),
        (r"[\w.+-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+", HIDDEN),
        (r"(?<![\d.])\+\d[\d\s().-]{8,16}\d", HIDDEN),
        (r"(?<![\d.])(?:[78][\s(-]*)?[79]\d\d[\s).-]{0,2}\d{3}[\s.-]?\d{2}[\s.-]?\d{2}(?!\d)", HIDDEN),
    )
)


def redacted(text: str, secrets: Iterable[SecretStr] = ()) -> str:
    """`text` without the given secrets (as such, URL-quoted or in base64) and without anything that looks personal.

    Ten digits that begin with 7 or 9 count as a phone, so an id of that shape is hidden too: better than the reverse.
    """
    for secret in secrets:
        for form in _forms(secret.get_secret_value()):
            text = text.replace(form, HIDDEN)
    for pattern, becomes in _RULES:
        text = pattern.sub(becomes, text)
    return text


def sample(text: str, secrets: Iterable[SecretStr] = (), most: int = 300) -> str:
    """A short redacted piece of a vendor's answer, on one line."""
    line = " ".join(redacted(text[: most * 4], secrets).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _forms(value: str) -> tuple[str, ...]:
    """Secrets of one or two characters would blank out the whole text; they are no secrets."""
    if len(value) < 3:
        return ()
    return value, quote(value, safe=""), b64encode(value.encode()).decode()
