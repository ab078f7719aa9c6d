"""From an office's files to a data package, and from a package to a workbook and back."""
