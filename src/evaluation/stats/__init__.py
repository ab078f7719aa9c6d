"""Inference on arrays: least squares, bootstrap, permutation, power, variance components."""
