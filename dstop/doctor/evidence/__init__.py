"""Readers: from text that somebody left behind to facts, each with the place where it was found."""
