"""Finding what is known of somebody in any text, however it is written, and taking it out."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

DIGITS_OF_A_NUMBER = 10
NOTHING = r"(?!)"
_BETWEEN = r"[\s().-]*"


@dataclass(frozen=True)
class Traces:
    """`phones` in E.164, `emails`, `texts`: full names, addresses, cards, seals. They are found in any case."""

    phones: frozenset[str] = frozenset()
    emails: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()

    @cached_property
    def pattern(self) -> str:
        """One regular expression that Python and PostgreSQL read alike."""
        parts = [*map(_phone, sorted(self.phones)), *(_words(one) for one in sorted(self.emails | self.texts))]
        return "|".join(parts) or NOTHING

    @cached_property
    def expression(self) -> re.Pattern[str]:
        return re.compile(self.pattern, re.IGNORECASE)

    def in_text(self, text: str) -> bool:
        return self.expression.search(text) is not None

    def out_of(self, text: str) -> str:
        return self.expression.sub("", text)

    def out_of_value(self, value: Any) -> Any:
        """A JSON value without them, its shape kept."""
        if isinstance(value, str):
            return self.out_of(value)
        if isinstance(value, dict):
            return {self.out_of(name): self.out_of_value(part) for name, part in value.items()}
        return [self.out_of_value(part) for part in value] if isinstance(value, list) else self._number(value)

    def _number(self, value: Any) -> Any:
        return None if isinstance(value, int) and self.in_text(str(value)) else value


def names_of(card: Mapping[str, Any]) -> frozenset[str]:
    """Full names of a card: `name`, and `last_name`, `first_name`, `middle_name` as one."""
    parts = (card.get(part) for part in ("last_name", "first_name", "middle_name"))
    return full_names([card.get("name"), " ".join(filter(None, parts))])


def full_names(parts: Iterable[str | None]) -> frozenset[str]:
    """Of names those that tell one person from most others: two words and more."""
    return frozenset(name.strip() for name in parts if name and len(name.split()) > 1)


def _phone(number: str) -> str:
    """The number with or without its country, with any signs between the digits."""
    digits = re.sub(r"\D", "", number)[-DIGITS_OF_A_NUMBER:]
    return rf"(?<!\d)(?:\+?[78]{_BETWEEN})?{_BETWEEN.join(digits)}(?!\d)"


def _words(text: str) -> str:
    escaped = r"\s+".join(re.sub(r"([^\w\s])", r"\\\1", word) for word in text.split())
    return rf"(?<!\w){escaped}(?!\w)"
