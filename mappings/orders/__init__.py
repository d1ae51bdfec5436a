"""Orders: what status their origin should show, and what a copy of them says."""
