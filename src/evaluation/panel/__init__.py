"""Rates, gains and doses with their variances, and where a region stands."""
