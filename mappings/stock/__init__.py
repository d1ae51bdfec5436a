"""Stock: what is there, who it is promised to, what each channel may offer of it."""
