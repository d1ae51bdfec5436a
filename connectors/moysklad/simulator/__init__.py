"""What the sandbox simulates: the account, its query language, its reports, its door."""
