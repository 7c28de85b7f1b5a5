"""A fleet as a Prometheus server knows it: the HTTP client, the names of three exporters, and how they become one."""
