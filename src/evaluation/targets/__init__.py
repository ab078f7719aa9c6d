"""What is aimed at and what became of it: forecasts, needed gains, plan, self-assessment, index.

Pure functions on the frames of a study; nothing here reads, draws or prints.
"""
