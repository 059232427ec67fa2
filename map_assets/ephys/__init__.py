"""Probes, clock maps, units, spikes and where each trial's spikes stand. What an analysis makes of them lives in `analyses`."""
