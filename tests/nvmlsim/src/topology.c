/* Where a card is: its neighbours and the processors near it. Cards 0-3 of every eight are on socket 0. */
#include "sim.h"

static int same_socket(int a, int b) { return a / 8 == b / 8 && (a % 8 < 4) == (b % 8 < 4); }
static int card_of(dev_t_ d) { const struct gpu *h = handle_of(d); return h ? h->card : -1; }

FN(nvmlDeviceGetTopologyCommonAncestor);
EXPORT int nvmlDeviceGetTopologyCommonAncestor(dev_t_ d, dev_t_ e, u32 *level) {
    DEV_ENTER(nvmlDeviceGetTopologyCommonAncestor);
    int h = card_of(e);
    NEED(level && h >= 0);
    *level = g == h ? 0 : same_socket(g, h) ? 40 : 50;
    return OK;
}
FN(nvmlDeviceGetP2PStatus);
EXPORT int nvmlDeviceGetP2PStatus(dev_t_ d, dev_t_ e, u32 index, u32 *st) { DEV_ENTER(nvmlDeviceGetP2PStatus); (void)g; (void)index; NEED(st && card_of(e) >= 0); *st = 0; return OK; }
FN(nvmlDeviceOnSameBoard);
EXPORT int nvmlDeviceOnSameBoard(dev_t_ d, dev_t_ e, int *same) { DEV_ENTER(nvmlDeviceOnSameBoard); NEED(same); *same = g == card_of(e); return OK; }
FN(nvmlDeviceGetTopologyNearestGpus);
EXPORT int nvmlDeviceGetTopologyNearestGpus(dev_t_ d, u32 level, u32 *n, dev_t_ *out) {
    DEV_ENTER(nvmlDeviceGetTopologyNearestGpus);
    NEED(n);
    u32 found = 0;
    for (int i = 0; i < live_gpus(); i++) {
        if (i == g || level < (same_socket(g, i) ? 40u : 50u)) continue;
        if (out && found < *n) out[found] = handle_for(i, -1);
        found++;
    }
    *n = found;
    return OK;
}
static void near(int g, u32 words, unsigned long *set, unsigned long low, unsigned long high) {
    memset(set, 0, words * sizeof *set);
    set[0] = g % 8 < 4 ? low : high;
}
FN(nvmlDeviceGetCpuAffinity);
EXPORT int nvmlDeviceGetCpuAffinity(dev_t_ d, u32 words, unsigned long *set) { DEV_ENTER(nvmlDeviceGetCpuAffinity); NEED(set && words); near(g, words, set, 0x0000ffffffffffffUL, 0xffff000000000000UL); return OK; }
FN(nvmlDeviceGetCpuAffinityWithinScope);
EXPORT int nvmlDeviceGetCpuAffinityWithinScope(dev_t_ d, u32 words, unsigned long *set, u32 scope) { DEV_ENTER(nvmlDeviceGetCpuAffinityWithinScope); (void)scope; NEED(set && words); near(g, words, set, 0x0000ffffffffffffUL, 0xffff000000000000UL); return OK; }
FN(nvmlDeviceGetMemoryAffinity);
EXPORT int nvmlDeviceGetMemoryAffinity(dev_t_ d, u32 words, unsigned long *set, u32 scope) { DEV_ENTER(nvmlDeviceGetMemoryAffinity); (void)scope; NEED(set && words); near(g, words, set, 1, 2); return OK; }
