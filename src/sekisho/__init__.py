"""A barrier in front of a bank's operations: one policy table decides what every wrong entry costs."""

__version__ = "0.1.0"
