"""A page of simulated hosts for a Prometheus server to scrape: each as one of three exporters would tell of it.

The names are written out, as exporters write them: what dstop reads is held against what others publish.
"""

from __future__ import annotations

import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MIB, GIB = 2**20, 2**30
TOTAL_MIB, RESERVED_MIB = 81_559, 612
"""Of an H100 with 80 GB."""
GPUS = 8


def dstop_page(host, seed=0, *, gpus=GPUS, job="run-a", first_rank=0, odd=None):
    """Give what dstop's exporter says of a host that trains: one rank a card."""
    dice = random.Random(f"{host} {seed}")  # noqa: S311 - figures, no secrets
    lines = [
        f'dstop_host_info{{hostname="{host}",driver_version="580.1",cuda_version="13.0",container="",simulated=""}} 1',
        "dstop_up 1",
    ]
    for at in range(gpus):
        used = 40 * GIB + dice.randrange(64) * MIB + (24 * GIB if odd == at else 0)
        gpu = f'{{gpu="{at}"}}'
        lines += [
            f'dstop_gpu_info{{gpu="{at}",uuid="GPU-{host}-{at}",name="NVIDIA H100 80GB HBM3"}} 1',
            f"dstop_gpu_up{gpu} 1",
            f"dstop_gpu_memory_total_bytes{gpu} {TOTAL_MIB * MIB}",
            f"dstop_gpu_memory_used_bytes{gpu} {used}",
            f"dstop_gpu_memory_reserved_bytes{gpu} {RESERVED_MIB * MIB}",
            f"dstop_gpu_memory_free_bytes{gpu} {TOTAL_MIB * MIB - RESERVED_MIB * MIB - used}",
            f"dstop_gpu_utilization_ratio{gpu} {dice.uniform(0.5, 1):.3f}",
            f"dstop_gpu_power_watts{gpu} {dice.uniform(300, 690):.1f}",
            f"dstop_gpu_power_limit_watts{gpu} 700",
            f"dstop_gpu_temperature_celsius{gpu} {dice.randrange(40, 80)}",
            f"dstop_gpu_remapped_rows_pending{gpu} 0",
            f"dstop_gpu_remapped_rows_failed{gpu} 0",
        ]
        lines += [
            f'dstop_gpu_throttle_active{{gpu="{at}",reason="{reason}"}} 0'
            for reason in ("idle", "hw_thermal")
        ]
        row = (
            f'{{gpu="{at}",mig="",pid="{4000 + at}",command="train.py",user="alice",job_id="{job}",'
            f'rank="{first_rank + at}"}}'
        )
        lines += [
            f"dstop_process_gpu_memory_bytes{row} {used}",
            f"dstop_process_sm_utilization_ratio{row} 0.9",
            f"dstop_torch_allocated_bytes{row} {used - 3 * GIB}",
            f"dstop_torch_reserved_bytes{row} {used - GIB}",
        ]
    return "\n".join(lines) + "\n"


def dcgm_page(host, seed=0, *, gpus=GPUS, xid=None):
    """Give what NVIDIA's dcgm-exporter says of a host; `xid` is a pair of card and number."""
    dice = random.Random(f"{host} {seed}")  # noqa: S311 - figures, no secrets
    lines = []
    for at in range(gpus):
        used = dice.randrange(1000, 70_000)
        label = (
            f'{{gpu="{at}",UUID="GPU-{host}-{at}",pci_bus_id="00000000:1{at}:00.0",device="nvidia{at}",'
            f'modelName="NVIDIA H100 80GB HBM3",Hostname="{host}",DCGM_FI_DRIVER_VERSION="580.1"}}'
        )
        for name, value in (
            ("FB_USED", used),
            ("FB_FREE", TOTAL_MIB - RESERVED_MIB - used),
            ("FB_RESERVED", RESERVED_MIB),
            ("GPU_UTIL", dice.randrange(101)),
            ("POWER_USAGE", f"{dice.uniform(90, 690):.3f}"),
            ("GPU_TEMP", dice.randrange(30, 80)),
            ("XID_ERRORS", xid[1] if xid is not None and xid[0] == at else 0),
            ("SM_CLOCK", 1980),
            ("MEM_CLOCK", 2619),
            ("MEM_COPY_UTIL", dice.randrange(101)),
        ):
            lines.append(f"DCGM_FI_DEV_{name}{label} {value}")
    return "\n".join(lines) + "\n"


def nvitop_page(host, seed=0, *, gpus=GPUS):
    """Give what nvitop-exporter says of a host."""
    dice = random.Random(f"{host} {seed}")  # noqa: S311 - figures, no secrets
    lines = []
    for at in range(gpus):
        used = dice.randrange(1000, 70_000)
        label = f'hostname="{host}",index="{at}",devicename="NVIDIA A100-SXM4-80GB",uuid="GPU-{host}-{at}"'
        for name, value in (
            ("gpu_memory_used_MiB", used),
            ("gpu_memory_free_MiB", TOTAL_MIB - used),
            ("gpu_memory_total_MiB", TOTAL_MIB),
            ("gpu_utilization_Percentage", dice.randrange(101)),
            ("gpu_power_usage_W", dice.uniform(60, 400)),
            ("gpu_power_limit_W", 400),
            ("gpu_temperature_C", dice.randrange(30, 80)),
        ):
            lines.append(f"{name}{{{label}}} {value}")
        lines.append(f'process_gpu_memory_MiB{{{label},pid="{900 + at}",username="bob"}} {used - 500}')
    return "\n".join(lines) + "\n"


class Pages:
    """Serves pages by path on loopback; a page that is None answers 500, as an exporter that is broken."""

    def __init__(self, pages):
        self.pages = dict(pages)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                page = outer.pages.get(self.path.strip("/"))
                data = (page() if callable(page) else page or "").encode()
                self.send_response(500 if page is None else 200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        """Serve no more."""
        self.server.shutdown()
        self.server.server_close()
