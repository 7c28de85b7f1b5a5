"""Where evidence lies on this machine: incidents, the kernel's log, logs nearby, a running process."""
