"""One module per spike sorter. Which of them reads a folder is decided in `sortings`."""
