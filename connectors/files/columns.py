"""Which column of a file tells which target: what the merchant names, else the names by which exports are known."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from connectors.files.config import FilesConfig
from connectors.files.layouts import LAYOUTS, Layout, Names

DEEPEST_HEADER = 50
"""Rows searched for column names; above them a report has its title and period."""


@dataclass(frozen=True)
class Columns:
    """`places`: target → columns whose texts are joined by a blank. `problems`: what stands in the way, in words."""

    header: tuple[str, ...]
    places: Mapping[str, tuple[int, ...]]
    constants: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @property
    def targets(self) -> tuple[str, ...]:
        return (*self.places, *self.constants)

    @property
    def unread(self) -> tuple[str, ...]:
        """Names of columns that tell no target."""
        read = {at for joined in self.places.values() for at in joined}
        return tuple(name.strip() for at, name in enumerate(self.header) if at not in read and name.strip())

    def those(self, *targets: str) -> tuple[str, ...]:
        """Of these the ones it has."""
        return tuple(target for target in targets if target in self.targets)


def find_header(config: FilesConfig, rows: Sequence[Sequence[str]]) -> tuple[int, Columns]:
    """The first row in which every needed column is found, and they; else the row that comes closest, with its
    problems.

    `header_row` counts lines, so `rows` holds one entry per line, blank ones included.
    """
    if config.header_row is not None:
        row = config.header_row - 1
        return row, columns_of(config, rows[row] if row < len(rows) else ())
    best, found = 0, Columns((), {}, problems=("it has no row of column names",))
    for row, cells in enumerate(rows[:DEEPEST_HEADER]):
        columns = columns_of(config, cells)
        if not columns.problems:
            return row, columns
        if len(columns.places) > len(found.places):
            best, found = row, columns
    return best, found


def columns_of(config: FilesConfig, cells: Sequence[str]) -> Columns:
    """The targets that a row of column names tells."""
    layout, problems = LAYOUTS[config.layout], list[str]()
    names = [normal(cell) for cell in cells]
    places, constants = _by_settings(config, names, problems), _constants(config)
    places |= {target: (at,) for target, at in _by_prefix(layout, cells).items() if target not in config.columns}
    taken = {at for joined in places.values() for at in joined}
    for target in layout.targets:
        if target not in config.columns:
            places |= _known(layout, target, names, taken, problems)
    told = {*(target for target, joined in places.items() if joined), *constants}
    problems += [_missing(group) for group in layout.required if not told & set(group)]
    return Columns(
        tuple(cells), {target: joined for target, joined in places.items() if joined}, constants, tuple(problems)
    )


def _by_settings(config: FilesConfig, names: Sequence[str], problems: list[str]) -> dict[str, tuple[int, ...]]:
    """Places of the columns that the merchant names; what is not found is a problem."""
    places = {}
    for target, stated in config.columns.items():
        wanted = [stated] if isinstance(stated, str) else stated
        if not (len(wanted) == 1 and wanted[0].startswith("=")):
            found = [_stated(name, names) for name in wanted]
            problems += [
                f"columns.{target} names {name!r}, which is not one of its columns"
                for name, at in zip(wanted, found, strict=True)
                if at is None
            ]
            places[target] = tuple(at for at in found if at is not None)
    return places


def _constants(config: FilesConfig) -> dict[str, str]:
    """What the settings say of every row: `=KZT`."""
    return {
        target: stated[1:].strip()
        for target, stated in config.columns.items()
        if isinstance(stated, str) and stated.startswith("=")
    }


def _by_prefix(layout: Layout, cells: Sequence[str]) -> dict[str, int]:
    """Columns that tell their target themselves, in the layouts that have such."""
    names = {cell.strip(): at for at, cell in enumerate(cells)}
    return {name: at for name, at in names.items() if layout.prefix and name.startswith(layout.prefix)}


def _stated(name: str, names: Sequence[str]) -> int | None:
    """The one column a merchant names: by its whole name, or by the end of a document's path."""
    wanted = normal(name)
    if names.count(wanted) == 1:
        return names.index(wanted)
    ends = [at for at, known in enumerate(names) if known.endswith("." + wanted)]
    return ends[0] if len(ends) == 1 else None


def _known(
    layout: Layout, target: str, names: Sequence[str], taken: set[int], problems: list[str]
) -> dict[str, tuple[int, ...]]:
    found = [at for at in _matching(layout, target, layout.targets[target], names) if at not in taken]
    if len(found) > 1:
        problems.append(
            f"{' and '.join(repr(names[at]) for at in found)} could both be {target}: name one in columns.{target}"
        )
    if found:
        return {target: (found[0],)}
    parts = [_matching(layout, target, part, names) for part in layout.parts.get(target, ())]
    joined = tuple(part[0] for part in parts if part)
    return {target: joined} if parts and parts[0] and not taken & set(joined) else {}


def _matching(layout: Layout, target: str, known: Names, names: Sequence[str]) -> list[int]:
    """Columns of these names; one called as the target itself comes before all others. A document's path counts by its
    end, the shortest first, but not for what lines tell.
    """
    own = [at for at, name in enumerate(names) if name == normal(target)]
    exact = own or [at for at, name in enumerate(names) if name in known]
    if exact or target in layout.lines:
        return exact
    ends = [at for at, name in enumerate(names) if any(name.endswith("." + end) for end in known)]
    depth = min((names[at].count(".") for at in ends), default=0)
    return [at for at in ends if names[at].count(".") == depth]


def _missing(group: Names) -> str:
    return f"it has no known column for {' or '.join(group)}: name it in columns.{group[0]}"


def normal(name: str) -> str:
    """`Кол-во. ` and `кол-во`, `store_code` and `Store code` are one name."""
    text = unicodedata.normalize("NFC", name).replace("ё", "е").replace("Ё", "Е").replace("_", " ").casefold()
    return re.sub(r"\s+", " ", text).strip(" .:\ufeff")


def joined(columns: Columns, cells: Sequence[str | None]) -> Iterator[tuple[str, str | None]]:
    """Target and text of one row of cells."""
    for target, places in columns.places.items():
        texts = [text for at in places if at < len(cells) and (text := cells[at])]
        yield target, " ".join(texts) or None
    yield from columns.constants.items()
