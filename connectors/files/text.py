"""Bytes → text: which encoding a file is in, whether all of it is, and where it ends."""

import codecs
import io
from dataclasses import dataclass
from typing import BinaryIO

from connectors.files.config import FilesConfig
from connectors.files.whole import broken
from connectors.sdk.files import FoundFile

BLOCK = 1 << 22
HEAD = 1 << 18
TAIL = 1 << 16
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
END_OF_DOS_FILE = "\x1a"


class Misread(Exception):
    """The settings do not fit this file; `problems` say how it shows. Becomes a ConfigError that names the settings."""

    def __init__(self, *problems: str):
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Survey:
    """What one look over all bytes tells. `lines`: line ends; `quoted`: whether there is any quotation mark."""

    encoding: str
    lines: int
    quoted: bool


def encoding_of(config: FilesConfig, start: bytes) -> str:
    """The stated encoding, else that of a byte order mark, else UTF-8. Raises Misread when mark and setting differ."""
    marked = next((name for mark, name in MARKS.items() if start.startswith(mark)), None)
    stated = codecs.lookup(config.encoding).name if config.encoding else marked or "utf-8"
    if stated in {"utf-8", "utf-8-sig"} and marked in {None, "utf-8-sig"}:
        return marked or "utf-8"
    if marked and not (stated == marked or (stated.startswith("utf-16") and marked == "utf-16")):
        raise Misread(f"it begins with the byte order mark of {marked.removesuffix('-sig')}, not {config.encoding}")
    if not marked and (b"\0" in start[:200]) != stated.startswith("utf-16"):
        raise Misread(f"its bytes are not {config.encoding or 'utf-8'}")
    return "utf-16-be" if start.startswith(codecs.BOM_UTF16_BE) else "utf-16-le" if stated == "utf-16" else stated


def survey(found: FoundFile, encoding: str) -> Survey:
    """Reads all of it once. Raises Misread where the bytes are of another encoding, with the line."""
    decoder = codecs.getincrementaldecoder(encoding)()
    rival = None if encoding.startswith("utf") else codecs.getincrementaldecoder("utf-8")()
    lines, quoted, foreign = 0, False, False
    with found.bytes_at.open("rb") as file:
        while block := file.read(BLOCK):
            try:
                text = decoder.decode(block)
            except UnicodeDecodeError as error:
                line = lines + 1 + block[: error.start].count(b"\n")
                raise Misread(f"line {line} is not {encoding.removesuffix('-sig')} text") from None
            foreign = foreign or not block.isascii()
            rival = rival if rival and _decodes(rival, block) else None
            lines, quoted = lines + text.count("\n"), quoted or '"' in text
    if rival and foreign:
        raise Misread(f"its letters are utf-8, not {encoding}")
    if decoder.getstate()[0]:
        raise broken(found, lines + 1, "the last letter is cut")
    return Survey(encoding, lines, quoted)


def _decodes(decoder: codecs.IncrementalDecoder, block: bytes) -> bool:
    try:
        decoder.decode(block)
    except UnicodeDecodeError:
        return False
    return True


def head(found: FoundFile, encoding: str) -> str:
    """The first text, without a cut letter at its end and without the mark."""
    with found.bytes_at.open("rb") as file:
        return codecs.getincrementaldecoder(encoding)().decode(file.read(HEAD)).removeprefix("\ufeff")


def tail(found: FoundFile, encoding: str) -> tuple[int, str]:
    """The last lines, whole ones, and the byte at which they begin; the entire text of a small file."""
    line_end = "\n".encode(plain(encoding))
    with found.bytes_at.open("rb") as file:
        begin = file.seek(max(0, found.size - TAIL) & ~1)
        last = file.read()
    if begin:
        at = last.find(line_end)
        while at % len(line_end):
            at = last.find(line_end, at + 1)
        begin, last = begin + at + len(line_end), last[at + len(line_end) :]
    elif any(last.startswith(mark) for mark in MARKS):
        size = len("\ufeff".encode(plain(encoding)))
        begin, last = size, last[size:]
    return begin, last.decode(plain(encoding))


def plain(encoding: str) -> str:
    """The encoding without a mark of its own."""
    return encoding.removesuffix("-sig")


class Body(io.RawIOBase):
    """The bytes from the start to `end`, as UTF-8, then `after`: what the CSV parser is given."""

    def __init__(self, file: BinaryIO, encoding: str, end: int, after: str):
        self._file, self._left, self._after = file, end, after.encode()
        self._decoder = None if encoding in {"utf-8", "utf-8-sig"} else codecs.getincrementaldecoder(encoding)()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        limit = BLOCK if size < 0 else size
        block = self._file.read(
            min(self._left, limit // 3 if self._decoder else limit)
        )  # a letter takes up to three bytes
        self._left -= len(block)
        if block and self._decoder:
            block = self._decoder.decode(block).encode() or self.read(size)
        if not block:
            block, self._after = self._after, b""
        return block
