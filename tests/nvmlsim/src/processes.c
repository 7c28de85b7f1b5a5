/* Who is on a card, in every struct layout that drivers have had, and how busy each keeps it. */
#include "sim.h"

struct row { u32 pid, gi, ci; u64 mem; };
struct proc1 { u32 pid; u64 mem; };
struct proc2 { u32 pid; u64 mem; u32 gi, ci; };
struct proc535 { u32 pid; u64 mem; u32 gi, ci; u64 cc_mem; };   /* what 535.43 - 535.86 wrote where proc2 was asked */

/* Rows of kind c(ompute), g(raphics) or m(ps); an instance lists its own. Gives how many; `out` may be NULL. */
static u32 rows_of(const struct gpu *h, char kind, struct row *out, u32 room) {
    const struct faults *now = faults_now();
    const struct mig_card *mig = mig_of(h->card);
    int procs = procs_on(h->card), n = kind == 'c' ? procs : now->vanish ? 0 : kind == 'm' ? settings.mps : settings.graphics + settings.both;
    u32 have = 0;
    for (int i = 0; i < n; i++) {
        int slot = mig->n ? i % mig->n : -1, mine = h->slot < 0 || (kind == 'c' && slot == h->slot);
        if (!mine) continue;
        int both = kind == 'g' && i < settings.both, place = kind == 'c' || both ? i : kind == 'g' ? procs + i - settings.both : procs + settings.graphics + i;
        u64 mem = kind == 'c' || both ? proc_mem(h->card, i) : kind == 'm' ? MPS_BYTES : GRAPHICS_BYTES;
        if (now->nomem || board->no_process_memory) mem = U64_NA;
        struct row row = { pid_at(h->card, place), U32_NA, U32_NA, mem };
        if (slot >= 0 && kind == 'c') { row.gi = mig->instance[slot].gi; row.ci = mig->instance[slot].ci; }
        if (out && have < room) out[have] = row;
        have++;
    }
    if (kind == 'c' && now->garbage_row && h->slot < 0) {
        if (out && have < room) out[have] = (struct row){ 0x7f3a0001u, 0xdeadbeefu, 0x7fu, board->total * 4 };
        have++;
    }
    return have;
}

static int do_procs(struct fn *f, dev_t_ d, u32 *n, void *out, int version, char kind) {
    int g, r = enter_device(f, d, &g);
    if (r) return r;
    NEED(n);
    u32 have = rows_of(handle_of(d), kind, NULL, 0);
    if (!have) { *n = 0; return OK; }
    if (*n < have || !out) { *n = have; return E_SIZE; }
    struct row *rows = calloc(have, sizeof *rows);
    if (!rows) return fail(f, E_MEMORY);
    u32 now = rows_of(handle_of(d), kind, rows, have);     /* a fault may have changed it in between */
    if (now > have) now = have;
    for (u32 i = 0; i < now; i++) {
        struct row p = rows[i];
        if (version == 1) ((struct proc1 *)out)[i] = (struct proc1){ p.pid, p.mem };
        else if (version == 3 && settings.struct535) ((struct proc535 *)out)[i] = (struct proc535){ p.pid, p.mem, p.gi, p.ci, 0 };
        else ((struct proc2 *)out)[i] = (struct proc2){ p.pid, p.mem, p.gi, p.ci };
    }
    free(rows);
    *n = now;
    return OK;
}
#define PROCS(f, version, kind) FN(f); EXPORT int f(dev_t_ d, u32 *n, void *out) { return do_procs(&F_##f, d, n, out, version, kind); }
PROCS(nvmlDeviceGetComputeRunningProcesses, 1, 'c')
PROCS(nvmlDeviceGetComputeRunningProcesses_v2, 2, 'c')
PROCS(nvmlDeviceGetGraphicsRunningProcesses, 1, 'g')
PROCS(nvmlDeviceGetGraphicsRunningProcesses_v2, 2, 'g')
PROCS(nvmlDeviceGetMPSComputeRunningProcesses, 1, 'm')
PROCS(nvmlDeviceGetMPSComputeRunningProcesses_v2, 2, 'm')
#ifndef NVMLSIM_OLD
PROCS(nvmlDeviceGetComputeRunningProcesses_v3, 3, 'c')
PROCS(nvmlDeviceGetGraphicsRunningProcesses_v3, 3, 'g')
PROCS(nvmlDeviceGetMPSComputeRunningProcesses_v3, 3, 'm')
#endif
#ifndef NVMLSIM_BEFORE_545

struct details { u32 version, mode, n; struct proc535 *a; };
FN(nvmlDeviceGetRunningProcessDetailList);
EXPORT int nvmlDeviceGetRunningProcessDetailList(dev_t_ d, struct details *l) {
    DEV_ENTER(nvmlDeviceGetRunningProcessDetailList);
    (void)g;
    NEED(l && l->mode < 3);
    char kind = "cgm"[l->mode];
    u32 have = rows_of(handle_of(d), kind, NULL, 0);
    if (!have) { l->n = 0; return OK; }
    if (!l->a || l->n < have) { l->n = have; return E_SIZE; }
    struct row *rows = calloc(have, sizeof *rows);
    if (!rows) FAIL(nvmlDeviceGetRunningProcessDetailList, E_MEMORY);
    u32 now = rows_of(handle_of(d), kind, rows, have);
    if (now > have) now = have;
    for (u32 i = 0; i < now; i++) l->a[i] = (struct proc535){ rows[i].pid, rows[i].mem, rows[i].gi, rows[i].ci, 0 };
    free(rows);
    l->n = now;
    return OK;
}
#endif

/* ---- how busy: samples are taken four times a second; those newer than `since` are given ---- */

static u64 sample_us(void) { return real_us() / 250000 * 250000; }
struct putil { u32 pid; u64 ts; u32 sm, mem, enc, dec; };
FN(nvmlDeviceGetProcessUtilization);
EXPORT int nvmlDeviceGetProcessUtilization(dev_t_ d, struct putil *out, u32 *n, u64 since) {
    DEV_ENTER(nvmlDeviceGetProcessUtilization);
    NEED(n);
    u32 have = (u32)procs_on(g);
    u64 ts = sample_us();
    if (!have || ts <= since || faults_now()->util_notfound) { *n = 0; FAIL(nvmlDeviceGetProcessUtilization, E_NOTFOUND); }
    if (!out || *n < have) { *n = have; return E_SIZE; }
    for (u32 i = 0; i < have; i++) out[i] = (struct putil){ pid_at(g, (int)i), ts, proc_sm(g, (int)i), proc_sm(g, (int)i) / 2, 0, 0 };
    *n = have;
    return OK;
}
#ifndef NVMLSIM_BEFORE_545
struct pinfo { u64 ts; u32 pid, sm, mem, enc, dec, jpg, ofa; };
struct pinfos { u32 version, n; u64 since; struct pinfo *a; };
FN(nvmlDeviceGetProcessesUtilizationInfo);
EXPORT int nvmlDeviceGetProcessesUtilizationInfo(dev_t_ d, struct pinfos *l) {
    DEV_ENTER(nvmlDeviceGetProcessesUtilizationInfo);
    NEED(l);
    u32 have = (u32)procs_on(g);
    u64 ts = sample_us();
    if (!have || ts <= l->since || faults_now()->util_notfound) { l->n = 0; FAIL(nvmlDeviceGetProcessesUtilizationInfo, E_NOTFOUND); }
    if (!l->a || l->n < have) { l->n = have; return E_SIZE; }
    for (u32 i = 0; i < have; i++) l->a[i] = (struct pinfo){ ts, pid_at(g, (int)i), proc_sm(g, (int)i), proc_sm(g, (int)i) / 2, 0, 0, 0, 0 };
    l->n = have;
    return OK;
}
#endif
FN(nvmlDeviceGetAccountingPids);
EXPORT int nvmlDeviceGetAccountingPids(dev_t_ d, u32 *n, u32 *out) { DEV_ENTER(nvmlDeviceGetAccountingPids); (void)g; (void)out; NEED(n); *n = 0; return OK; }
FN(nvmlDeviceGetAccountingStats);
EXPORT int nvmlDeviceGetAccountingStats(dev_t_ d, u32 pid, void *s) { DEV_ENTER(nvmlDeviceGetAccountingStats); (void)g; (void)pid; (void)s; FAIL(nvmlDeviceGetAccountingStats, E_NOTSUP); }
