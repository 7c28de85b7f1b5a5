"""The simulated driver: every value sane, every fault as its header says, for a wrong twin proves nothing."""

from __future__ import annotations

import ctypes
import json
import os
import re
import threading
import time

import pynvml
import pytest

ABSENT_IN_470 = (
    "nvmlDeviceGetComputeRunningProcesses_v3",
    "nvmlDeviceGetMemoryInfo_v2",
    "nvmlDeviceGetCurrentClocksEventReasons",
    "nvmlDeviceGetTemperatureV",
    "nvmlDeviceGetProcessesUtilizationInfo",
    "nvmlGpmMetricsGet",
)


@pytest.fixture
def nvml(rig):
    """Give a function that opens pynvml on a machine and returns its handles; all is shut at the end."""

    def start(**settings):
        rig.use(**settings)
        pynvml.nvmlInit()
        return [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]

    yield start
    rig.faults("")
    pynvml.nvmlShutdown()


def answer(function, *arguments):
    """Give the name of the error a call raises, or `ok`."""
    try:
        function(*arguments)
    except pynvml.NVMLError as error:
        return type(error).__name__.removeprefix("NVMLError_")
    return "ok"


def memory_v2(handle):
    """Read memory with the driver's reserve apart."""
    return pynvml.nvmlDeviceGetMemoryInfo(handle, version=pynvml.nvmlMemory_v2)


def test_every_card_has_its_own_identity(nvml):
    """UUIDs have NVIDIA's form, are unique, and lead back to the card; so do bus ids."""
    cards = nvml()
    uuids = [pynvml.nvmlDeviceGetUUID(card) for card in cards]
    assert len(set(uuids)) == 8
    assert all(re.fullmatch(r"GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", uuid) for uuid in uuids)
    assert pynvml.nvmlDeviceGetIndex(pynvml.nvmlDeviceGetHandleByUUID(uuids[3])) == 3
    bus = pynvml.nvmlDeviceGetPciInfo(cards[2]).busId
    assert pynvml.nvmlDeviceGetIndex(pynvml.nvmlDeviceGetHandleByPciBusId(bus)) == 2


def test_memory_adds_up_in_both_versions(nvml):
    """Version 1 counts the reserve as used, version 2 apart, and both add up to the total."""
    card = nvml(freeze=100)[0]
    one, two = pynvml.nvmlDeviceGetMemoryInfo(card), memory_v2(card)
    assert one.total == two.total == 81559 << 20
    assert one.used + one.free == one.total
    assert two.used + two.free + two.reserved == two.total
    assert one.used == two.used + two.reserved


def test_used_memory_is_the_sum_of_its_processes_and_ghosts(rig, nvml):
    """What no fault adds is explained by the process lists, to the byte; `ghost` adds what is not."""
    card = nvml(freeze=100, graphics=2, mps=1)[0]
    lists = (
        pynvml.nvmlDeviceGetComputeRunningProcesses,
        pynvml.nvmlDeviceGetGraphicsRunningProcesses,
        pynvml.nvmlDeviceGetMPSComputeRunningProcesses,
    )
    listed = sum(process.usedGpuMemory for each in lists for process in each(card))
    assert memory_v2(card).used == listed
    rig.faults("ghost 0 1024")
    assert memory_v2(card).used == listed + (1024 << 20)


def test_figures_are_plausible(nvml):
    """Load, heat and power of every card lie where real ones do, and the two temperature calls agree."""
    for card in nvml():
        assert 0 <= pynvml.nvmlDeviceGetUtilizationRates(card).gpu <= 100
        assert 25 < pynvml.nvmlDeviceGetTemperature(card, 0) < 90
        assert abs(pynvml.nvmlDeviceGetTemperature(card, 0) - pynvml.nvmlDeviceGetTemperatureV(card, 0)) <= 2
        assert 60_000 < pynvml.nvmlDeviceGetPowerUsage(card) < 701_000
        (field,) = pynvml.nvmlDeviceGetFieldValues(card, [pynvml.NVML_FI_DEV_MEMORY_TEMP])
        assert 30 < field.value.uiVal < 100


def test_every_getter_answers_or_raises_an_nvml_error(nvml):
    """No getter of pynvml that takes a handle alone brings the process down."""
    card = nvml()[0]
    names = [name for name in dir(pynvml) if re.match(r"nvmlDevice(Get|Is)", name)]
    for name in names:
        try:
            getattr(pynvml, name)(card)
        except (pynvml.NVMLError, TypeError, AttributeError):
            continue
    assert len(names) > 150


def test_a_handle_that_is_none_is_refused(nvml):
    """A pointer to nowhere is an invalid argument, not a crash."""
    nvml()
    power = ctypes.c_uint()
    call = pynvml.nvmlLib.nvmlDeviceGetPowerUsage
    assert call(ctypes.c_void_p(0x1000), ctypes.byref(power)) == pynvml.NVML_ERROR_INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("init fail", "DriverNotLoaded"),
        ("init fail notfound", "NotFound"),
        ("driver mismatch", "LibRmVersionMismatch"),
        ("driver gone", "DriverNotLoaded"),
    ],
)
def test_faults_of_init(rig, fault, error):
    """Each way in which nvmlInit fails raises its own error, and works once the fault is lifted."""
    rig.use()
    rig.faults(fault)
    assert answer(pynvml.nvmlInit) == error
    rig.faults("")
    assert answer(pynvml.nvmlInit) == "ok"
    pynvml.nvmlShutdown()


def test_faults_of_one_card_leave_the_others(rig, nvml):
    """A lost card and a failing function fail alone, and `gpus` unplugs the last ones."""
    cards = nvml()
    power, name = pynvml.nvmlDeviceGetPowerUsage, pynvml.nvmlDeviceGetName
    rig.faults("gpu 3 lost")
    assert [answer(power, card) for card in cards[2:5]] == ["ok", "GpuIsLost", "ok"]
    rig.faults("fn nvmlDeviceGetPower* notsupported")
    assert (answer(power, cards[0]), answer(name, cards[0])) == ("NotSupported", "ok")
    rig.faults("gpus 4")
    assert pynvml.nvmlDeviceGetCount() == 4
    assert (answer(name, cards[3]), answer(name, cards[5])) == ("ok", "GpuIsLost")


def test_a_hanging_card_blocks_its_own_caller_alone(rig, nvml):
    """While one thread hangs in card 2, another reads card 0."""
    cards = nvml()
    rig.faults("gpu 2 hang 1")
    done = threading.Event()

    def read() -> None:
        pynvml.nvmlDeviceGetName(cards[2])
        done.set()

    thread = threading.Thread(target=read)
    thread.start()
    assert pynvml.nvmlDeviceGetName(cards[0]).startswith("NVIDIA")
    assert not done.is_set()
    thread.join()
    assert done.is_set()


def test_a_fault_is_seen_at_once_by_a_program_of_many_threads(rig, nvml):
    """Other threads that call at the same moment do not keep a call from seeing the newest fault file."""
    cards = nvml()
    stop = threading.Event()

    def hammer() -> None:
        while not stop.is_set():
            pynvml.nvmlDeviceGetIndex(cards[1])

    threads = [threading.Thread(target=hammer) for _ in range(3)]
    for thread in threads:
        thread.start()
    seen = []
    for turn in range(100):
        rig.faults("gpu 0 lost" if turn % 2 else "")
        seen.append(answer(pynvml.nvmlDeviceGetIndex, cards[0]))
    stop.set()
    for thread in threads:
        thread.join()
    assert seen == ["ok", "GpuIsLost"] * 50


def test_process_lists_in_every_version_agree(nvml):
    """The lists of version 2 and 3 and the detail list name the same processes."""
    card = nvml(freeze=50)[0]
    rows = [
        [(process.pid, process.usedGpuMemory) for process in processes]
        for processes in (
            pynvml.nvmlDeviceGetComputeRunningProcesses_v2(card),
            pynvml.nvmlDeviceGetComputeRunningProcesses_v3(card),
        )
    ]
    detail = pynvml.nvmlDeviceGetRunningProcessDetailList(card, pynvml.nvmlProcessDetailList_v1, 0)
    assert rows[0] == rows[1] == [(detail[i].pid, detail[i].usedGpuMemory) for i in range(8)]


def test_faults_of_process_lists(rig, nvml):
    """Lists vanish, name the dead, withhold memory, or hold a row of nonsense, as told."""
    card = nvml()[0]
    running = pynvml.nvmlDeviceGetComputeRunningProcesses
    rig.faults("procs vanish")
    assert running(card) == []
    rig.faults("procs dead")
    assert not any(os.path.exists(f"/proc/{process.pid}") for process in running(card))  # noqa: PTH110
    rig.faults("procs nomem")
    assert {process.usedGpuMemory for process in running(card)} == {None}
    rig.faults("procs count 3")
    assert len(running(card)) == 3
    rig.faults("procs garbage")
    row = running(card)[-1]
    assert len(running(card)) == 9
    assert row.pid > 4194304
    assert row.usedGpuMemory > memory_v2(card).total


def test_graphics_mps_and_jobs_on_many_cards(rig, nvml):
    """Graphics and MPS lists fill, a process may be in two lists, and one job may be on every card."""
    pids = rig.load(12)
    first, second = nvml(gpus=2, procs=3, graphics=2, both=1, mps=1, spread=1)
    compute, graphics, mps = (
        [process.pid for process in each(first)]
        for each in (
            pynvml.nvmlDeviceGetComputeRunningProcesses,
            pynvml.nvmlDeviceGetGraphicsRunningProcesses,
            pynvml.nvmlDeviceGetMPSComputeRunningProcesses,
        )
    )
    assert compute == pids[:3]
    assert graphics == [pids[0], pids[3], pids[4]]
    assert mps == [pids[5]]
    assert [process.pid for process in pynvml.nvmlDeviceGetComputeRunningProcesses(second)] == compute


def test_faults_of_utilisation(rig, nvml):
    """The card's figure turns to garbage, a process's goes over 100 %, an idle card knows of none."""
    card = nvml()[0]
    rig.faults("util garbage")
    assert pynvml.nvmlDeviceGetUtilizationRates(card).gpu == 0xFFFFFFFF
    rig.faults("util over")
    assert pynvml.nvmlDeviceGetProcessUtilization(card, 0)[0].smUtil == 37100
    assert pynvml.nvmlDeviceGetProcessesUtilizationInfo(card, 0)[0].smUtil == 37100
    rig.faults("util notfound")
    assert answer(pynvml.nvmlDeviceGetProcessUtilization, card, 0) == "NotFound"


def test_a_sample_of_process_utilisation_is_given_once(nvml):
    """Asking for what is newer than the newest sample gives nothing."""
    card = nvml()[0]
    newest = max(sample.timeStamp for sample in pynvml.nvmlDeviceGetProcessUtilization(card, 0))
    assert answer(pynvml.nvmlDeviceGetProcessUtilization, card, newest + 10_000_000) == "NotFound"


def test_faults_of_health(rig, nvml):
    """ECC, row remaps and throttling are what the fault file says, on that card alone."""
    cards = nvml()
    rig.faults("ecc 1 7\nremap 2\nremap 3 failed\nthrottle 4 0x48")
    errors = [pynvml.nvmlDeviceGetTotalEccErrors(card, 1, 0) for card in cards]
    assert errors == [0, 7, 0, 0, 0, 0, 0, 0]
    assert [pynvml.nvmlDeviceGetRemappedRows(card)[2:] for card in cards[1:4]] == [(0, 0), (1, 0), (0, 1)]
    assert pynvml.nvmlDeviceGetCurrentClocksEventReasons(cards[4]) == 0x48
    assert pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(cards[4]) == 0x48
    assert pynvml.nvmlDeviceGetCurrentClocksEventReasons(cards[7]) == 0x1


def test_a_name_of_broken_bytes(rig, nvml):
    """The name holds bytes that are no UTF-8 and an escape sequence; pynvml cannot decode it."""
    card = nvml()[0]
    rig.faults("name bytes")
    raw = ctypes.create_string_buffer(96)
    assert pynvml.nvmlLib.nvmlDeviceGetName(card, raw, ctypes.c_uint(96)) == 0
    assert b"\xff\xfe" in raw.value
    assert b"\x1b[31m" in raw.value
    with pytest.raises(UnicodeDecodeError):
        pynvml.nvmlDeviceGetName(card)


def test_memory_may_read_zero(rig, nvml):
    """`mem zero` leaves no figure above nought, in both versions."""
    card = nvml()[0]
    rig.faults("mem zero")
    assert (memory_v2(card).total, pynvml.nvmlDeviceGetMemoryInfo(card).used) == (0, 0)


def test_gpm_needs_two_moments_and_knows_its_metrics(nvml):
    """SM activity has a value, a metric that does not exist says so."""
    card = nvml()[0]
    first, second = pynvml.nvmlGpmSampleAlloc(), pynvml.nvmlGpmSampleAlloc()
    pynvml.nvmlGpmSampleGet(card, first)
    pynvml.nvmlGpmSampleGet(card, second)
    query = pynvml.c_nvmlGpmMetricsGet_t()
    query.version, query.numMetrics, query.sample1, query.sample2 = 1, 2, first, second
    query.metrics[0].metricId, query.metrics[1].metricId = 2, 400
    pynvml.nvmlGpmMetricsGet(query)
    assert query.metrics[0].nvmlReturn == 0
    assert 0 < query.metrics[0].value <= 100
    assert query.metrics[1].nvmlReturn == pynvml.NVML_ERROR_NOT_SUPPORTED
    pynvml.nvmlGpmSampleFree(first)
    pynvml.nvmlGpmSampleFree(second)


def test_nvlink_counts_up_and_both_ways(nvml):
    """Throughput of all links is the sum of each, receive is not transmit, and no link is beyond the last."""
    card = nvml(freeze=100)[0]
    tx, rx = pynvml.NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_TX, pynvml.NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_RX
    asked = [(tx, 0xFFFFFFFF), (rx, 0xFFFFFFFF), (tx, 18), *((tx, link) for link in range(18))]
    values = pynvml.nvmlDeviceGetFieldValues(card, asked)
    assert values[0].value.ullVal == sum(value.value.ullVal for value in values[3:])
    assert values[0].value.ullVal != values[1].value.ullVal
    assert values[2].nvmlReturn == pynvml.NVML_ERROR_INVALID_ARGUMENT


# MIG


def test_mig_instances_have_identity_memory_and_processes(nvml):
    """Each instance has its own name, UUID, ids, memory and processes; together they have the card's."""
    card, other = nvml(gpus=2, mig="0:3g.40gb,3g.40gb,1g.10gb", freeze=9)
    assert (pynvml.nvmlDeviceGetMigMode(card), pynvml.nvmlDeviceGetMigMode(other)) == ([1, 1], [0, 0])
    assert (pynvml.nvmlDeviceGetMaxMigDeviceCount(card), pynvml.nvmlDeviceGetMaxMigDeviceCount(other)) == (
        7,
        0,
    )
    slices = [pynvml.nvmlDeviceGetMigDeviceHandleByIndex(card, index) for index in range(3)]
    assert answer(pynvml.nvmlDeviceGetMigDeviceHandleByIndex, card, 3) == "NotFound"
    assert pynvml.nvmlDeviceGetName(slices[0]) == "NVIDIA H100 80GB HBM3 MIG 3g.40gb"
    uuids = [pynvml.nvmlDeviceGetUUID(each) for each in slices]
    assert len({*uuids}) == 3
    assert all(uuid.startswith("MIG-") for uuid in uuids)
    assert pynvml.nvmlDeviceGetGpuInstanceId(pynvml.nvmlDeviceGetHandleByUUID(uuids[2])) == 7
    assert [pynvml.nvmlDeviceGetGpuInstanceId(each) for each in slices] == [1, 2, 7]
    assert [pynvml.nvmlDeviceGetComputeInstanceId(each) for each in slices] == [0, 0, 0]
    assert [memory_v2(each).total >> 20 for each in slices] == [40448, 40448, 9984]
    assert sum(memory_v2(each).used for each in slices) == memory_v2(card).used
    assert pynvml.nvmlDeviceGetIndex(pynvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(slices[1])) == 0
    attributes = pynvml.nvmlDeviceGetAttributes_v2(slices[2])
    assert (attributes.gpuInstanceSliceCount, attributes.memorySizeMB) == (1, 9984)
    whole = {
        (process.pid, process.gpuInstanceId) for process in pynvml.nvmlDeviceGetComputeRunningProcesses(card)
    }
    parts = [pynvml.nvmlDeviceGetComputeRunningProcesses(each) for each in slices]
    assert whole == {(process.pid, process.gpuInstanceId) for part in parts for process in part}
    assert [{process.gpuInstanceId for process in part} for part in parts] == [{1}, {2}, {7}]
    assert [pynvml.nvmlDeviceIsMigDeviceHandle(each).value for each in (card, *slices)] == [0, 1, 1, 1]


def test_mig_has_no_utilisation(nvml):
    """A card in MIG mode and its instances give no utilisation; the card still gives power."""
    card, other = nvml(gpus=2, mig="0:3g.40gb")
    part = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(card, 0)
    for handle, expected in ((card, "NotSupported"), (part, "NotSupported"), (other, "ok")):
        assert answer(pynvml.nvmlDeviceGetUtilizationRates, handle) == expected
        assert answer(pynvml.nvmlDeviceGetProcessUtilization, handle, 0) == expected
    assert (answer(pynvml.nvmlDeviceGetPowerUsage, card), answer(pynvml.nvmlDeviceGetPowerUsage, part)) == (
        "ok",
        "NotSupported",
    )


def test_the_mig_layout_changes_under_a_running_program(rig, nvml):
    """A slice that is destroyed takes its handle with it; MIG may be switched on with no slice yet."""
    card = nvml(gpus=1, mig="*:1g.10gb,1g.10gb")[0]
    part = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(card, 1)
    rig.faults("mig 0:1g.10gb")
    assert answer(pynvml.nvmlDeviceGetUUID, part) == "InvalidArgument"
    rig.faults("mig 0:")
    assert pynvml.nvmlDeviceGetMigMode(card) == [1, 1]
    assert pynvml.nvmlDeviceGetComputeRunningProcesses(card) == []
    rig.faults("mig none")
    assert pynvml.nvmlDeviceGetMigMode(card) == [0, 0]
    assert len(pynvml.nvmlDeviceGetComputeRunningProcesses(card)) == 8
    rig.faults("")
    assert pynvml.nvmlDeviceGetUUID(part).startswith("MIG-")


# Events


def test_an_xid_wakes_who_waits_once(rig, nvml):
    """An Xid that newly appears is given once, with its card and code; then there is silence."""
    cards = nvml()
    events = pynvml.nvmlEventSetCreate()
    for card in cards:
        pynvml.nvmlDeviceRegisterEvents(card, pynvml.nvmlEventTypeXidCriticalError, events)
    assert answer(pynvml.nvmlEventSetWait_v2, events, 0) == "Timeout"
    rig.faults("xid 3 79")
    event = pynvml.nvmlEventSetWait_v2(events, 10_000)
    assert (event.eventType, event.eventData) == (pynvml.nvmlEventTypeXidCriticalError, 79)
    assert pynvml.nvmlDeviceGetIndex(event.device) == 3
    assert answer(pynvml.nvmlEventSetWait_v2, events, 50) == "Timeout"
    rig.faults("xid 3 79\nxid 3 79\nxid 1 48")
    assert {pynvml.nvmlEventSetWait_v2(events, 10_000).eventData for _ in range(2)} == {79, 48}
    pynvml.nvmlEventSetFree(events)
    assert answer(pynvml.nvmlEventSetWait_v2, events, 0) == "InvalidArgument"


def test_a_waiting_thread_sees_the_driver_go(rig, nvml):
    """A wait that is under way ends with an error when the driver goes, long before its own time is up."""
    card = nvml()[0]
    events = pynvml.nvmlEventSetCreate()
    pynvml.nvmlDeviceRegisterEvents(card, pynvml.nvmlEventTypeXidCriticalError, events)
    heard: list[str] = []
    thread = threading.Thread(
        target=lambda: heard.append(answer(pynvml.nvmlEventSetWait_v2, events, 600_000)), daemon=True
    )
    thread.start()
    time.sleep(0.05)
    rig.faults("gpu 0 lost")
    thread.join(timeout=30)
    assert heard == ["GpuIsLost"]


# Boards


@pytest.mark.parametrize(
    ("board", "missing", "there"),
    [
        ("h100", ["nvmlDeviceGetFanSpeed"], ["nvmlDeviceGetRemappedRows", "nvmlDeviceGetEccMode"]),
        ("a100", ["nvmlDeviceGetFanSpeed"], ["nvmlDeviceGetRemappedRows", "nvmlDeviceGetMigMode"]),
        ("geforce", ["nvmlDeviceGetEccMode", "nvmlDeviceGetRemappedRows"], ["nvmlDeviceGetFanSpeed"]),
        (
            "gb10",
            ["nvmlDeviceGetMemoryInfo", "nvmlDeviceGetPowerManagementLimit", "nvmlDeviceGetFanSpeed"],
            ["nvmlDeviceGetPowerUsage", "nvmlDeviceGetComputeRunningProcesses"],
        ),
        (
            "wsl",
            ["nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetEccMode"],
            ["nvmlDeviceGetMemoryInfo", "nvmlDeviceGetDriverModel"],
        ),
        (
            "vgpu",
            ["nvmlDeviceGetPowerUsage", "nvmlDeviceGetEccMode", "nvmlDeviceGetComputeRunningProcesses"],
            ["nvmlDeviceGetMemoryInfo", "nvmlDeviceGetUtilizationRates"],
        ),
    ],
)
def test_a_board_lacks_what_its_kind_lacks(nvml, board, missing, there):
    """What a kind of board cannot give is NotSupported on it, and what it can is not."""
    card = nvml(gpus=1, board=board)[0]
    assert {name: answer(getattr(pynvml, name), card) for name in missing} == dict.fromkeys(
        missing, "NotSupported"
    )
    assert {name: answer(getattr(pynvml, name), card) for name in there} == dict.fromkeys(there, "ok")


def test_the_oddities_of_boards(rig, nvml):
    """GB10 may read 0 bytes, WSL hides process memory, a guest says it is one, GPM is Hopper's."""
    card = nvml(gpus=1, board="gb10", unified="zero")[0]
    assert memory_v2(card).total == 0
    rig.use(gpus=1, board="wsl")
    pynvml.nvmlInit()
    assert {process.usedGpuMemory for process in pynvml.nvmlDeviceGetComputeRunningProcesses(card)} == {None}
    rig.use(gpus=1, board="vgpu")
    pynvml.nvmlInit()
    assert pynvml.nvmlDeviceGetVirtualizationMode(card) == pynvml.NVML_GPU_VIRTUALIZATION_MODE_VGPU
    supported = {}
    for board in ("h100", "a100"):
        rig.use(gpus=1, board=board)
        pynvml.nvmlInit()
        supported[board] = pynvml.nvmlGpmQueryDeviceSupport(card).isSupportedDevice
    assert supported == {"h100": 1, "a100": 0}


def test_the_driver_of_535_writes_a_longer_row(nvml):
    """A caller of 535.54 that expects 24 bytes a row finds the PIDs out of place, as users did."""
    card = nvml(gpus=1, driver="535.54.03", struct535=1, freeze=5)[0]
    right = [process.pid for process in pynvml.nvmlDeviceGetComputeRunningProcesses_v2(card)]
    wrong = [process.pid for process in pynvml.nvmlDeviceGetComputeRunningProcesses_v3(card)]
    assert right[0] == wrong[0]
    assert right != wrong

    class Row(ctypes.Structure):
        _fields_ = (
            ("pid", ctypes.c_uint),
            ("used", ctypes.c_ulonglong),
            ("gi", ctypes.c_uint),
            ("ci", ctypes.c_uint),
            ("protected", ctypes.c_ulonglong),
        )

    count, rows = ctypes.c_uint(32), (Row * 32)()
    assert pynvml.nvmlLib.nvmlDeviceGetComputeRunningProcesses_v3(card, ctypes.byref(count), rows) == 0
    assert [rows[index].pid for index in range(count.value)] == right


def test_the_old_library_truly_lacks_the_new_functions(rig, nvml_library):
    """The symbols are not in the library of driver 470, so the loader itself fails to find them."""
    code = f"""
import ctypes, json, pynvml
pynvml.nvmlInit()
card = pynvml.nvmlDeviceGetHandleByIndex(0)
lib = ctypes.CDLL("libnvidia-ml.so.1")
print(json.dumps([
    [name for name in {ABSENT_IN_470!r} if hasattr(lib, name)],
    pynvml.nvmlSystemGetDriverVersion(),
    len(pynvml.nvmlDeviceGetComputeRunningProcesses_v2(card)),
]))
"""
    done = rig.run(code, env=rig.env(board="old"))
    assert done.stderr == ""
    assert json.loads(done.stdout) == [[], "470.256.02", 8]
    current = ctypes.CDLL(str(nvml_library / "libnvidia-ml.so.1"))
    assert all(hasattr(current, name) for name in ABSENT_IN_470)


def test_the_library_of_535_has_the_symbols_of_its_time(rig):
    """Conf-compute sizes without the detail list tell the driver with the longer rows from the others."""
    code = """
import ctypes, pynvml
pynvml.nvmlInit()
lib = ctypes.CDLL("libnvidia-ml.so.1")
names = ["nvmlDeviceGetConfComputeMemSizeInfo", "nvmlDeviceGetRunningProcessDetailList"]
card = pynvml.nvmlDeviceGetHandleByIndex(0)
right = [process.pid for process in pynvml.nvmlDeviceGetComputeRunningProcesses_v2(card)]
wrong = [process.pid for process in pynvml.nvmlDeviceGetComputeRunningProcesses_v3(card)]
print(*(hasattr(lib, name) for name in names), pynvml.nvmlSystemGetDriverVersion(), right == wrong)
"""
    done = rig.run(code, env=rig.env(board="535"))
    assert (done.stderr, done.stdout) == ("", "True False 535.54.03 False\n")
