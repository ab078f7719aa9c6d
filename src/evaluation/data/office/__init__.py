"""An office's own data: from its files to a data package in a project of its own, and back."""
