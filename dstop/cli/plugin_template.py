"""What `dstop plugins --new NAME` writes: a plugin that works, with a label, a reader and a rule, and tests."""

from __future__ import annotations

_PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "0.1.0"
description = "Teaches dstop what we know of our machines."
requires-python = ">=3.11"
dependencies = ["dstop", "pluggy>=1.5"]

[project.entry-points.dstop]
{short} = "{module}"

[tool.hatch.build.targets.wheel]
only-include = ["{module}.py"]
"""

_README = """\
# {name}

A plugin of dstop: `pip install -e .`, then `dstop plugins` lists it and `dstop explain MY910` prints its rule.
"""

CODE = '''\
"""What our team knows of its machines, for dstop."""

import re

import pluggy

from dstop.doctor.rule import SAYS_SO, Assessment, Rule
from dstop.model.evidence import Evidence, Fix

hookimpl = pluggy.HookimplMarker("dstop")

TOKEN_EXPIRED = re.compile(r"datasrv: token expired after (\\d+) h")


@hookimpl
def labels(environ):
    """Say whose process it is: a line beside it on the screen, and `/ label:team=vision` finds it."""
    return {{"team": environ["TEAM"]}} if environ.get("TEAM") else None


@hookimpl
def evidence(lines):
    """Find our data server's message: the line's number, a kind of our own, and the figures in it."""
    for number, line in enumerate(lines):
        if found := TOKEN_EXPIRED.search(line):
            yield number, "mine.token_expired", {{"hours": int(found[1])}}


def examine(case):
    """Answer for a crash: None, or what it was, what proves it, and what helps."""
    sign = case.first("mine.token_expired")
    if sign is None:
        return None
    return Assessment(
        strength=SAYS_SO,
        at=sign.place,
        evidence=(Evidence(source=str(sign.place), says=sign.text, value=sign.number("hours")),),
        fixes=(Fix(id="renew_token", title="Renew the token of the data server", command="datasrv login"),),
    )


RULE = Rule(
    id="MY910",
    name="data-token-expired",
    cause="data_token_expired",
    title="The data server's token expired while the job ran",
    page="""The data server's token expired while the job ran

What it means
    Tokens live for 12 hours. A longer job loses its data, and its ranks die of that one after the other.

Evidence
    `datasrv: token expired` in the log.

Fix
    Log in again before the job, with a token that outlives it.

When it is wrong
    Never, as far as we know: no other program writes this line.
""",
    examine=examine,
    fires=("step 900 loss 2.1\\ndatasrv: token expired after 12 h\\nOSError: no data\\n",),
    near_miss=("datasrv: token renewed after 12 h\\nOSError: no data\\n",),
)


@hookimpl
def rules():
    """Give our rules: numbers with two letters of our own, of which the first digit is the family."""
    return [RULE]
'''

TESTS = '''\
"""The plugin, as dstop sees it."""

import {module}
from dstop.testing import check_rule


def test_the_rule_keeps_what_it_promises():
    """Its page is whole, its example puts it first among all rules, and its near miss does not call it."""
    check_rule({module}.RULE, {module}.evidence)


def test_a_process_of_a_team_is_labelled():
    """The label comes from the environment; without one there is none."""
    assert {module}.labels({{"TEAM": "vision"}}) == {{"team": "vision"}}
    assert {module}.labels({{}}) is None
'''


def files_of(name: str) -> dict[str, str]:
    """Give the files of a new plugin by their paths below its folder.

    Args:
        name: of the package: small letters, digits, and dashes between them.
    """
    module = name.replace("-", "_")
    words = {"name": name, "module": module, "short": name.removeprefix("dstop-")}
    return {
        "pyproject.toml": _PYPROJECT.format(**words),
        "README.md": _README.format(**words),
        f"{module}.py": CODE.format(**words),
        f"tests/test_{module}.py": TESTS.format(**words),
    }
