"""What all rooms share: errors, texts and numbers in two languages, results, the cache."""
