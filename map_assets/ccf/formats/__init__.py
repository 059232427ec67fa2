"""Histology formats, one module each. Which of them reads a file is decided in `ccf.histology`."""
