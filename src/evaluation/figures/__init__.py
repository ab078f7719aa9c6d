"""Frames in, figures out; nothing here knows a study."""
