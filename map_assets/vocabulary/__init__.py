"""Words that every room uses: session keys, clocks, frames, tables, found files and errors. It knows no room."""
