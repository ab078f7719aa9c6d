"""Targets: forecasts with their back-test, required gains, other targets, decomposition of gains.

Pure functions on the frames of a study; nothing here reads, draws or prints.
"""
