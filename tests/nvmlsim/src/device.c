/* The plain figures of a card: memory, load, clocks, temperature, power, modes. */
#include "sim.h"

DEV_OUT(nvmlDeviceGetIndex, u32, (u32)g)
DEV_OUT(nvmlDeviceGetMinorNumber, u32, (u32)g)
DEV_OUT(nvmlDeviceGetBoardId, u32, bus_of(g) << 8)
DEV_OUT(nvmlDeviceGetMultiGpuBoard, u32, 0)
DEV_OUT(nvmlDeviceGetBrand, u32, board->brand)
DEV_OUT(nvmlDeviceGetArchitecture, u32, board->arch)
DEV_OUT(nvmlDeviceGetDisplayMode, u32, board->graphics ? 1 : 0)
DEV_OUT(nvmlDeviceGetDisplayActive, u32, board->graphics ? 1 : 0)
DEV_OUT(nvmlDeviceGetPersistenceMode, u32, 1)
DEV_OUT(nvmlDeviceGetComputeMode, u32, 0)
DEV_OUT(nvmlDeviceGetVirtualizationMode, u32, board->virtualization)
DEV_OUT(nvmlDeviceGetPerformanceState, u32, util_of(g, now_s()) < 1 ? 8 : 0)
DEV_OUT(nvmlDeviceGetPowerState, u32, util_of(g, now_s()) < 1 ? 8 : 0)
DEV_OUT(nvmlDeviceGetPowerUsage, u32, power_mw(g))
DEV_OUT(nvmlDeviceGetPowerManagementMode, u32, 1)
DEV_OUT(nvmlDeviceGetPowerManagementLimit, u32, board->power_mw)
DEV_OUT(nvmlDeviceGetPowerManagementDefaultLimit, u32, board->power_mw)
DEV_OUT(nvmlDeviceGetEnforcedPowerLimit, u32, board->power_mw)
DEV_OUT(nvmlDeviceGetTotalEnergyConsumption, u64, energy_mj(g))
DEV_OUT(nvmlDeviceGetCurrPcieLinkGeneration, u32, board->pcie_gen)
DEV_OUT(nvmlDeviceGetMaxPcieLinkGeneration, u32, board->pcie_gen)
DEV_OUT(nvmlDeviceGetCurrPcieLinkWidth, u32, 16)
DEV_OUT(nvmlDeviceGetMaxPcieLinkWidth, u32, 16)
DEV_OUT(nvmlDeviceGetPcieReplayCounter, u32, 0)
DEV_OUT(nvmlDeviceGetCurrentClocksThrottleReasons, u64, throttle_mask(g))
DEV_OUT(nvmlDeviceGetSupportedClocksThrottleReasons, u64, 0x1ff)
DEV_OUT(nvmlDeviceGetAccountingMode, u32, 0)
DEV_OUT(nvmlDeviceGetAccountingBufferSize, u32, 4000)
DEV_OUT(nvmlDeviceGetRetiredPagesPendingStatus, u32, 0)
DEV_OUT(nvmlDeviceGetInforomConfigurationChecksum, u32, 0x5eed0000u + (u32)g)
#ifndef NVMLSIM_OLD
DEV_OUT(nvmlDeviceGetModuleId, u32, (u32)g)
DEV_OUT(nvmlDeviceGetBusType, u32, 2)
DEV_OUT(nvmlDeviceGetNumaNodeId, int, g % 8 < 4 ? 0 : 1)
DEV_OUT(nvmlDeviceGetNumGpuCores, u32, board->cores)
DEV_OUT(nvmlDeviceGetMemoryBusWidth, u32, board->bus_bits)
DEV_OUT(nvmlDeviceGetIrqNum, u32, 100 + (u32)g)
DEV_OUT(nvmlDeviceGetPowerSource, u32, 0)
DEV_OUT(nvmlDeviceGetGpuMaxPcieLinkGeneration, u32, board->pcie_gen)
DEV_OUT(nvmlDeviceGetPcieSpeed, u32, 2000u << board->pcie_gen >> 1)
DEV_OUT(nvmlDeviceGetPcieLinkMaxSpeed, u32, board->pcie_gen)
DEV_OUT(nvmlDeviceGetCurrentClocksEventReasons, u64, throttle_mask(g))
DEV_OUT(nvmlDeviceGetSupportedClocksEventReasons, u64, 0x1ff)
DEV_OUT(nvmlDeviceGetDefaultEccMode, u32, 1)
DEV_OUT(nvmlDeviceGetAdaptiveClockInfoStatus, u32, 0)
#endif

/* ---- memory ---- */

struct mem1 { u64 total, free, used; };
struct mem2 { u32 version; u64 total, reserved, free, used; };
static struct mem2 memory_of(dev_t_ d) {
    const struct gpu *h = handle_of(d);
    const struct mig_instance *slice = instance_of(h);
    struct mem2 m = { .total = slice ? slice->bytes : board->total, .reserved = slice ? 0 : board->reserved };
    m.used = slice ? instance_used(h->card, h->slot) : mem_used(h->card);
    if (m.used > m.total - m.reserved) m.used = m.total - m.reserved;
    m.free = m.total - m.reserved - m.used;
    if (faults_now()->mem_zero || settings.unified_zero) m.total = m.reserved = m.free = m.used = 0;
    return m;
}
FN(nvmlDeviceGetMemoryInfo);
EXPORT int nvmlDeviceGetMemoryInfo(dev_t_ d, struct mem1 *out) {
    DEV_ENTER(nvmlDeviceGetMemoryInfo);
    NEED(out);
    struct mem2 m = memory_of(d);
    *out = (struct mem1){ m.total, m.free, m.used + m.reserved };   /* v1 counts the reserved part as used */
    return OK;
}
#ifndef NVMLSIM_OLD
FN(nvmlDeviceGetMemoryInfo_v2);
EXPORT int nvmlDeviceGetMemoryInfo_v2(dev_t_ d, struct mem2 *out) {
    DEV_ENTER(nvmlDeviceGetMemoryInfo_v2);
    NEED(out);
    u32 version = out->version;
    if (version != (0x02000000u | sizeof *out)) FAIL(nvmlDeviceGetMemoryInfo_v2, E_VERSION);
    *out = memory_of(d);
    out->version = version;
    return OK;
}
struct cc_mem { u64 protected_kib, unprotected_kib; };
FN(nvmlDeviceGetConfComputeMemSizeInfo);
EXPORT int nvmlDeviceGetConfComputeMemSizeInfo(dev_t_ d, struct cc_mem *m) { DEV_ENTER(nvmlDeviceGetConfComputeMemSizeInfo); (void)g; NEED(m); m->protected_kib = 0; m->unprotected_kib = board->total >> 10; return OK; }
#endif
FN(nvmlDeviceGetBAR1MemoryInfo);
EXPORT int nvmlDeviceGetBAR1MemoryInfo(dev_t_ d, struct mem1 *m) {
    DEV_ENTER(nvmlDeviceGetBAR1MemoryInfo);
    NEED(m);
    m->total = 128ull << 30; m->used = (2ull + (u64)procs_on(g)) << 20; m->free = m->total - m->used;
    return OK;
}

/* ---- load, clocks, links to the host ---- */

struct util { u32 gpu, mem; };
FN(nvmlDeviceGetUtilizationRates);
EXPORT int nvmlDeviceGetUtilizationRates(dev_t_ d, struct util *u) { DEV_ENTER(nvmlDeviceGetUtilizationRates); NEED(u); u->gpu = gpu_util(g); u->mem = mem_util(g); return OK; }
#define DEV_ENGINE(f, expr) FN(f); EXPORT int f(dev_t_ d, u32 *u, u32 *us) { DEV_ENTER(f); (void)g; NEED(u && us); *u = (expr); *us = 167000; return OK; }
DEV_ENGINE(nvmlDeviceGetEncoderUtilization, enc_util(g))
DEV_ENGINE(nvmlDeviceGetDecoderUtilization, dec_util(g))
#ifndef NVMLSIM_OLD
DEV_ENGINE(nvmlDeviceGetJpgUtilization, 0)
DEV_ENGINE(nvmlDeviceGetOfaUtilization, 0)
#endif
#define DEV_CLOCK(f, expr) FN(f); EXPORT int f(dev_t_ d, u32 type, u32 *mhz) { DEV_ENTER(f); (void)g; NEED(mhz && type < 4); *mhz = (expr); return OK; }
DEV_CLOCK(nvmlDeviceGetClockInfo, clock_mhz(g, (int)type))
DEV_CLOCK(nvmlDeviceGetMaxClockInfo, max_clock_mhz((int)type))
DEV_CLOCK(nvmlDeviceGetMaxCustomerBoostClock, max_clock_mhz((int)type))
DEV_CLOCK(nvmlDeviceGetApplicationsClock, max_clock_mhz((int)type))
DEV_CLOCK(nvmlDeviceGetDefaultApplicationsClock, max_clock_mhz((int)type))
FN(nvmlDeviceGetClock);
EXPORT int nvmlDeviceGetClock(dev_t_ d, u32 type, u32 id, u32 *mhz) { DEV_ENTER(nvmlDeviceGetClock); NEED(mhz && type < 4); *mhz = id ? max_clock_mhz((int)type) : clock_mhz(g, (int)type); return OK; }
FN(nvmlDeviceGetPcieThroughput);
EXPORT int nvmlDeviceGetPcieThroughput(dev_t_ d, u32 counter, u32 *kbs) { DEV_ENTER(nvmlDeviceGetPcieThroughput); NEED(kbs && counter < 2); *kbs = pcie_kbs(g, counter == 1); return OK; }

/* ---- heat, power, fans ---- */

FN(nvmlDeviceGetTemperature);
EXPORT int nvmlDeviceGetTemperature(dev_t_ d, u32 sensor, u32 *c) { DEV_ENTER(nvmlDeviceGetTemperature); NEED(c && sensor < 2); *c = temp_c(g); return OK; }
FN(nvmlDeviceGetTemperatureThreshold);
EXPORT int nvmlDeviceGetTemperatureThreshold(dev_t_ d, u32 which, u32 *c) {
    static const u32 limits[4] = { 92, 89, 95, 87 };       /* shutdown, slowdown, memory, GPU */
    DEV_ENTER(nvmlDeviceGetTemperatureThreshold);
    (void)g;
    NEED(c);
    if (which > 3 || (which == 2 && !board->hbm)) FAIL(nvmlDeviceGetTemperatureThreshold, E_NOTSUP);
    *c = limits[which];
    return OK;
}
#ifndef NVMLSIM_BEFORE_545
struct temp1 { u32 version, sensor; int c; };
FN(nvmlDeviceGetTemperatureV);
EXPORT int nvmlDeviceGetTemperatureV(dev_t_ d, struct temp1 *t) {
    DEV_ENTER(nvmlDeviceGetTemperatureV);
    NEED(t);
    if (t->version != (0x01000000u | sizeof *t)) FAIL(nvmlDeviceGetTemperatureV, E_VERSION);
    t->c = (int)temp_c(g);
    return OK;
}
struct margin { u32 version; int c; };
FN(nvmlDeviceGetMarginTemperature);
EXPORT int nvmlDeviceGetMarginTemperature(dev_t_ d, struct margin *m) { DEV_ENTER(nvmlDeviceGetMarginTemperature); NEED(m); m->c = 87 - (int)temp_c(g); return OK; }
#endif
FN(nvmlDeviceGetPowerManagementLimitConstraints);
EXPORT int nvmlDeviceGetPowerManagementLimitConstraints(dev_t_ d, u32 *lo, u32 *hi) { DEV_ENTER(nvmlDeviceGetPowerManagementLimitConstraints); (void)g; NEED(lo && hi); *lo = 200000; *hi = board->power_mw; return OK; }
FN(nvmlDeviceGetNumFans);
EXPORT int nvmlDeviceGetNumFans(dev_t_ d, u32 *n) { DEV_ENTER(nvmlDeviceGetNumFans); (void)g; NEED(n); *n = settings.fan ? 1 : 0; return OK; }
FN(nvmlDeviceGetFanSpeed);
EXPORT int nvmlDeviceGetFanSpeed(dev_t_ d, u32 *v) { DEV_ENTER(nvmlDeviceGetFanSpeed); if (!settings.fan) FAIL(nvmlDeviceGetFanSpeed, E_NOTSUP); NEED(v); *v = temp_c(g); return OK; }
FN(nvmlDeviceGetFanSpeed_v2);
EXPORT int nvmlDeviceGetFanSpeed_v2(dev_t_ d, u32 fan, u32 *v) { DEV_ENTER(nvmlDeviceGetFanSpeed_v2); if (!settings.fan) FAIL(nvmlDeviceGetFanSpeed_v2, E_NOTSUP); NEED(v && !fan); *v = temp_c(g); return OK; }
#ifndef NVMLSIM_BEFORE_545
struct fan_rpm { u32 version, fan, speed; };
FN(nvmlDeviceGetFanSpeedRPM);
EXPORT int nvmlDeviceGetFanSpeedRPM(dev_t_ d, struct fan_rpm *v) { DEV_ENTER(nvmlDeviceGetFanSpeedRPM); if (!settings.fan) FAIL(nvmlDeviceGetFanSpeedRPM, E_NOTSUP); NEED(v); v->speed = temp_c(g) * 40; return OK; }
#endif

/* ---- errors and modes ---- */

struct violation { u64 reference_time, violation_time; };
FN(nvmlDeviceGetViolationStatus);
EXPORT int nvmlDeviceGetViolationStatus(dev_t_ d, u32 policy, struct violation *v) { DEV_ENTER(nvmlDeviceGetViolationStatus); (void)g; (void)policy; NEED(v); v->reference_time = real_us(); v->violation_time = 0; return OK; }
FN(nvmlDeviceGetCudaComputeCapability);
EXPORT int nvmlDeviceGetCudaComputeCapability(dev_t_ d, int *major, int *minor) { DEV_ENTER(nvmlDeviceGetCudaComputeCapability); (void)g; NEED(major && minor); *major = (int)board->major; *minor = (int)board->minor; return OK; }
FN(nvmlDeviceGetEccMode);
EXPORT int nvmlDeviceGetEccMode(dev_t_ d, u32 *now, u32 *next) { DEV_ENTER(nvmlDeviceGetEccMode); (void)g; NEED(now && next); *now = *next = 1; return OK; }
FN(nvmlDeviceGetTotalEccErrors);
EXPORT int nvmlDeviceGetTotalEccErrors(dev_t_ d, u32 type, u32 counter, u64 *n) { DEV_ENTER(nvmlDeviceGetTotalEccErrors); (void)counter; NEED(n && type < 2); *n = ecc_count(g, type == 1); return OK; }
FN(nvmlDeviceGetMemoryErrorCounter);
EXPORT int nvmlDeviceGetMemoryErrorCounter(dev_t_ d, u32 type, u32 counter, u32 where, u64 *n) { DEV_ENTER(nvmlDeviceGetMemoryErrorCounter); (void)counter; NEED(n && type < 2); *n = where == 2 ? ecc_count(g, type == 1) : 0; return OK; }
FN(nvmlDeviceGetRemappedRows);
EXPORT int nvmlDeviceGetRemappedRows(dev_t_ d, u32 *cor, u32 *unc, u32 *pending, u32 *failed) {
    DEV_ENTER(nvmlDeviceGetRemappedRows);
    NEED(cor && unc && pending && failed);
    int state = faults_now()->remap[g];
    *cor = 0; *unc = state ? 1 : 0; *pending = state == 1; *failed = state == 2;
    return OK;
}
struct rows { u32 max, high, partial, low, none; };
FN(nvmlDeviceGetRowRemapperHistogram);
EXPORT int nvmlDeviceGetRowRemapperHistogram(dev_t_ d, struct rows *r) { DEV_ENTER(nvmlDeviceGetRowRemapperHistogram); (void)g; NEED(r); *r = (struct rows){ 2560, 0, 0, 0, 0 }; return OK; }
static int do_model(struct fn *f, dev_t_ d, u32 *now, u32 *next) { int g, r = enter_device(f, d, &g); if (r) return r; NEED(now); *now = 0; if (next) *next = 0; return OK; }  /* WDDM */
FN(nvmlDeviceGetDriverModel);
EXPORT int nvmlDeviceGetDriverModel(dev_t_ d, u32 *now, u32 *next) { return do_model(&F_nvmlDeviceGetDriverModel, d, now, next); }
#ifndef NVMLSIM_BEFORE_545
FN(nvmlDeviceGetDriverModel_v2);
EXPORT int nvmlDeviceGetDriverModel_v2(dev_t_ d, u32 *now, u32 *next) { return do_model(&F_nvmlDeviceGetDriverModel_v2, d, now, next); }
#endif
