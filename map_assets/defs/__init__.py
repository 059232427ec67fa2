"""The Dagster wing: each room's stages, what is due, sensors and resources. The science lives in the rooms."""
