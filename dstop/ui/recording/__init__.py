"""A memory snapshot on the screen: what is read and studied in threads, and one page for each question about it."""
