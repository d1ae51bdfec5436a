"""Names in Kazakh, Russian and Latin script become one key, whoever wrote them down and how."""

import re
from dataclasses import dataclass

from mappings.identity.short_forms import EITHER, FULL, NOBODY

LETTERS = str.maketrans(
    dict(zip("абвгғдезиіклмнңопрстуұүфһыэәөқй", "abvggdeziiklmnnoprstuuufhieaoki", strict=True))
    | {
        "ё": "io",
        "ж": "zh",
        "х": "kh",
        "ц": "ts",
        "ч": "ch",
        "ш": "sh",
        "щ": "sh",
        "ю": "iu",
        "я": "ia",
        "ъ": "",
        "ь": "",
    }
    | dict(zip("äáàâöóôüúûūğǵñńŋıíïîéèëqwyó", "aaaaooouuuuggnnniiiieeekuio", strict=True))
    | {"ş": "sh", "š": "sh", "ç": "ch", "č": "ch", "ž": "zh", "x": "ks", "'": "", "’": "", "`": "", "ʼ": ""}
)
"""Every letter of the three alphabets in plain Latin. `у` and `w`, `ы`, `и`, `й` and `y` are one letter each."""

SOUNDS = tuple(
    (re.compile(written), sound)
    for written, sound in (
        ("shch|sch", "sh"),
        ("dzh|dj|zh", "j"),
        ("tch|ch", "ç"),
        ("kh", "h"),
        ("gh", "g"),
        ("ph", "f"),
        ("c", "k"),
        ("ts|tz", "c"),
        ("(?<=[aeiou])j(?![aeiou])|(?<=i)j(?=as?$)|(?<=[^aeiou])j(?=a$)", "i"),
        ("io|ie", "e"),
        (r"(.)\1+", r"\1"),
    )
)
GENDER = (
    (re.compile(r"(?<=.{2})(ov|ev|in)a$"), r"\1"),
    (re.compile(r"aia$"), "i"),
    (re.compile(r"(?<=.{3})(uli|ulu|kizi)$"), ""),
)
PATRONYMIC = re.compile(r".{2}(viç|iç|vna|içna|uli|kizi)$")
SURNAME = re.compile(r".{2}(ov|ev|in|ki|enko|uk|çuk|eva|ova|ina|aia|ian|dze|shvili)$")


@dataclass(frozen=True)
class Token:
    """One word of a name. `first` and `last` are its keys as either; `nobody` makes the whole name no name."""

    first: str
    last: str
    patronymic: bool
    surname: bool
    nobody: bool


def sound(word: str) -> str:
    """The word as it sounds, in plain letters: Нұрғүл, Нургуль and Nurgul give one text."""
    key = word.lower().translate(LETTERS)
    for pattern, replacement in SOUNDS:
        key = pattern.sub(replacement, key)
    return key


def first_key(word: str) -> str:
    """Key of a first name; a short form that means one name only gives that name."""
    key = sound(word)
    return _FULL.get(key, key)


def last_key(word: str) -> str:
    """Key of a surname without the ending that tells a woman from a man."""
    key = sound(word)
    for ending, replacement in GENDER:
        key = ending.sub(replacement, key)
    return key


def token(word: str) -> Token:
    key = sound(word)
    initial = key[:1] if len(word) == 1 else None
    return Token(
        first=initial or _FULL.get(key, key),
        last=initial or last_key(word),
        patronymic=bool(PATRONYMIC.search(key)),
        surname=bool(SURNAME.search(key)),
        nobody=nobody(word),
    )


def nobody(word: str) -> bool:
    """Whether it stands where a name should. One letter is an initial: `О.` sounds as ООО does."""
    return len(word) > 1 and sound(word) in _NOBODY


def town(name: str) -> str | None:
    """Key of a town: `г. Алматы`, `Almaty` and the names it had before are one."""
    words = [word for word in re.findall(r"[^\W\d_]+", name) if sound(word) not in _TOWN_WORDS]
    key = sound("".join(words))
    return _RENAMED.get(key, key) or None


_TOWN_WORDS = frozenset(sound(word) for word in ["г", "гор", "город", "қаласы", "қ", "city"])
_RENAMED = {
    sound(old): sound(new)
    for new, olds in {
        "Астана": "Нурсултан Целиноград Акмола",
        "Алматы": "Алмаата Алма",
        "Шымкент": "Чимкент",
        "Семей": "Семипалатинск",
        "Актобе": "Актюбинск",
        "Актау": "Шевченко",
        "Атырау": "Гурьев",
        "Тараз": "Жамбыл Джамбул",
        "Орал": "Уральск",
        "Оскемен": "УстьКаменогорск",
        "Кызылорда": "КзылОрда",
    }.items()
    for old in olds.split()
}
EITHER_WAY = frozenset(
    pair
    for short, fulls in EITHER.items()
    for full in fulls.split()
    for pair in ((sound(short), sound(full)), (sound(full), sound(short)))
)
"""Pairs of keys where one is a short form of several names, the other among them; in both orders."""

_FULL = {sound(short): sound(full) for full, shorts in FULL.items() for short in shorts.split()}
_NOBODY = frozenset(sound(word) for word in NOBODY.split())
