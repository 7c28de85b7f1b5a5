/* MIG: cards cut into instances, each with memory and processes of its own and no utilisation at all. */
#include "sim.h"
#include <ctype.h>
#include <strings.h>

struct mig_layout mig_at_start;

const struct mig_card *mig_of(int card) {
    const struct faults *now = faults_now();
    return now->has_mig ? &now->mig.card[card] : &mig_at_start.card[card];
}

const struct mig_instance *instance_of(const struct gpu *h) {
    const struct mig_card *mig = h && h->slot >= 0 ? mig_of(h->card) : NULL;
    return mig && h->slot < mig->n ? &mig->instance[h->slot] : NULL;
}

/* `nvidia-smi mig -lgip` on an H100 80GB: what a slice of so many decimal gigabytes really has, in MiB. */
static u64 slice_bytes(int gigabytes) {
    switch (gigabytes) {
    case 10: return 9984 * MIB;
    case 20: return 20096 * MIB;
    case 40: return 40448 * MIB;
    case 80: return 81152 * MIB;
    default: return (u64)gigabytes * 1000 * MIB;
    }
}

/* The ids follow the driver's habit: 7g is 0, 4g and 3g start at 1, 2g at 3, 1g at 7. */
static u32 next_id(const struct mig_card *c, int slices) {
    u32 id = slices >= 7 ? 0 : slices >= 3 ? 1 : slices == 2 ? 3 : 7;
    for (int i = 0; i < c->n; i++) if (c->instance[i].gi == id) { id++; i = -1; }
    return id;
}

static const char *card_spec(struct mig_card *c, const char *p) {
    c->on = 1;
    while (*p && *p != ';') {
        int slices = 0, gigabytes = 0, len = (int)strcspn(p, ",;");
        if (len && c->n < MAX_MIG && sscanf(p, "%dg.%dgb", &slices, &gigabytes) == 2 && slices > 0 && gigabytes > 0) {
            struct mig_instance *m = &c->instance[c->n];
            *m = (struct mig_instance){ .slices = slices, .gi = next_id(c, slices), .bytes = slice_bytes(gigabytes) };
            snprintf(m->profile, sizeof m->profile, "%.*s", len, p);
            c->n++;
        }
        p += len;
        if (*p == ',') p++;
    }
    return p;
}

void mig_parse(struct mig_layout *layout, const char *p) {
    memset(layout, 0, sizeof *layout);
    while (*p) {
        int all = *p == '*', card = atoi(p);
        const char *list = strchr(p, ':');
        if (!list || !(all || isdigit((unsigned char)*p)) || card >= MAX_GPUS) return;
        p = card_spec(&layout->card[all ? 0 : card], list + 1);
        for (int i = 1; all && i < MAX_GPUS; i++) layout->card[i] = layout->card[0];
        if (*p == ';') p++;
    }
}

FN(nvmlDeviceGetMigMode);
EXPORT int nvmlDeviceGetMigMode(dev_t_ d, u32 *now, u32 *next) { DEV_ENTER(nvmlDeviceGetMigMode); NEED(now && next); *now = *next = (u32)mig_of(g)->on; return OK; }
DEV_OUT(nvmlDeviceGetMaxMigDeviceCount, u32, mig_of(g)->on ? MAX_MIG : 0)
DEV_OUT(nvmlDeviceIsMigDeviceHandle, u32, handle_of(d)->slot >= 0)
FN(nvmlDeviceGetMigDeviceHandleByIndex);
EXPORT int nvmlDeviceGetMigDeviceHandleByIndex(dev_t_ d, u32 i, dev_t_ *out) {
    DEV_ENTER(nvmlDeviceGetMigDeviceHandleByIndex);
    NEED(out && i < MAX_MIG);
    if ((int)i >= mig_of(g)->n) FAIL(nvmlDeviceGetMigDeviceHandleByIndex, E_NOTFOUND);
    *out = handle_for(g, (int)i);
    return OK;
}
FN(nvmlDeviceGetDeviceHandleFromMigDeviceHandle);
EXPORT int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(dev_t_ d, dev_t_ *out) {
    DEV_ENTER(nvmlDeviceGetDeviceHandleFromMigDeviceHandle);
    NEED(out && handle_of(d)->slot >= 0);
    *out = handle_for(g, -1);
    return OK;
}
#define INSTANCE_ID(f, field) FN(f); EXPORT int f(dev_t_ d, u32 *out) { DEV_ENTER(f); (void)g; NEED(out); \
    const struct mig_instance *m = instance_of(handle_of(d)); if (!m) FAIL(f, E_NOTSUP); *out = m->field; return OK; }
INSTANCE_ID(nvmlDeviceGetGpuInstanceId, gi)
INSTANCE_ID(nvmlDeviceGetComputeInstanceId, ci)

struct attributes { u32 multiprocessors, copy, decoders, encoders, jpeg, ofa, gpu_slices, compute_slices; u64 memory_mb; };
FN(nvmlDeviceGetAttributes_v2);
EXPORT int nvmlDeviceGetAttributes_v2(dev_t_ d, struct attributes *a) {
    DEV_ENTER(nvmlDeviceGetAttributes_v2);
    (void)g;
    NEED(a);
    const struct mig_instance *m = instance_of(handle_of(d));
    if (!m) FAIL(nvmlDeviceGetAttributes_v2, E_NOTSUP);
    u32 n = (u32)m->slices;
    *a = (struct attributes){ board->cores / 128 * n / 8, n, n, 0, n, 0, n, n, m->bytes / MIB };
    return OK;
}
