"""From a command and a batch file to files."""
