"""What stops a wrong price: it waits for a person, the others go."""

from mappings.sync.guards import Floats, Words, first_of, leaps


def price_guard(
    was: Floats, becomes: Floats, floor: Floats, ceiling: Floats, step: float | None, rounded: float = 0
) -> Words:
    """Which guard holds each change of price, None where it may go: zero, floor, ceiling, step. NaN: no such bound.
    Prices are `rounded` to multiples of this."""
    return first_of(
        {
            "zero": becomes <= 0,
            "floor": becomes < floor,
            "ceiling": becomes > ceiling,
            "step": leaps(was, becomes, step, rounded),
        }
    )
