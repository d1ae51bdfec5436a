"""All segments of a hub together: each after those it refers to."""

from collections.abc import Iterable, Mapping

from mappings.segments.compile import Compiled


def in_order(segments: Iterable[Compiled]) -> tuple[Compiled, ...]:
    """Raises ValueError where two have one name, one refers to a segment that is not there, or they go in a circle."""
    known: dict[str, Compiled] = {}
    for one in segments:
        if one.name in known:
            raise ValueError(f"two segments are called {one.name!r}: rename one of them")
        known[one.name] = one
    done: dict[str, Compiled] = {}
    for one in known.values():
        _visit(one, known, done, ())
    return tuple(done.values())


def _visit(one: Compiled, known: Mapping[str, Compiled], done: dict[str, Compiled], way: tuple[str, ...]) -> None:
    if one.name in way:
        circle = " → ".join((*way[way.index(one.name) :], one.name))
        raise ValueError(f"segments refer to each other in a circle: {circle}; take one reference out")
    if one.name in done:
        return
    for other in sorted(one.refers):
        if other not in known:
            raise ValueError(f"segment {one.name}: there is no segment {other!r}; write segments/{other}.yaml")
        _visit(known[other], known, done, (*way, one.name))
    done[one.name] = one
