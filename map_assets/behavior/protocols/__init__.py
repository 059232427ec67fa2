"""Protocol files (TOML, versioned): what a task's rigs do that their behaviour files do not say. Read by `behavior.protocol`."""
