"""Pictures of a session, one file a figure. What they show is computed in `analyses`, where they hang is decided outside."""
