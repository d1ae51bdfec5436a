"""People in the store: who is who, what they agreed to, where they belong, and how their contacts are kept."""
