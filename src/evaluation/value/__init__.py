"""What it cost, what that bought, and what could be moved: pure functions on a study's parts."""
