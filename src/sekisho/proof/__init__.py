"""A policy is proved before it is accepted: ways out of every state, the most guesses, and what no table may leave open."""
