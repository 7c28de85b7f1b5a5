"""The small language behind `/` and `--filter`: `user:alice mem>10G not (type:G | cmd:jupyter)`.

Terms side by side must all match; `or`, `|`, `not`, `!`, `-field:…` and parentheses do what they say. A bare
word is looked for in the command line, command, user, PID, container, model and framework; `/…/` is a regular
expression.
"""

from __future__ import annotations

from dstop.view.filter.fields import Field, fields
from dstop.view.filter.parser import EVERYTHING, Filter, parse
from dstop.view.filter.suggest import suggest

__all__ = ["EVERYTHING", "Field", "Filter", "fields", "parse", "suggest"]
