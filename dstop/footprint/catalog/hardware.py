"""GPUs and servers by name, and what each has."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from dstop.footprint.catalog.entries import blocks, find, key, names_in, parsed
from dstop.footprint.catalog.values import Gpu, Price, Server
from dstop.units import MIB

if TYPE_CHECKING:
    from collections.abc import Mapping


def find_gpu(name: str) -> Gpu:
    """Give a card by its short name, an alias, or the name that its driver reports.

    Raises:
        PlanError: there is no such card; the nearest name is given.
    """
    return _gpu(find(name, _by_key("gpus"), "GPU", lambda block: names_in(block)[1]))


def find_server(name: str) -> Server:
    """Give a server or a cloud instance by name: `p5.48xlarge`, `DGX H100`.

    Raises:
        PlanError: there is none; the nearest name is given.
    """
    return _server(find(name, _by_key("servers"), "server", lambda block: names_in(block)[0]))


@cache
def gpus() -> tuple[Gpu, ...]:
    """Give every card of the catalog, the newest first."""
    return tuple(_gpu(block) for block in blocks("gpus")[1:])


@cache
def servers() -> tuple[Server, ...]:
    """Give every server and instance of the catalog."""
    return tuple(_server(block) for block in blocks("servers")[1:])


@cache
def servers_with(gpu: str) -> tuple[Server, ...]:
    """Give the servers that have cards of one kind, by its short name."""
    return tuple(_server(block) for block in blocks("servers")[1:] if f'\ngpu = "{gpu}"\n' in block)


@cache
def _by_key(name: str) -> Mapping[str, str]:
    return {key(named): block for block in blocks(name)[1:] for named in names_in(block)}


@cache
def _gpu(block: str) -> Gpu:
    fields = dict(parsed(block))
    return Gpu(
        memory_bytes=fields.pop("memory_mib") * MIB,
        reserved_bytes=fields.pop("kept_mib") * MIB,
        aliases=tuple(fields.pop("aliases", ())),
        notes=tuple(fields.pop("notes", ())),
        **fields,
    )


@cache
def _server(block: str) -> Server:
    fields = dict(parsed(block))
    return Server(
        aliases=tuple(fields.pop("aliases", ())),
        notes=tuple(fields.pop("notes", ())),
        price=_price(fields.pop("price", None)),
        **fields,
    )


def _price(entry: list[Any] | None) -> Price | None:
    if entry is None:
        return None
    per_hour, day, source = entry
    sources = parsed(blocks("servers")[0])["sources"]
    return Price(per_hour=float(per_hour), as_of=day, source=sources[source])
