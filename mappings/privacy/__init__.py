"""What may be done with what is known of a person: consent, pseudonyms, sealing."""
