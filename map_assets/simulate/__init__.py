"""A deterministic made-up laboratory that writes the rigs' own file formats, with the truth beside them. It reads nothing back but its own truth."""
