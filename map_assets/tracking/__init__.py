"""Tracking: body parts in the videos, frame by frame, and what the video files hold. Trials come from `behavior`; images are never decoded."""
