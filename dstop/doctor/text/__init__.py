"""The text of logs: of any size and encoding, down to the lines that may matter."""
