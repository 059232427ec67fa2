"""Sessions: who, when, on which rig, which task. What happened in one lives in `behavior`, `tracking` and `ephys`."""
