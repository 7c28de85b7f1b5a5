/* The pretend world: figures that move with the clock, and who uses how much of what. */
#include "sim.h"
#include <ctype.h>
#include <dirent.h>
#include <math.h>
#include <pthread.h>
#include <unistd.h>

#define MAX_PIDS 65536
static u32 pids[MAX_PIDS];
static int n_pids, own_scan;
static double scanned_at;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- the clock ---- */

double now_s(void) {                                       /* in steps of 0.1 s */
    static double stopped = -1;
    if (settings.frozen >= 0) return settings.frozen;
    double t = floor((double)mono_ms() / 100) / 10;
    if (!faults_now()->freeze) stopped = -1;
    else if (stopped < 0) stopped = t;
    return stopped < 0 ? t : stopped;
}

double noise(u32 a, u32 b) {                               /* 0..1, a hash of two numbers */
    u32 h = a * 0x9e3779b1u ^ (b + 0x7f4a7c15u) * 0x85ebca6bu;
    h ^= h >> 15; h *= 0x2c1b3c6du; h ^= h >> 12; h *= 0x297a2d39u; h ^= h >> 15;
    return h / 4294967295.0;
}

static double clampd(double v, double lo, double hi) { return v < lo ? lo : v > hi ? hi : v; }

/* ---- the card ---- */

/* GPU 7 of every eight idles; the others wander between 15 and 100 %. */
double util_of(int g, double t) {
    if (g % 8 == 7) return 0;
    double slow = sin(t / 11.0 + g * 0.9), fast = sin(t / 2.3 + g * 1.7);
    return clampd(68 + 26 * slow + 9 * fast + 8 * (noise((u32)(t * 5), (u32)g) - .5), 0, 100);
}

u32 gpu_util(int g) { return faults_now()->util_garbage ? U32_NA : (u32)util_of(g, now_s()); }
u32 mem_util(int g) { return (u32)(util_of(g, now_s() - .4) * .62); }
u32 enc_util(int g) { return g % 4 == 1 ? (u32)(20 + 15 * sin(now_s() / 3 + g)) : 0; }
u32 dec_util(int g) { return g % 4 == 2 ? (u32)(30 + 20 * sin(now_s() / 4 + g)) : 0; }

u32 power_mw(int g) {
    double limit = board->power_mw, jitter = 900 * noise((u32)(now_s() * 10), (u32)g + 99);
    return (u32)(limit * (.102 + util_of(g, now_s()) * .00872) + jitter);
}

u32 temp_c(int g) {                                        /* follows the load of the last 12 s */
    double sum = 0;
    for (int i = 1; i <= 6; i++) sum += util_of(g, now_s() - i * 2);
    return (u32)(31 + g % 3 + sum / 6 * .42);
}
u32 memtemp_c(int g) { return temp_c(g) + 9; }

u32 max_clock_mhz(int type) { return type == 2 ? board->memory_mhz : type == 3 ? board->sm_mhz * 78 / 100 : board->sm_mhz; }
u32 clock_mhz(int g, int type) {                           /* 0 graphics, 1 SM, 2 memory, 3 video */
    double u = util_of(g, now_s());
    if (u < 1) return type == 2 ? board->memory_mhz * 6 / 10 : 345;
    return type >= 2 ? max_clock_mhz(type) : (u32)(board->sm_mhz - (u > 90 ? (u - 90) * 18 : 0)) / 15 * 15;
}

u32 pcie_kbs(int g, int rx) {
    double wobble = .7 + .6 * noise((u32)(now_s() * 10), (u32)(g * 2 + rx));
    return (u32)(util_of(g, now_s()) * (rx ? 61000 : 24000) * wobble);
}

u64 nvlink_kib(int g, int link, int rx) {                  /* since boot */
    double t = now_s() + 3600, rate = (g % 8 == 7 ? 40 : 5.2e6 + 2e5 * g) * (rx ? 1.03 : 1);
    return (u64)(t * rate + 6e6 * (1 + sin(t / 11.0 + g)) + link * 1000.0);
}

u64 energy_mj(int g) {                                     /* since the driver was loaded */
    double t = now_s() + 86400, watts = board->power_mw / 1000.0 * (g % 8 == 7 ? .103 : .694);
    return (u64)(watts * t * 1000 + 1.7e6 * (1 - cos(t / 11.0 + g * .9)));
}

u64 throttle_mask(int g) {
    u64 said = faults_now()->throttle[g];
    double u = util_of(g, now_s());
    return said != U64_NA ? said : u < 1 ? 0x1 : u > 94 ? 0x4 : 0;   /* idle, power cap */
}

u64 ecc_count(int g, int uncorrected) { return uncorrected ? faults_now()->ecc[g] : g == 5 ? 3 : 0; }

/* ---- processes: slots of a card, dealt out over its MIG instances where it has any ---- */

int procs_on(int g) {
    const struct faults *now = faults_now();
    const struct mig_card *mig = mig_of(g);
    if (now->vanish || (mig->on && !mig->n)) return 0;
    int n = now->procs >= 0 ? now->procs : settings.procs;
    return n < 0 ? 0 : n;
}

int slots_in(int g, int slot) {                            /* how many processes an instance has */
    int n = mig_of(g)->n, all = procs_on(g);
    return n ? (all - slot + n - 1) / n : all;
}

u64 proc_mem(int g, int slot) {
    const struct mig_card *mig = mig_of(g);
    int n = mig->n ? slots_in(g, slot % mig->n) : procs_on(g);
    u64 room = mig->n ? mig->instance[slot % mig->n].bytes : board->total - board->reserved;
    double share = (double)room * .93 / (n < 1 ? 1 : n), part = .45 + .5 * noise((u32)slot + 1, (u32)g + 1);
    if (slot % 3 == 0) part += .05 * sin(now_s() / 5 + slot);
    return (u64)(share * clampd(part, .05, 1)) & ~(2 * MIB - 1);
}

u64 instance_used(int g, int slot) {
    u64 used = 0;
    for (int i = slot, n = procs_on(g), step = mig_of(g)->n; step && i < n; i += step) used += proc_mem(g, i);
    return used;
}

u64 mem_used(int g) {
    const struct faults *now = faults_now();
    u64 used = now->ghost[g], most = board->total - board->reserved;
    for (int i = 0, n = procs_on(g); i < n; i++) used += proc_mem(g, i);
    if (!now->vanish) used += (u64)settings.graphics * GRAPHICS_BYTES + (u64)settings.mps * MPS_BYTES;
    return used < most ? used : most;
}

u32 proc_sm(int g, int slot) {
    int n = procs_on(g);
    if (faults_now()->util_over && !slot) return 37100;
    return (u32)(util_of(g, now_s()) / (n ? n : 1) * (.5 + noise((u32)slot, (u32)(now_s() * 2))));
}

/* ---- whose they are ---- */

static void scan_pids(void) {                              /* no NVMLSIM_PIDS: look in /proc */
    DIR *dir = opendir("/proc");
    struct dirent *e;
    int n = 0, parent;
    pids[n++] = (u32)getppid();
    while (dir && (e = readdir(dir)) && n < 256) {
        int pid = isdigit((unsigned char)e->d_name[0]) ? atoi(e->d_name) : 0;
        char path[64], text[512];
        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        FILE *fp = pid > 2 && pid != getpid() ? fopen(path, "re") : NULL;
        if (!fp) continue;
        text[fread(text, 1, sizeof text - 1, fp)] = 0;
        fclose(fp);
        char *end = strrchr(text, ')');
        if (end && sscanf(end + 2, "%*c %d", &parent) == 1 && parent != 2) pids[n++] = (u32)pid;
    }
    if (dir) closedir(dir);
    n_pids = n;
    scanned_at = (double)mono_ms() / 1000;
}

u32 pid_at(int g, int slot) {
    const struct faults *now = faults_now();
    int a_card = procs_on(g) + settings.graphics + settings.mps, base = (settings.spread ? 0 : g * a_card) + slot;
    if (now->dead) return 4194304u + (u32)base;            /* above the highest pid_max there is */
    if (own_scan && (double)mono_ms() / 1000 - scanned_at > 5 && !pthread_mutex_trylock(&lock)) {
        scan_pids();
        pthread_mutex_unlock(&lock);
    }
    if (now->churn) base += (int)(mono_ms() / 1000) * 7;
    return n_pids ? pids[(unsigned)base % (unsigned)n_pids] : 1;
}

void pids_reset(void) {
    const char *e = getenv("NVMLSIM_PIDS");
    FILE *fp = e && *e == '@' ? fopen(e + 1, "re") : NULL;
    char *text = fp ? calloc(1, MIB) : e && *e != '@' ? strdup(e) : NULL;
    if (fp && text) text[fread(text, 1, MIB - 1, fp)] = 0;
    if (fp) fclose(fp);
    n_pids = 0;
    for (char *p = text; p && *p && n_pids < MAX_PIDS; ) {
        if (isdigit((unsigned char)*p)) pids[n_pids++] = (u32)strtoul(p, &p, 10);
        else p++;
    }
    free(text);
    own_scan = !n_pids;
    if (own_scan) scan_pids();
}
