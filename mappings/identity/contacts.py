"""Phones and e-mails as keys: what is one value, and which values stand for nobody."""

from collections.abc import Iterable

import phonenumbers

from mappings.tables.notation import NO_ID

MOBILE = "^\\+7(70[0-8]|747|771|77[5-8])[0-9]{7}$"
"""Codes of Kazakh mobile operators; a landline of the country is nobody's own number (design 2.2)."""

RUNS = frozenset(
    "".join(str((start + way * step) % 10) for step in range(7)) for start in range(10) for way in (1, -1)
) | frozenset(str(digit) * 7 for digit in range(10))
"""Last seven digits that people type to get past a form."""

PLACEHOLDER_PHONES = frozenset({"+77001112233", "+77771112233", "+77012223344", "+77070000000"})
PLACEHOLDER_BOXES = frozenset(
    [
        "test",
        "no",
        "none",
        "net",
        "noemail",
        "nomail",
        "no-email",
        "no-reply",
        "noreply",
        "email",
        "mail",
        "asd",
        "qwe",
        "qwerty",
        "123",
    ]
)
"""What stands before the @ where a till demands an e-mail that nobody wants to give."""


NOTHING = "(?i)[0\\s\\p{P}\\p{S}]*|" + "|".join(sorted(NO_ID))
"""A card or an id that stands where there is none, as `mappings.tables.notation.somebodys` reads files."""


def foreign_numbers(numbers: Iterable[str]) -> list[str]:
    """Those that are valid numbers of another country. Ask for distinct ones: the library takes 20 µs for each."""
    return [number for number in numbers if _foreign(number)]


def _foreign(number: str) -> bool:
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.is_valid_number(parsed) and phonenumbers.region_code_for_number(parsed) != "KZ"


def email_key(column: str) -> str:
    """SQL of the mailbox behind an address: no +tag, no dots at Gmail, one domain of Gmail; null where it is no
    address."""
    box = f"regexp_replace(split_part({column}, '@', 1), '\\+.*$', '')"
    domain = f"replace(split_part({column}, '@', 2), 'googlemail.com', 'gmail.com')"
    return f"""case when regexp_full_match({column}, '[^@\\s]+@[^@\\s]+\\.[^@\\s.]+') and {box} <> ''
        then case {domain} when 'gmail.com' then replace({box}, '.', '') else {box} end || '@' || {domain} end"""
