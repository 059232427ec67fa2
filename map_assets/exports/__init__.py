"""A session's tables for other programs: MATLAB files and the activity viewer's arrays. NWB files are made in `nwb`."""
