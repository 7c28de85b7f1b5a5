"""What of a sample is shown, in which rows, columns and order: pure functions, no toolkit, no I/O."""
