"""What starts what: cadences, sensors and the hot lane (architecture 5 and 12)."""
