"""Checks of an estimate, locks, the words they permit, the headline."""
