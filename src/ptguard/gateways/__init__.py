"""All contact with the outside, one file a neighbour."""
