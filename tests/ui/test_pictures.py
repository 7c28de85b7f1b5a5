"""Every picture of the live screen is the one that somebody has looked at."""

from __future__ import annotations

import pytest
from pictures import PICTURES


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_the_screen_looks_as_it_did(picture, snap_compare):
    """The picture is, cell for cell and colour for colour, the accepted one."""
    stage = picture.stage()

    async def play(pilot):
        await picture.play(stage, pilot)

    assert snap_compare(stage.app, terminal_size=picture.size, run_before=play)
