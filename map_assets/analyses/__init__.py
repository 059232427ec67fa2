"""What is computed from finished tables, one file an analysis. Pictures of it are drawn in `figures`."""
