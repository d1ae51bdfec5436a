"""Prices: from the base price to the channel's, and what stops a wrong one."""
