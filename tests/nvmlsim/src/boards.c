/* What each card is, and what it does not have: the differences that break monitors. */
#include "sim.h"

#define NO_MIG "nvmlDeviceGetMigMode", "nvmlDeviceGetMaxMigDeviceCount", "nvmlDeviceGetMigDeviceHandleByIndex"
#define NO_ECC "nvmlDeviceGet*Ecc*", "nvmlDeviceGetMemoryErrorCounter", "nvmlDeviceGetRemappedRows", \
    "nvmlDeviceGetRowRemapperHistogram", "nvmlDeviceGetRetiredPages*"
#define NO_NVLINK "nvmlDeviceGetNvLink*"
#define NO_GPM "nvmlGpmSample*", "nvmlGpmMetricsGet"
#define NO_POWER_LIMIT "nvmlDeviceGetPowerManagement*", "nvmlDeviceGetEnforcedPowerLimit", "nvmlDeviceGetPowerSource"
#define NO_EVENTS "nvmlDeviceRegisterEvents", "nvmlDeviceGetSupportedEventTypes"
#define NO_DRIVER_MODEL "nvmlDeviceGetDriverModel*"

static const char *const h100_lacks[] = { NO_DRIVER_MODEL, NULL };
static const char *const a100_lacks[] = { NO_GPM, NO_DRIVER_MODEL, NULL };
static const char *const geforce_lacks[] = { NO_MIG, NO_ECC, NO_NVLINK, NO_GPM, NO_DRIVER_MODEL,
    "nvmlDeviceGetBoardPartNumber", "nvmlDeviceGetSerial", NULL };
static const char *const gb10_lacks[] = { NO_MIG, NO_ECC, NO_NVLINK, NO_GPM, NO_POWER_LIMIT, NO_DRIVER_MODEL,
    "nvmlDeviceGetMemoryInfo*", "nvmlDeviceGetBAR1MemoryInfo", "nvmlDeviceGetMemoryBusWidth",
    "nvmlDeviceGetFanSpeed*", "nvmlDeviceGetPcie*", "nvmlDeviceGet*PcieLink*", NULL };
/* Where memory reads 0 in place of an error, the functions are there. */
static const char *const gb10_zero_lacks[] = { NO_MIG, NO_ECC, NO_NVLINK, NO_GPM, NO_POWER_LIMIT, NO_DRIVER_MODEL,
    "nvmlDeviceGetMemoryBusWidth", "nvmlDeviceGetFanSpeed*", "nvmlDeviceGetPcie*", "nvmlDeviceGet*PcieLink*", NULL };
static const char *const wsl_lacks[] = { NO_MIG, NO_ECC, NO_NVLINK, NO_GPM, NO_EVENTS,
    "nvmlDeviceGetProcess*Utilization*", "nvmlDeviceGetPcieThroughput", "nvmlDeviceGetTotalEnergyConsumption",
    "nvmlDeviceGetFanSpeed*", "nvmlDeviceGetViolationStatus", "nvmlDeviceGetTopology*", "nvmlDeviceGet*Affinity*",
    "nvmlDeviceGetAccounting*", "nvmlDeviceGetRunningProcessDetailList", NULL };
static const char *const vgpu_lacks[] = { NO_MIG, NO_ECC, NO_NVLINK, NO_GPM, NO_EVENTS, NO_POWER_LIMIT,
    NO_DRIVER_MODEL, "nvmlDeviceGetPower*", "nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetTemperature*",
    "nvmlDeviceGetMarginTemperature", "nvmlDeviceGetFanSpeed*", "nvmlDeviceGet*RunningProcess*",
    "nvmlDeviceGetProcess*Utilization*", "nvmlDeviceGetPcieThroughput", "nvmlDeviceGet*Clocks*Reasons",
    "nvmlDeviceGetViolationStatus", "nvmlDeviceGetAccounting*", NULL };

static const struct board boards[] = {
    { .key = "h100", .name = "NVIDIA H100 80GB HBM3", .driver = "580.95.05", .total = 81559 * MIB,
      .reserved = 597 * MIB, .cuda = 13000, .brand = 14, .arch = 9, .major = 9, .cores = 16896, .bus_bits = 5120,
      .power_mw = 700000, .sm_mhz = 1980, .memory_mhz = 2619, .pcie_gen = 5, .pcie_id = 0x233010de, .links = 18,
      .hbm = 1, .ecc = 1, .gpm = 1, .denied = h100_lacks },
    { .key = "a100", .name = "NVIDIA A100-SXM4-80GB", .driver = "580.95.05", .total = 81920 * MIB,
      .reserved = 626 * MIB, .cuda = 13000, .brand = 14, .arch = 7, .major = 8, .cores = 6912, .bus_bits = 5120,
      .power_mw = 400000, .sm_mhz = 1410, .memory_mhz = 1593, .pcie_gen = 4, .pcie_id = 0x20b210de, .links = 12,
      .hbm = 1, .ecc = 1, .denied = a100_lacks },
    { .key = "geforce", .name = "NVIDIA GeForce RTX 4090", .driver = "580.95.05", .total = 24564 * MIB,
      .reserved = 491 * MIB, .cuda = 13000, .brand = 5, .arch = 8, .major = 8, .minor = 9, .cores = 16384,
      .bus_bits = 384, .power_mw = 450000, .sm_mhz = 3105, .memory_mhz = 10501, .pcie_gen = 4,
      .pcie_id = 0x268410de, .fan = 1, .graphics = 2, .denied = geforce_lacks },
    { .key = "gb10", .name = "NVIDIA GB10", .driver = "580.95.05", .total = 122559 * MIB, .cuda = 13000,
      .brand = 14, .arch = 10, .major = 12, .minor = 1, .cores = 6144, .power_mw = 100000, .sm_mhz = 3003,
      .memory_mhz = 8533, .pcie_gen = 5, .pcie_id = 0x2e1210de, .denied = gb10_lacks },
    { .key = "wsl", .name = "NVIDIA GeForce RTX 4090", .driver = "581.42", .total = 24564 * MIB,
      .reserved = 491 * MIB, .cuda = 13000, .brand = 5, .arch = 8, .major = 8, .minor = 9, .cores = 16384,
      .bus_bits = 384, .power_mw = 450000, .sm_mhz = 3105, .memory_mhz = 10501, .pcie_gen = 4,
      .pcie_id = 0x268410de, .fan = 1, .graphics = 2, .no_process_memory = 1, .denied = wsl_lacks },
    { .key = "vgpu", .name = "GRID A100D-40C", .driver = "570.133.20", .total = 40960 * MIB, .reserved = 3292 * MIB,
      .cuda = 12080, .brand = 9, .arch = 7, .major = 8, .cores = 6912, .bus_bits = 5120, .power_mw = 400000,
      .sm_mhz = 1410, .memory_mhz = 1593, .pcie_gen = 4, .pcie_id = 0x20b510de, .virtualization = 2,
      .denied = vgpu_lacks },
    { .key = "old", .name = "NVIDIA A100-SXM4-40GB", .driver = "470.256.02", .total = 40536 * MIB,
      .reserved = 571 * MIB, .cuda = 11040, .brand = 14, .arch = 7, .major = 8, .cores = 6912, .bus_bits = 5120,
      .power_mw = 400000, .sm_mhz = 1410, .memory_mhz = 1215, .pcie_gen = 4, .pcie_id = 0x20b010de, .links = 12,
      .hbm = 1, .ecc = 1, .denied = a100_lacks },
};
const struct board *board = boards;

void board_choose(const char *key) {
    static struct board zero;
    board = boards;
    for (size_t i = 0; i < sizeof boards / sizeof *boards; i++) if (!strcmp(key, boards[i].key)) board = &boards[i];
    const char *unified = getenv("NVMLSIM_UNIFIED");
    if (board->denied != gb10_lacks || !unified || strcmp(unified, "zero")) return;
    zero = *board;
    zero.denied = gb10_zero_lacks;
    board = &zero;
}
