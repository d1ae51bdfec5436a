"""Carts: what somebody means to buy, over all channels; and whether it was left behind."""
