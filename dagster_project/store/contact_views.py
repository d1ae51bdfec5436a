"""What contacts, carts and points come to, as views."""

_HOLDER = "coalesce(person_id, connection || ':' || coalesce(customer, 'card:' || loyalty_id))"

VIEWS = {
    "canonical.loyalty_balance": f"""
select {_HOLDER} as holder, person_id, sum(points) as balance, count(*) as entries, max(at) as last_at,
       sum(points) < 0 as overdrawn
from canonical.loyalty_entry where deleted_at is null group by 1, 2""",
}
"""Name → query. loyalty_balance: one programme for all channels; a holder is a person, else the buyer as the source
names him (`connection:customer`). overdrawn: more was spent than there was, which a person has to look at."""
