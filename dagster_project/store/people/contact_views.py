"""What contacts, carts and points come to, as views."""

from mappings.carts.merging import WANTED

HOLDER = "coalesce(person_id, connection || ':' || coalesce(customer, 'card:' || loyalty_id))"
"""Whose an entry of points is: a person's, else the buyer's as the source names him, else a card's."""

VIEWS = {
    "canonical.loyalty_balance": f"""
select {HOLDER} as holder, person_id, sum(points) as balance, count(*) as entries, max(at) as last_at,
       sum(points) < 0 as overdrawn
from canonical.loyalty_entry where deleted_at is null group by 1, 2""",
    "mart.cart": WANTED.format(
        cart="canonical.cart", cart_line="canonical.cart_line", order='canonical."order"',
        order_line="canonical.order_line",
    ),
}  # fmt: skip
"""Name → query. cart: what each person still means to buy, over all channels (mappings.carts.merging).
loyalty_balance: one programme for all channels; a holder is a person, else the buyer as the source names him
(`connection:customer`). overdrawn: more was spent than there was, which a person has to look at."""
