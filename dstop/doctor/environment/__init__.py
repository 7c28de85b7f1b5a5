"""The state of a machine, or of a container, for GPU jobs: `dstop doctor --environment`."""
