/* GPM, the profiling metrics of Hopper and later: a sample is a moment, a metric the time between two. */
#include "sim.h"
#ifndef NVMLSIM_OLD

struct gpm_sample { double t; int g; };
struct gpm_metric { u32 id; int ret; double v; const char *name, *unit, *group; };
struct gpm_get { u32 version, n; struct gpm_sample *a, *b; struct gpm_metric m[]; };
struct gpm_support { u32 version, yes; };

FN(nvmlGpmQueryDeviceSupport);
EXPORT int nvmlGpmQueryDeviceSupport(dev_t_ d, struct gpm_support *s) { DEV_ENTER(nvmlGpmQueryDeviceSupport); (void)g; NEED(s); s->yes = (u32)board->gpm; return OK; }
FN(nvmlGpmSampleAlloc);
EXPORT int nvmlGpmSampleAlloc(struct gpm_sample **s) { SYS_ENTER(nvmlGpmSampleAlloc); NEED(s); *s = calloc(1, sizeof **s); return *s ? OK : E_MEMORY; }
FN(nvmlGpmSampleFree);
EXPORT int nvmlGpmSampleFree(struct gpm_sample *s) { SYS_ENTER(nvmlGpmSampleFree); free(s); return OK; }
FN(nvmlGpmSampleGet);
EXPORT int nvmlGpmSampleGet(dev_t_ d, struct gpm_sample *s) { DEV_ENTER(nvmlGpmSampleGet); NEED(s); s->t = now_s(); s->g = g; return OK; }

static int metric(u32 id, int g, double u, double *v) {
    switch (id) {
    case 1: *v = u; return OK;                             /* graphics engine */
    case 2: *v = u * .93; return OK;                       /* SM */
    case 3: *v = u * .41; return OK;                       /* SM occupancy */
    case 5: *v = u * .58; return OK;                       /* any tensor core */
    case 10: *v = u * .62; return OK;                      /* DRAM bandwidth */
    case 11: case 12: case 13: *v = u * .08 * (id - 10); return OK;   /* FP64, FP32, FP16 */
    case 20: case 21: *v = pcie_kbs(g, id == 21) / 1024.0; return OK;
    case 60: case 61: *v = (g % 8 == 7 ? 0 : 5100.0 * board->links) * u / 100; return OK;
    default: *v = 0; return E_NOTSUP;
    }
}
FN(nvmlGpmMetricsGet);
EXPORT int nvmlGpmMetricsGet(struct gpm_get *q) {
    SYS_ENTER(nvmlGpmMetricsGet);
    NEED(q && q->a && q->b);
    for (u32 i = 0; i < q->n; i++) {
        struct gpm_metric *m = &q->m[i];
        m->name = m->unit = m->group = "";
        m->ret = metric(m->id, q->b->g, util_of(q->b->g, q->b->t), &m->v);
    }
    return OK;
}
#endif
