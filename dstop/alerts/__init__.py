"""Alerts: what the user asked to be told of, noticed in each reading, told outside of dstop without ever waiting."""
