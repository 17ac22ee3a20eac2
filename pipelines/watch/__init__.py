"""Watching a champion: what a window of rows looks like beside what the champion was fitted on."""
