"""What the host says of processes and of itself: `/proc` read directly, because asking psutil costs five times as much."""
