"""One module for each task's behaviour file; which of them reads a file is decided in `behavior.read`."""
