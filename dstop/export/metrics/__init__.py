"""A Frame as a page for Prometheus: pure; who serves it is another question."""
