"""The HTTP face: parse, call one flow, render."""
