/* NVLink, and the field values: one call that gives many counters by number. */
#include "sim.h"

#define LINK_OUT(f, expr) FN(f); EXPORT int f(dev_t_ d, u32 link, u32 *out) { DEV_ENTER(f); (void)g; NEED(out && link < (u32)board->links); *out = (expr); return OK; }
LINK_OUT(nvmlDeviceGetNvLinkState, 1)
LINK_OUT(nvmlDeviceGetNvLinkVersion, board->major >= 9 ? 6 : 5)
LINK_OUT(nvmlDeviceGetNvLinkRemoteDeviceType, 2)
FN(nvmlDeviceGetNvLinkCapability);
EXPORT int nvmlDeviceGetNvLinkCapability(dev_t_ d, u32 link, u32 cap, u32 *out) { DEV_ENTER(nvmlDeviceGetNvLinkCapability); (void)g; NEED(out && link < (u32)board->links); *out = cap != 4; return OK; }
FN(nvmlDeviceGetNvLinkErrorCounter);
EXPORT int nvmlDeviceGetNvLinkErrorCounter(dev_t_ d, u32 link, u32 which, u64 *out) { DEV_ENTER(nvmlDeviceGetNvLinkErrorCounter); (void)g; (void)which; NEED(out && link < (u32)board->links); *out = 0; return OK; }
FN(nvmlDeviceGetNvLinkRemotePciInfo_v2);
EXPORT int nvmlDeviceGetNvLinkRemotePciInfo_v2(dev_t_ d, u32 link, struct pci3 *p) {
    DEV_ENTER(nvmlDeviceGetNvLinkRemotePciInfo_v2);
    (void)g;
    NEED(p && link < (u32)board->links);
    memset(p, 0, sizeof *p);
    p->bus = 5 + link % 4;
    sprintf(p->legacy, "0000:%02X:00.0", p->bus);
    sprintf(p->bus_id, "00000000:%02X:00.0", p->bus);
    return OK;
}

enum { DOUBLE, UINT, ULONG, ULL, LL, INT };                /* nvmlValueType_t */
struct field { u32 id, scope; int64_t ts, latency; u32 type; int ret; union { double d; u32 u; u64 q; int i; } v; };

static int field_allowed(u32 id) {
    if (id == 82) return board->hbm;
    if ((id >= 1 && id <= 6) || (id >= 142 && id <= 145)) return board->ecc;
    if ((id >= 74 && id <= 81) || (id >= 84 && id <= 91) || (id >= 132 && id <= 141) || id == 94 || id == 95
        || (id >= 164 && id <= 166)) return board->links;
    return id < 184 || !board->virtualization;             /* power of the card is the host's affair */
}

static void nvlink_field(struct field *f, int g) {
    int rx = f->id & 1;
    u64 kib = 0;
    if (f->scope == U32_NA) for (int l = 0; l < board->links; l++) kib += nvlink_kib(g, l, rx);
    else if (f->scope < (u32)board->links) kib = nvlink_kib(g, (int)f->scope, rx);
    else { f->ret = E_INVALID; return; }
    f->type = ULL;
    f->v.q = f->id >= 140 ? kib + kib / 16 : kib;          /* raw: with the protocol's overhead */
}

static void field_fill(struct field *f, int g) {
    f->ts = (int64_t)real_us(); f->latency = 1; f->ret = OK; f->type = UINT; f->v.q = 0;
    if (!field_allowed(f->id)) { f->ret = E_NOTSUP; return; }
    int remap = faults_now()->remap[g];
    switch (f->id) {
    case 1: case 2: f->v.u = 1; break;
    case 3: case 5: f->type = ULL; f->v.q = ecc_count(g, 0); break;
    case 4: case 6: f->type = ULL; f->v.q = ecc_count(g, 1); break;
    case 74: case 75: case 76: case 77: case 78: case 79: case 80: case 81: f->type = ULL; break;
    case 82: f->v.u = memtemp_c(g); break;
    case 83: f->type = ULL; f->v.q = energy_mj(g); break;
    case 84: case 85: case 86: case 87: case 88: case 89: case 90:         /* link speed, MB/s */
    case 132: case 133: case 134: case 135: case 136: case 137: case 164: f->v.u = 26562; break;
    case 91: f->v.u = (u32)board->links; break;
    case 94: case 95: break;
    case 138: case 139: case 140: case 141: nvlink_field(f, g); break;
    case 142: break;
    case 143: f->v.u = remap ? 1 : 0; break;
    case 144: f->v.u = remap == 1; break;
    case 145: f->v.u = remap == 2; break;
    case 165: f->v.u = 1; break;
    case 166: f->v.u = board->major >= 9 ? 6 : 5; break;
    case 167: case 173: case 174: case 175: case 176: case 177: case 178: case 179: case 180: case 181: case 182: case 183: break;
    case 185: case 186: f->v.u = power_mw(g); break;
    case 187: f->v.u = 200000; break;
    case 188: case 189: case 190: case 192: f->v.u = board->power_mw; break;
    case 193: f->type = INT; f->v.i = -8; break;
    case 194: f->type = INT; f->v.i = -2; break;
    case 195: case 196: f->type = INT; break;
    case 197: f->type = ULL; f->v.q = (u64)(now_s() * 1e9); break;
    case 198: f->type = ULL; f->v.q = (u64)(now_s() * 3e9); break;
    default: f->ret = E_NOTSUP;
    }
}
FN(nvmlDeviceGetFieldValues);
EXPORT int nvmlDeviceGetFieldValues(dev_t_ d, int n, struct field *f) {
    DEV_ENTER(nvmlDeviceGetFieldValues);
    NEED(f && n > 0);
    for (int i = 0; i < n; i++) field_fill(&f[i], g);
    return OK;
}
