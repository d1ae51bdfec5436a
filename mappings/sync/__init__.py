"""Desired × acknowledged: what differs, and whether it may go."""
