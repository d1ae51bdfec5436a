"""Steps of a file: claimed, read whole or refused, its rows stored in one transaction."""
