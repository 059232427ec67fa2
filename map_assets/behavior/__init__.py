"""Behaviour: what the rig's file says of trials, events, licks and photostimulation. Sessions and video live in their own rooms."""
