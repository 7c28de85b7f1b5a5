"""Series of three exporters become one list of cards: who a card is, and whom to believe where two tell of it.

A card is one where host and index are the same, or where the UUID is, said by different exporters: within Kubernetes
dcgm-exporter calls the host by its node, another by its pod. Within one exporter a UUID joins nothing: two that stand
for one host have the same host and index already, and copies of a simulated machine have the same UUIDs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dstop.model.fleet import FleetGpu
from dstop.model.gpu import THROTTLE_REASONS
from dstop.sources.prometheus.names import CARDS, DCGM, DSTOP, ECC, ORDER, THROTTLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dstop.sources.prometheus.answer import Labels, Series
    from dstop.sources.prometheus.hosts import Hosts

MOST_CARDS = 50_000
_UNKNOWN = "?"
_BLANK = 0x7FFFFFF0
"""From here on DCGM's integers say that there is no figure (dcgm_structs.h, `DCGM_INT32_BLANK`); no share, power,
temperature, Xid or MiB of a card comes near."""
_WHOLE = frozenset({"temperature_c", "power_mw", "power_limit_mw", "ecc_uncorrected", "xid"})
_FLAGS = frozenset({"up", "remapped_rows_pending", "remapped_rows_failed"})
_PERCENT = 100

Place = tuple[str, str, str | None]
"""Host, index, slice."""


class _Card(NamedTuple):
    exporter: str
    place: Place
    fields: dict[str, Any]


class CardBooks:
    """What series say, card by card.

    Args:
        hosts: gives the name of the host that a series is of.
    """

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts
        self._cards: dict[tuple[str, Place], _Card] = {}
        self._places: dict[tuple[str, ...], _Card] = {}
        self.left_out = 0
        """Series of cards beyond `MOST_CARDS`."""

    def add(self, series: Series) -> None:
        """Enter one series; one that is of no card is none of ours."""
        labels = series.metric
        name = labels.metric
        figure = CARDS.get(name)
        exporter = figure.exporter if figure is not None else DSTOP
        if figure is None and name not in {THROTTLE, ECC}:
            return
        number = series.number
        if number is None or (exporter == DCGM and number >= _BLANK):
            return
        card = self._card(exporter, labels)
        if card is None:
            self.left_out += 1
            return
        fields = card.fields
        if figure is None:
            _enter_reason(fields, name, labels, number)
        elif figure.field in {"xid", "xid_at_s"}:
            _enter_xid(fields, exporter, labels, number)
        elif figure.field == "throttle_reasons":
            fields["throttle_reasons"] = _reasons(int(number))
        elif figure.field:
            fields[figure.field] = _value(figure.field, number * figure.factor)

    def _card(self, exporter: str, labels: Labels) -> _Card | None:
        gpu = labels.gpu or labels.index or labels.exported_gpu
        said: tuple[str, ...] = (
            exporter,
            labels.job,
            labels.instance,
            labels.Hostname or labels.hostname,
            gpu,
            labels.GPU_I_ID,
        )
        if not gpu:  # without an index a UUID still tells cards apart
            said = (*said, labels.UUID or labels.uuid)
        card = self._places.get(said)
        if card is None:
            if len(self._cards) >= MOST_CARDS:
                return None
            uuid = (labels.UUID or labels.uuid) or None
            index = gpu or (uuid or _UNKNOWN)[:12]
            profile = labels.GPU_I_PROFILE
            slice_ = f"{labels.GPU_I_ID} {profile}".strip() if labels.GPU_I_ID else None
            place: Place = (self._hosts.name_of(labels), index, slice_)
            card = self._cards.setdefault((exporter, place), _Card(exporter, place, {}))
            self._places[said] = card
        if "uuid" not in card.fields and (labels.uuid or labels.UUID):
            card.fields["uuid"] = labels.uuid or labels.UUID
        if "name" not in card.fields:
            name = labels.modelName or labels.devicename or labels.name
            if name:
                card.fields["name"] = name
        return card

    def cards(self) -> tuple[FleetGpu, ...]:
        """Give the cards, each once, in no particular order."""
        merged: dict[Place, dict[str, Any]] = {}
        told: dict[Place, list[str]] = {}
        by_uuid: dict[tuple[str, str | None], list[Place]] = {}
        for exporter in ORDER:
            new: list[tuple[str, Place]] = []
            for (of, _), card in self._cards.items():
                if of != exporter:
                    continue
                uuid = card.fields.get("uuid")
                place = _same(card.place, uuid, by_uuid, merged)
                merged[place] = {**card.fields, **merged.get(place, {})}
                told.setdefault(place, []).append(exporter)
                if uuid is not None:
                    new.append((uuid, place))
            for uuid, place in new:
                places = by_uuid.setdefault((uuid, place[2]), [])
                if place not in places:
                    places.append(place)
        return tuple(
            FleetGpu(
                host=place[0], gpu=place[1], mig=place[2], exporters=tuple(told[place]), **_settled(fields)
            )
            for place, fields in merged.items()
        )


def _same(
    place: Place,
    uuid: str | None,
    by_uuid: Mapping[tuple[str, str | None], Iterable[Place]],
    merged: Mapping[Place, Mapping[str, Any]],
) -> Place:
    """Give where another exporter has entered this card, or its own place."""
    if place in merged:
        return place
    others = list(by_uuid.get((uuid, place[2]), ())) if uuid is not None else []
    return others[0] if len(others) == 1 else place


def _enter_reason(fields: dict[str, Any], name: str, labels: Labels, number: float) -> None:
    if name == ECC:
        fields["ecc_uncorrected"] = int(number)
    elif number:
        known = labels.reason in THROTTLE_REASONS.values()
        fields["throttle_reasons"] = (
            *fields.get("throttle_reasons", ()),
            *((labels.reason,) if known else ()),
        )


def _enter_xid(fields: dict[str, Any], exporter: str, labels: Labels, number: float) -> None:
    """Dstop's exporter gives a time for each Xid, DCGM the number of the last."""
    if exporter != DSTOP:
        fields["xid"] = int(number)
    elif labels.xid.isdecimal() and number > (fields.get("xid_at_s") or 0):
        fields["xid"], fields["xid_at_s"] = int(labels.xid[:9]), number


def _reasons(bits: int) -> tuple[str, ...]:
    return tuple(word for bit, word in THROTTLE_REASONS.items() if bits & bit)


def _value(field: str, number: float) -> float | bool | None:
    """Give a figure as the model has it; what no card can have is no figure."""
    if number < 0 and field != "temperature_c":
        return None
    if field in _FLAGS:
        return number != 0
    if field in _WHOLE or field.endswith("_bytes"):
        return round(number)
    return (
        number if number <= _PERCENT + 0.5 else None
    )  # the one field that is left is a share; rounding may add


def _settled(fields: dict[str, Any]) -> dict[str, Any]:
    """Take away what contradicts itself: more used than there is."""
    total, used = fields.get("memory_total_bytes"), fields.get("memory_used_bytes")
    if total is not None and used is not None and used > total:
        fields = {**fields, "memory_used_bytes": None}
    return fields
