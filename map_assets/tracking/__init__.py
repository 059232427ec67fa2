"""Tracking: body parts in the videos, frame by frame. Trials come from `behavior`; videos themselves are archived, not read."""
