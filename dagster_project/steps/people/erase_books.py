"""Forgetting in workbooks and other zipped documents: their XML is rewritten part by part, all else stays as it is."""

import html
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from mappings.privacy.forget import Traces

_STRING = re.compile(r"<((?:\w+:)?(?:si|is|text))\b[^>]*>.*?</\1>", re.DOTALL)
"""A text that formatting may have cut into runs."""
_RUN = re.compile(r"(<(?:\w+:)?t(?:\s[^>]*)?>)([^<]*)(?=</)")
_WORDS = re.compile(r">([^<]+)<")
_EMPTIED = re.compile(r"<((?:\w+:)?v)></\1>")


def holds(path: Path, traces: Traces) -> bool:
    """Looks into the parts, and into the zip's names of them."""
    try:
        return any(traces.in_text(_said(xml)) or traces.in_text(part.filename) for part, xml in _parts(path))
    except (zipfile.BadZipFile, RuntimeError):
        return traces.in_text(path.read_bytes().decode("latin-1"))


def write_without(path: Path, draft: Path, traces: Traces) -> bool:
    """False where the zip cannot be read, or a part is no text and yet holds a trace: the draft is of no use then."""
    try:
        with zipfile.ZipFile(path) as book, zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as clean:
            for part in book.infolist():
                clean.writestr(part, _clean(book.read(part), traces))
    except (zipfile.BadZipFile, RuntimeError, UnicodeDecodeError):
        return False
    return True


def _parts(path: Path) -> Iterator[tuple[zipfile.ZipInfo, str]]:
    with zipfile.ZipFile(path) as book:
        for part in book.infolist():
            yield part, book.read(part).decode("utf-8", "replace")


def _said(xml: str) -> str:
    """Its words as a reader sees them, runs joined; and the raw text, in whose attributes links lie."""
    joined = ("".join(html.unescape(words) for _, words in _RUN.findall(one[0])) for one in _STRING.finditer(xml))
    return "\n".join((*joined, html.unescape(xml)))


def _clean(content: bytes, traces: Traces) -> bytes:
    """Raises UnicodeDecodeError of a part that holds a trace and is no text."""
    if not traces.in_text(_said(content.decode("utf-8", "replace"))):
        return content
    xml = _STRING.sub(lambda one: _joined(one[0], traces), content.decode())
    xml = _WORDS.sub(lambda words: _without(words, traces), xml)
    return _EMPTIED.sub("", traces.out_of(xml)).encode()


def _without(words: re.Match[str], traces: Traces) -> str:
    """Words that hold no trace stay letter for letter."""
    said = html.unescape(words[1])
    return f">{html.escape(traces.out_of(said), quote=False)}<" if traces.in_text(said) else words[0]


def _joined(text: str, traces: Traces) -> str:
    """A string without the traces; where they ran over its formatting, that goes."""
    whole = "".join(html.unescape(words) for _, words in _RUN.findall(text))
    if not traces.in_text(whole):
        return text
    left = iter([html.escape(traces.out_of(whole), quote=False)])
    return _RUN.sub(lambda run: run[1] + next(left, ""), text)
