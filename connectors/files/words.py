"""Words of files and what they mean."""

from collections.abc import Callable, Mapping

from connectors.files.columns import normal
from mappings.tables import convert

Words = Mapping[str, str]
"""Word → what it means."""


def words(**meanings: str) -> Words:
    """From meaning → the words for it, in Russian, Kazakh and English."""
    return {normal(word): meaning for meaning, listed in meanings.items() for word in listed.split(",")}


def known(meanings: Words) -> Callable[[str], str]:
    """A converter of words; one that nobody foresaw sets the line aside (rule `unknown_value`)."""
    return lambda text: meanings[normal(text)]


def or_as_written(meanings: Words) -> Callable[[str], str | None]:
    """A converter that keeps further words, in small letters."""
    return lambda text: meanings.get(normal(text)) or (convert.text(text) or "").casefold() or None
