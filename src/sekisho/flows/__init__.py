"""Load, decide, record, hand out effects. No rule lives here."""
