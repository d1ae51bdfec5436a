"""What a merchant wrote in YAML; a slip of the pen is told with its line, in words for whoever typed it."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError
from yaml.error import MarkedYAMLError

from connectors.sdk.errors import ConfigError

OPEN = "close the bracket or quote that is opened here, or put the comma that is missing after it"
TAB = "indent with spaces: YAML takes no tabs"
INDENT = "indent it like its neighbours, with a space after the colon; a text with a colon in it wants quotes"
QUOTE = "put quotes around a text that begins with a sign like @ % * & ! > |"
TWICE = "this word stands here for the second time; take one of the two out"


class _Loader(yaml.SafeLoader):
    """YAML in which a word may stand once: the last one would count, and the first be lost without a sound."""


def _once(loader: _Loader, node: yaml.MappingNode) -> Any:
    seen = set[str]()
    for word in (word for word, _ in node.value if isinstance(word, yaml.ScalarNode)):
        if word.value in seen:
            raise ConstructorError(None, None, TWICE, word.start_mark)
        seen.add(word.value)
    return loader.construct_yaml_map(node)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _once)


def text_of(path: Path, name: str) -> str:
    """What the file says. Raises ConfigError with the line where it is not UTF-8."""
    return decoded(path.read_bytes(), name)


def decoded(raw: bytes, name: str) -> str:
    """`text_of` a file that was read already."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{name} is not UTF-8 (line {line}): save it again in that encoding") from None


def content(text: str, name: str) -> Any:
    """What `text` says. Raises ConfigError `<name>:<line>:<column> …`, which shows that line and the likely slip."""
    try:
        return yaml.load(text, _Loader)
    except MarkedYAMLError as error:
        raise ConfigError(_slip(error, text, name)) from None
    except (yaml.YAMLError, ValueError) as error:  # a ValueError: of 30 February
        raise ConfigError(f"{name} is not valid YAML: {str(error).partition(chr(10))[0]}") from None


def line(text: str, place: Iterable[str | int]) -> int:
    """Of the last of these keys, each within the one before, that is written there; from 1."""
    node, found = yaml.compose(text, Loader=yaml.SafeLoader), 1
    for step in place:
        inside = next((one for one in _parts(node) if one[0] == str(step)), None)
        if inside is None:
            break
        _, mark, node = inside
        found = mark.line + 1
    return found


def _parts(node: yaml.Node) -> Iterator[tuple[str, yaml.Mark, yaml.Node]]:
    """Key, where it begins, and what it says; of a list, places in it."""
    if isinstance(node, yaml.MappingNode):
        yield from ((key.value, key.start_mark, value) for key, value in node.value if isinstance(key.value, str))
    elif isinstance(node, yaml.SequenceNode):
        yield from ((str(place), one.start_mark, one) for place, one in enumerate(node.value))


def _slip(error: MarkedYAMLError, text: str, name: str) -> str:
    """YAML notices at the end of the file what was opened and not closed; it is mended where it was opened."""
    context = error.context or ""
    likely = _likely(context, error.problem or "")
    mark = error.context_mark if likely is OPEN or "simple key" in context else error.problem_mark
    if mark is None:
        return f"{name} is not valid YAML: {error.problem}"
    lines = text.rstrip().splitlines()
    line, column = min((mark.line, mark.column), (len(lines) - 1, len(lines[-1]) - 1))
    return f"{name}:{line + 1}:{column + 1} is not valid YAML: `{lines[line].strip()}`; {likely}"


def _likely(context: str, problem: str) -> str:
    if problem is TWICE:
        return TWICE
    if "flow" in context or "quoted scalar" in context:
        return OPEN
    if "'\\t'" in problem:
        return TAB
    if "block end" in problem or "mapping values" in problem or "simple key" in context:
        return INDENT
    return QUOTE
