"""Trainings told by hand: each line of a story allocates, frees, or fails, under the stack of a kind of code."""

from __future__ import annotations

from dstop.model.segment import Place
from dstop.snapshot.study import DeviceStudy
from dstop.snapshot.values import Action, StorageName
from dstop.testing.build_snapshot import make_segment, make_snapshot

TORCH = "/usr/lib/python3/dist-packages/torch"
MAIN = Place("/home/ann/train.py", 80, "main")
CALL = Place(f"{TORCH}/nn/modules/module.py", 1790, "_call_impl")
FORWARD = Place("/home/ann/model.py", 12, "forward")
LINEAR = Place(f"{TORCH}/nn/modules/linear.py", 134, "forward")
STEP = Place(f"{TORCH}/optim/adamw.py", 200, "_multi_tensor_adamw")
GROUP = Place(f"{TORCH}/optim/adamw.py", 120, "_init_group")
WRAPPER = Place(f"{TORCH}/optim/optimizer.py", 500, "profile_hook_step")
APPLY = Place(f"{TORCH}/nn/modules/module.py", 950, "_apply")
ENTROPY = Place(f"{TORCH}/nn/functional.py", 3500, "cross_entropy")
AGAIN = Place(f"{TORCH}/utils/checkpoint.py", 1100, "unpack_hook")
ENGINE = Place(
    "??", 0, "torch::autograd::Engine::evaluate_function(std::shared_ptr<torch::autograd::GraphTask>&)"
)
GATHER = Place(f"{TORCH}/distributed/fsdp/_fully_shard/_fsdp_param.py", 840, "alloc_all_gather_outputs")
INDUCTOR = Place("/home/ann/torchinductor_ann/ab/cab.py", 40, "call")
COLLATE = Place(f"{TORCH}/utils/data/_utils/collate.py", 300, "default_collate")
VALIDATE = Place("/home/ann/train.py", 60, "validate")

STACKS = {
    "": (),
    "load": (APPLY, MAIN),
    "init": (Place("/home/ann/model.py", 5, "__init__"), MAIN),
    "input": (MAIN,),
    "collate": (COLLATE, MAIN),
    "forward": (LINEAR, CALL, FORWARD, CALL, MAIN),
    "loss": (ENTROPY, MAIN),
    "again": (LINEAR, CALL, AGAIN),
    "group": (GROUP, WRAPPER, MAIN),
    "step": (STEP, WRAPPER, MAIN),
    "closure": (LINEAR, CALL, FORWARD, CALL, MAIN, WRAPPER, MAIN),
    "engine": (ENGINE,),
    "gather": (GATHER, CALL, FORWARD, CALL, MAIN),
    "compiled": (INDUCTOR, CALL, MAIN),
    "validate": (LINEAR, CALL, FORWARD, CALL, VALIDATE, MAIN),
}
NUMBER = {name: number for number, name in enumerate(STACKS)}
UNIT = 1 << 20


class Story:
    """Names are of tensors: one that was let go may be told of again."""

    def __init__(self) -> None:
        """Begin with an empty ring."""
        self.events: list[tuple[Action, int, int, int]] = []
        self.address: dict[str, int] = {}
        self.size: dict[str, int] = {}
        self.rows: dict[str, int] = {}
        self.old: dict[str, str] = {}
        self.names: list[StorageName] = []
        self._next = 1 << 30

    def has(self, size: int, *names: str, stack: str = "") -> Story:
        """Tell of what is older than the ring; its stack is known where the block at the end has it."""
        for name in names:
            self._place(name, size)
            self.old[name] = stack
        return self

    def make(self, stack: str, size: int, *names: str) -> Story:
        """Allocate, each so many units."""
        for name in names:
            self._place(name, size)
            self.rows[name] = len(self.events)
            self.events.append((Action.ALLOC, self.address[name], size * UNIT, NUMBER[stack]))
        return self

    def drop(self, *names: str) -> Story:
        """Free."""
        for name in names:
            for action in (Action.FREE_REQUESTED, Action.FREE_COMPLETED):
                self.events.append((action, self.address[name], self.size[name] * UNIT, 0))
            del self.address[name]
        return self

    def fail(self) -> Story:
        """Run out of memory."""
        self.events.append((Action.OOM, UNIT, 1 << 40, 0))
        return self

    def _place(self, name: str, size: int) -> None:
        self.address[name], self.size[name] = self._next, size
        self._next += size * UNIT

    def study(self) -> DeviceStudy:
        """Give what dstop makes of it."""
        segments = [
            make_segment((self.size[name] * UNIT, True, NUMBER[self._stack(name)]), address=address)
            for name, address in self.address.items()
        ]
        snapshot = make_snapshot(self.events, segments, stacks=tuple(STACKS.values()))
        if self.names:
            fields = {field: getattr(snapshot, field) for field in snapshot.__slots__}
            snapshot = type(snapshot)(**fields | {"names": tuple(self.names)})
        return DeviceStudy(snapshot, 0)

    def _stack(self, name: str) -> str:
        return self.old.get(name, "") if name not in self.rows else ""
