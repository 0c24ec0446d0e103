"""Redis or Valkey: what may be lost at any time."""
