"""Protocol files (TOML, versioned): how a task's rigs send trial codes to the acquisition system. Read by `ephys.pulse_code`."""
