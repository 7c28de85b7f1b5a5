"""GPUs and servers by name, and what each has."""

from __future__ import annotations

from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from dstop.footprint.catalog.entries import find, key, table
from dstop.footprint.catalog.values import Gpu, Price, Server
from dstop.units import MIB

if TYPE_CHECKING:
    from collections.abc import Mapping


def find_gpu(name: str) -> Gpu:
    """Give a card by its short name, an alias, or the name that its driver reports.

    Raises:
        PlanError: there is no such card; the nearest name is given.
    """
    return find(name, _gpus_by_key(), "GPU", attrgetter("short"))


def find_server(name: str) -> Server:
    """Give a server or a cloud instance by name: `p5.48xlarge`, `DGX H100`.

    Raises:
        PlanError: there is none; the nearest name is given.
    """
    return find(name, _servers_by_key(), "server", attrgetter("name"))


@cache
def gpus() -> tuple[Gpu, ...]:
    """Give every card of the catalog, the newest first."""
    return tuple(_gpu(entry) for entry in table("gpus")["gpu"])


@cache
def servers() -> tuple[Server, ...]:
    """Give every server and instance of the catalog."""
    file = table("servers")
    return tuple(_server(entry, file["sources"]) for entry in file["server"])


@cache
def _gpus_by_key() -> Mapping[str, Gpu]:
    return {key(name): gpu for gpu in gpus() for name in (gpu.name, gpu.short, *gpu.aliases)}


@cache
def _servers_by_key() -> Mapping[str, Server]:
    return {key(name): server for server in servers() for name in (server.name, *server.aliases)}


def _gpu(entry: dict[str, Any]) -> Gpu:
    fields = dict(entry)
    return Gpu(
        memory_bytes=fields.pop("memory_mib") * MIB,
        reserved_bytes=fields.pop("kept_mib") * MIB,
        aliases=tuple(fields.pop("aliases", ())),
        notes=tuple(fields.pop("notes", ())),
        **fields,
    )


def _server(entry: dict[str, Any], sources: Mapping[str, str]) -> Server:
    fields = dict(entry)
    return Server(
        aliases=tuple(fields.pop("aliases", ())),
        notes=tuple(fields.pop("notes", ())),
        price=_price(fields.pop("price", None), sources),
        **fields,
    )


def _price(entry: list[Any] | None, sources: Mapping[str, str]) -> Price | None:
    if entry is None:
        return None
    per_hour, day, source = entry
    return Price(per_hour=float(per_hour), as_of=day, source=sources[source])
