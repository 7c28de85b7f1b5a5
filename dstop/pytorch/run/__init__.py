"""`dstop run`: a command with the hook in its environment, and what is left to read when it ends badly."""
