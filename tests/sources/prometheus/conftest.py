"""A real Prometheus server with a small fleet, once for all tests of this folder that a worker runs."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fleet_pages import Pages, dcgm_page, dstop_page, nvitop_page
from prometheus_server import PROGRAM, config_text, prometheus

from dstop.sources.prometheus.client import Client
from dstop.sources.prometheus.source import FleetSource

_PATIENCE_S = 60.0


@pytest.fixture(scope="session")
def small_fleet(tmp_path_factory):
    """Five hosts: two that train with dstop's exporter, one with DCGM's, one with both, one with nvitop's."""
    if PROGRAM is None:
        pytest.skip("prometheus is not installed (Debian package prometheus)")
    pages = Pages(
        {
            "node-1": dstop_page("node-1", odd=3),
            "node-2": dstop_page("node-2", first_rank=8),
            "node-2-dcgm": dcgm_page("node-2"),
            "node-3": dcgm_page("node-3", xid=(5, 79)),
            "node-10": nvitop_page("node-10"),
            "node-4": None,
            "junk": 'DCGM_FI_DEV_FB_USED 17\ndstop_gpu_up{gpu=""} 0\nDCGM_FI_DEV_FB_USED{gpu="\x1b[2J"} 4\n',
        }
    )
    targets = {name: "dstop" if name in {"node-1", "node-2"} else "other" for name in pages.pages}
    with prometheus(tmp_path_factory.mktemp("prometheus"), config_text(pages.port, targets)) as address:
        source = FleetSource(Client(address, timeout_s=30))
        until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until:
            fleet = source.read()
            if len(fleet.gpus) >= 8 * 4 and sum(len(host.processes) for host in fleet.hosts) >= 24:
                break
            time.sleep(0.3)
        yield address
    pages.close()
