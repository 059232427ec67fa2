"""One module for each tracker's result file; which of them reads a file is decided in `tracking.read`."""
