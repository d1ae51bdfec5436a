"""The `keruen` command, one file per group of commands."""
