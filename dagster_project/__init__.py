"""What runs, when, and what is remembered: no vendor's name and no business rule lives here."""
