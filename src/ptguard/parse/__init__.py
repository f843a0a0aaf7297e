"""Bytes and text to values of the model; nothing in this package does IO or keeps state."""
