"""Documents in: read, clean, split, embed, save."""
