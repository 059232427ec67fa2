"""Tables to one NWB file, its inspection and its round trip. Reading raw files and making the tables live in other rooms."""
