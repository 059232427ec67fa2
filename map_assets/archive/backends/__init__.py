"""Where the archive keeps its bytes: one module a backend, all behind `protocol.ArchiveBackend`."""
