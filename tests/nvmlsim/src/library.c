/* The library itself: init, shutdown, error texts, the system's versions, and finding a card. */
#include "sim.h"
#include <strings.h>

static int do_init(struct fn *f) {
    int r = enter(f, -1, 0);
    if (r) return r;
    if (faults_now()->init_err) return fail(f, faults_now()->init_err);
    atomic_fetch_add(&refs, 1);
    return OK;
}
FN(nvmlInit);          EXPORT int nvmlInit(void)           { return do_init(&F_nvmlInit); }
FN(nvmlInit_v2);       EXPORT int nvmlInit_v2(void)        { return do_init(&F_nvmlInit_v2); }
FN(nvmlInitWithFlags); EXPORT int nvmlInitWithFlags(u32 x) { (void)x; return do_init(&F_nvmlInitWithFlags); }
FN(nvmlShutdown);
EXPORT int nvmlShutdown(void) { SYS_ENTER(nvmlShutdown); atomic_fetch_sub(&refs, 1); return OK; }

FN(nvmlErrorString);
EXPORT const char *nvmlErrorString(int e) {
    static const char *const t[] = {
        "Success", "Uninitialized", "Invalid Argument", "Not Supported", "Insufficient Permissions",
        "Already Initialized", "Not Found", "Insufficient Size", "Insufficient External Power", "Driver Not Loaded",
        "Timeout", "Interrupt Request Issue", "NVML Shared Library Not Found", "Function Not Found",
        "Corrupted infoROM", "GPU is lost", "GPU requires reset", "GPU access blocked by the operating system",
        "Driver/library version mismatch", "In use by another client", "Insufficient Memory", "No data",
        "ECC disabled on vGPU", "Insufficient resources", "Frequency not supported", "Argument version mismatch",
        "Deprecated", "Not ready", "GPU not found", "Invalid state", "Reset type not supported" };
    atomic_fetch_add_explicit(&F_nvmlErrorString.rec->calls, 1, memory_order_relaxed);
    return e >= 0 && e < (int)(sizeof t / sizeof *t) ? t[e] : "Unknown Error";
}

/* ---- the system ---- */

FN(nvmlSystemGetDriverVersion);
EXPORT int nvmlSystemGetDriverVersion(char *out, u32 len) { SYS_ENTER(nvmlSystemGetDriverVersion); return put(out, len, settings.driver); }
FN(nvmlSystemGetNVMLVersion);
EXPORT int nvmlSystemGetNVMLVersion(char *out, u32 len) {
    SYS_ENTER(nvmlSystemGetNVMLVersion);
    char b[128];
    snprintf(b, sizeof b, "%u.%s", board->cuda / 1000, settings.driver);
    return put(out, len, b);
}
#define SYS_INT(f, v) FN(f); EXPORT int f(int *out) { SYS_ENTER(f); NEED(out); *out = (int)(v); return OK; }
SYS_INT(nvmlSystemGetCudaDriverVersion, board->cuda)
SYS_INT(nvmlSystemGetCudaDriverVersion_v2, board->cuda)
FN(nvmlSystemGetProcessName);
EXPORT int nvmlSystemGetProcessName(u32 pid, char *out, u32 len) {
    SYS_ENTER(nvmlSystemGetProcessName);
    NEED(out);
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%u/cmdline", pid);
    FILE *fp = fopen(path, "re");
    if (!fp) FAIL(nvmlSystemGetProcessName, E_NOTFOUND);
    text[fread(text, 1, sizeof text - 1, fp)] = 0;
    fclose(fp);
    snprintf(out, len, "%s", text);                        /* argv[0], as the driver gives it */
    return OK;
}
#ifndef NVMLSIM_BEFORE_545
struct branch { u32 version; char branch[80]; };
FN(nvmlSystemGetDriverBranch);
EXPORT int nvmlSystemGetDriverBranch(struct branch *b, u32 len) {
    SYS_ENTER(nvmlSystemGetDriverBranch);
    NEED(b);
    snprintf(b->branch, len < sizeof b->branch ? len : sizeof b->branch, "r%d_00", atoi(settings.driver));
    return OK;
}
#endif

/* ---- handles ---- */

static int do_count(struct fn *f, u32 *n) { int r = enter(f, -1, 1); if (r) return r; NEED(n); *n = (u32)live_gpus(); return OK; }
FN(nvmlDeviceGetCount);    EXPORT int nvmlDeviceGetCount(u32 *n)    { return do_count(&F_nvmlDeviceGetCount, n); }
FN(nvmlDeviceGetCount_v2); EXPORT int nvmlDeviceGetCount_v2(u32 *n) { return do_count(&F_nvmlDeviceGetCount_v2, n); }

static int do_handle(struct fn *f, int i, int slot, dev_t_ *h) {
    int r = enter(f, i >= 0 && i < MAX_GPUS ? i : -1, 1);
    if (r) return r;
    NEED(h);
    if (i < 0 || i >= live_gpus()) return fail(f, E_INVALID);
    *h = handle_for(i, slot);
    return OK;
}
FN(nvmlDeviceGetHandleByIndex);
EXPORT int nvmlDeviceGetHandleByIndex(u32 i, dev_t_ *h) { return do_handle(&F_nvmlDeviceGetHandleByIndex, (int)i, -1, h); }
FN(nvmlDeviceGetHandleByIndex_v2);
EXPORT int nvmlDeviceGetHandleByIndex_v2(u32 i, dev_t_ *h) { return do_handle(&F_nvmlDeviceGetHandleByIndex_v2, (int)i, -1, h); }

static int is_called(const char *s, int how, int card, int slot) {
    char b[128];
    if (how == 'u') uuid_of(card, slot, b);
    else if (how == 's') serial_of(card, b);
    else pci_of(card, b, strlen(s) > 12);
    return !strcasecmp(s, b);
}
static int do_find(struct fn *f, const char *s, int how, dev_t_ *h) {
    for (int i = 0; s && i < live_gpus(); i++)
        for (int slot = -1; slot < (how == 'u' ? mig_of(i)->n : 0); slot++)
            if (is_called(s, how, i, slot)) return do_handle(f, i, slot, h);
    int r = enter(f, -1, 1);
    return r ? r : fail(f, E_NOTFOUND);
}
#define BY(f, how) FN(f); EXPORT int f(const char *s, dev_t_ *h) { return do_find(&F_##f, s, how, h); }
BY(nvmlDeviceGetHandleByUUID, 'u')
BY(nvmlDeviceGetHandleBySerial, 's')
BY(nvmlDeviceGetHandleByPciBusId, 'p')
BY(nvmlDeviceGetHandleByPciBusId_v2, 'p')
