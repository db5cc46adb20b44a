"""Pure decisions: what may be looked at, what a wrong entry costs, how it ends. No clock, no chance, no store."""
