"""What the host says of processes and of itself: `/proc` itself, as psutil costs five times as much."""
