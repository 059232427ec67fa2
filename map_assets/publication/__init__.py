"""What leaves the laboratory: dandisets, releases, DOIs and the record of both. The NWB files themselves are written in `nwb`."""
