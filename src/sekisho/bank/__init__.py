"""The reference bank: what a bank in front of sekisho does, with nothing but the interface every bank has."""
