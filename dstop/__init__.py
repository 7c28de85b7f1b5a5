"""dstop: what holds the memory of your GPUs, and why it ran out."""

__version__ = "0.1.0"
