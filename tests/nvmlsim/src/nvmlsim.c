/*
 * nvmlsim.c - a simulated libnvidia-ml.so.1
 *
 * Gives every NVML client (pynvml, nvitop, gpustat, nvtop, btop, ...) the same
 * pretend machine full of NVIDIA GPUs, so that monitors can be measured and
 * broken on a computer that has none.  Written from the public description of
 * the ABI in the `nvidia-ml-py` package (ctypes signatures and struct layouts).
 *
 *   gcc -O2 -shared -fPIC -Wl,-soname,libnvidia-ml.so.1 \
 *       -o libnvidia-ml.so.1 nvmlsim.c -lm -lpthread
 *   LD_LIBRARY_PATH=. NVMLSIM_GPUS=8 NVMLSIM_PROCS=8 nvitop
 *
 * Environment
 *   NVMLSIM_GPUS         number of GPUs (8, at most 64)
 *   NVMLSIM_PROCS        compute processes per GPU (8)
 *   NVMLSIM_GRAPHICS     graphics processes per GPU (0)
 *   NVMLSIM_PIDS         pids to report: "12,13,14" or "@file"; they are dealt
 *                        out GPU by GPU.  Default: the caller's parent and
 *                        what else is alive in /proc (not kernel threads).
 *   NVMLSIM_NAME         "NVIDIA H100 80GB HBM3"
 *   NVMLSIM_DRIVER       "580.95.05"
 *   NVMLSIM_FAN          1: fans exist (H100 SXM has none -> NotSupported)
 *   NVMLSIM_FREEZE       freeze the simulated clock at this many seconds
 *   NVMLSIM_LATENCY_US   sleep per call: "200" or "200,nvmlDeviceGetName=20"
 *   NVMLSIM_LATENCY_SPIN 1: burn CPU for the latency rather than sleep
 *   NVMLSIM_COUNTS       counter file.  A shared mapping of fixed records
 *                        (see struct rec), live at any moment and shared by
 *                        every process that has the same file open, so it
 *                        needs no flush and outlives SIGKILL; on a clean exit
 *                        a text form is also written beside it (".txt").
 *   NVMLSIM_FAULTS       fault file, read again when a second has passed
 *
 * Faults, one a line, '#' starts a comment
 *   init fail [ERR]          nvmlInit* fails (default: driver_not_loaded)
 *   driver mismatch          nvmlInit* fails with lib_rm_version_mismatch
 *   driver gone              every call fails with driver_not_loaded
 *   gpu N lost               every call on GPU N: gpu_is_lost  (N may be *)
 *   gpu N ERR                every call on GPU N fails with ERR
 *   gpu N hang S             every call on GPU N blocks S seconds, then works
 *   gpus N                   the machine now has N GPUs (hot unplug / replug)
 *   fn NAME ERR              NAME fails with ERR (NAME may be a glob)
 *   fn NAME hang S           NAME blocks S seconds
 *   procs vanish             process lists are empty
 *   procs dead               process lists name pids that do not exist
 *   procs churn              a different slice of the pids every second
 *   procs count N            N processes per GPU
 *   procs nomem              usedGpuMemory is "not available" (containers)
 *   mem zero                 total memory reads 0 (catches divisions)
 *   util garbage             utilisation reads 4294967295
 *   freeze                   values stop moving
 *   latency US               as NVMLSIM_LATENCY_US
 * ERR: notsupported nopermission unknown timeout lost nodata notfound
 *      uninitialized reset_required insufficient_power driver_not_loaded
 *      mismatch function_not_found memory in_use invalid  or a number
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define MAX_GPUS 64
#define MAX_PIDS 65536
#define NLINKS 18                         /* NVLink 4 links of an H100 SXM */
#define U32_NA 0xffffffffu
#define U64_NA 0xffffffffffffffffull

typedef unsigned int u32;
typedef unsigned long long u64;

enum {                                    /* nvmlReturn_t, the ones in use  */
    OK = 0, E_UNINIT = 1, E_INVALID = 2, E_NOTSUP = 3, E_NOPERM = 4,
    E_NOTFOUND = 6, E_SIZE = 7, E_NODRIVER = 9, E_TIMEOUT = 10,
    E_NOFUNC = 13, E_LOST = 15, E_RESET = 16, E_MISMATCH = 18, E_INUSE = 19,
    E_MEMORY = 20, E_NODATA = 21, E_VERSION = 25, E_UNKNOWN = 999,
};

/* ---------------------------------------------------------------- counters */

/* One record of the counter file: 80 + 8 + 8 bytes, little endian.          */
struct rec { char name[80]; _Atomic u64 calls; _Atomic u64 faults; };

/* Every entry point owns one of these, gathered by the linker in a section. */
struct fn { const char *name; struct rec *rec; u32 latency_us; };
extern struct fn __start_nvmlsim_fns[], __stop_nvmlsim_fns[];
#define FN(f) static struct fn F_##f \
    __attribute__((section("nvmlsim_fns"), used, aligned(8))) = { #f, 0, 0 }

static struct rec private_recs[1024];
static const char *counts_path;

/* ---------------------------------------------------------------- settings */

struct gpu { u32 magic; int idx; };
static struct gpu gpus[MAX_GPUS];
#define MAGIC 0x53494d21u

static int n_gpus = 8, n_procs = 8, n_graphics = 0, has_fan = 0, spin = 0;
static const char *dev_name = "NVIDIA H100 80GB HBM3";
static const char *driver_ver = "580.95.05";
static double frozen = -1;
static u32 default_latency_us;
static _Atomic int refs;

static u32 *pids;
static int n_pids, own_pid_scan;
static double pid_scan_at;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ------------------------------------------------------------------ faults */

struct rule { char what; char glob[96]; int gpu; int err; double hang; };
struct faults {                           /* swapped as a whole on reload    */
    struct rule rules[128]; int n;
    int init_err, all_err, vanish, dead, churn, nomem, memzero, garbage, freeze;
    int gpus, procs; int latency;
};
static struct faults fault_sets[2], *_Atomic faults = &fault_sets[0];
static const char *faults_path;
static _Atomic u64 faults_at_ms;
static u32 fault_ms;
static struct timespec faults_mtime;

static u64 mono_ms(void) {
    struct timespec t; clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (u64)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
static u64 real_us(void) {
    struct timespec t; clock_gettime(CLOCK_REALTIME, &t);
    return (u64)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}
static void pause_us(double us) {
    struct timespec t = { (time_t)(us / 1e6), (long)fmod(us * 1e3, 1e9) };
    if (spin) {
        struct timespec a, b; clock_gettime(CLOCK_MONOTONIC, &a);
        do clock_gettime(CLOCK_MONOTONIC, &b);
        while ((b.tv_sec - a.tv_sec) * 1e6 + (b.tv_nsec - a.tv_nsec) / 1e3 < us);
    } else while (nanosleep(&t, &t) && errno == EINTR) ;
}

static int err_named(const char *s) {
    static const struct { const char *n; int e; } t[] = {
        {"notsupported", E_NOTSUP}, {"nopermission", E_NOPERM}, {"unknown", E_UNKNOWN},
        {"timeout", E_TIMEOUT}, {"lost", E_LOST}, {"nodata", E_NODATA},
        {"notfound", E_NOTFOUND}, {"uninitialized", E_UNINIT},
        {"reset_required", E_RESET}, {"insufficient_power", 8},
        {"driver_not_loaded", E_NODRIVER}, {"mismatch", E_MISMATCH},
        {"function_not_found", E_NOFUNC}, {"memory", E_MEMORY}, {"in_use", E_INUSE},
        {"invalid", E_INVALID}, {"ok", OK} };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) if (!strcmp(s, t[i].n)) return t[i].e;
    return isdigit((unsigned char)*s) ? atoi(s) : E_UNKNOWN;
}

static void faults_parse(struct faults *f, FILE *fp) {
    char line[256], w[4][96];
    memset(f, 0, sizeof *f);
    f->gpus = f->procs = f->latency = -1;
    while (fgets(line, sizeof line, fp)) {
        char *h = strchr(line, '#'); if (h) *h = 0;
        w[0][0] = w[1][0] = w[2][0] = w[3][0] = 0;
        int n = sscanf(line, "%95s %95s %95s %95s", w[0], w[1], w[2], w[3]);
        if (n < 1) continue;
        int is_gpu = !strcmp(w[0], "gpu"), is_fn = !strcmp(w[0], "fn");
        if ((is_gpu || is_fn) && n >= 3 && f->n < 128) {
            struct rule *r = &f->rules[f->n++];
            memset(r, 0, sizeof *r);
            r->what = is_gpu ? 'g' : 'f';
            r->gpu = is_gpu && strcmp(w[1], "*") ? atoi(w[1]) : -1;
            snprintf(r->glob, sizeof r->glob, "%s", w[1]);
            if (!strcmp(w[2], "hang")) r->hang = n >= 4 ? atof(w[3]) : 5;
            else r->err = err_named(w[2]);
        } else if (!strcmp(w[0], "init")) f->init_err = n >= 3 ? err_named(w[2]) : E_NODRIVER;
        else if (!strcmp(w[0], "driver")) {
            if (!strcmp(w[1], "gone")) f->all_err = f->init_err = E_NODRIVER;
            else f->init_err = E_MISMATCH;
        } else if (!strcmp(w[0], "gpus")) f->gpus = atoi(w[1]);
        else if (!strcmp(w[0], "procs")) {
            if (!strcmp(w[1], "vanish")) f->vanish = 1;
            else if (!strcmp(w[1], "dead")) f->dead = 1;
            else if (!strcmp(w[1], "churn")) f->churn = 1;
            else if (!strcmp(w[1], "nomem")) f->nomem = 1;
            else if (!strcmp(w[1], "count")) f->procs = atoi(w[2]);
        } else if (!strcmp(w[0], "mem")) f->memzero = 1;
        else if (!strcmp(w[0], "util")) f->garbage = 1;
        else if (!strcmp(w[0], "freeze")) f->freeze = 1;
        else if (!strcmp(w[0], "latency")) f->latency = atoi(w[1]);
    }
}

/* Looks at the fault file's mtime once a second; parses only on a change.   */
static void faults_poll(void) {
    if (!faults_path) return;
    u64 now = mono_ms(), at = atomic_load(&faults_at_ms);
    if (at && now - at < fault_ms) return;
    if (pthread_mutex_trylock(&lock)) return;
    atomic_store(&faults_at_ms, now);
    struct stat st;
    struct faults *cur = atomic_load(&faults), *next = cur == &fault_sets[0] ? &fault_sets[1] : &fault_sets[0];
    if (stat(faults_path, &st)) {
        if (faults_mtime.tv_sec) {
            memset(next, 0, sizeof *next); next->gpus = next->procs = next->latency = -1;
            memset(&faults_mtime, 0, sizeof faults_mtime);
            atomic_store(&faults, next);
        }
    } else if (st.st_mtim.tv_sec != faults_mtime.tv_sec || st.st_mtim.tv_nsec != faults_mtime.tv_nsec) {
        FILE *fp = fopen(faults_path, "re");
        if (fp) { faults_parse(next, fp); fclose(fp); faults_mtime = st.st_mtim; atomic_store(&faults, next); }
    }
    pthread_mutex_unlock(&lock);
}

/* -------------------------------------------------- what every call starts with */

static int live_gpus(void) {
    int g = atomic_load(&faults)->gpus;
    return g >= 0 ? (g < MAX_GPUS ? g : MAX_GPUS) : n_gpus;
}

static int fail(struct fn *f, int err) {
    atomic_fetch_add_explicit(&f->rec->faults, 1, memory_order_relaxed);
    return err;
}

static int enter(struct fn *f, int gpu, int needs_init) {
    atomic_fetch_add_explicit(&f->rec->calls, 1, memory_order_relaxed);
    faults_poll();
    struct faults *s = atomic_load(&faults);
    u32 lat = s->latency >= 0 ? (u32)s->latency : f->latency_us;
    if (lat) pause_us(lat);
    if (s->all_err) return fail(f, s->all_err);
    for (int i = 0; i < s->n; i++) {
        struct rule *r = &s->rules[i];
        int hit = r->what == 'g' ? (gpu >= 0 && (r->gpu < 0 || r->gpu == gpu))
                                 : !fnmatch(r->glob, f->name, 0);
        if (!hit) continue;
        if (r->hang > 0) pause_us(r->hang * 1e6);
        else return fail(f, r->err);
    }
    if (needs_init && !atomic_load(&refs)) return fail(f, E_UNINIT);
    return OK;
}

static int gpu_of(const void *d) {
    const struct gpu *g = d;
    if (g < gpus || g >= gpus + MAX_GPUS || g->magic != MAGIC) return -1;
    return g->idx;
}

#define SYS_ENTER(f) do { int r_ = enter(&F_##f, -1, 1); if (r_) return r_; } while (0)
#define DEV_ENTER(f) int g = gpu_of(d); do { \
    int r_ = enter(&F_##f, g, 1); if (r_) return r_; \
    if (g < 0) return fail(&F_##f, E_INVALID); \
    if (g >= live_gpus()) return fail(&F_##f, E_LOST); } while (0)
#define NEED(p) do { if (!(p)) return E_INVALID; } while (0)

/* --------------------------------------------------------- the pretend world */

static double t0;
static double now_s(void) {               /* seconds, in steps of 0.1 s      */
    static double stopped = -1;
    if (frozen >= 0) return frozen;
    double t = mono_ms() / 1000.0 - t0;
    t = floor(t * 10) / 10;
    if (atomic_load(&faults)->freeze) { if (stopped < 0) stopped = t; return stopped; }
    stopped = -1;
    return t;
}
static double noise(u32 a, u32 b) {       /* 0..1, a hash of two numbers     */
    u32 h = a * 0x9e3779b1u ^ (b + 0x7f4a7c15u) * 0x85ebca6bu;
    h ^= h >> 15; h *= 0x2c1b3c6du; h ^= h >> 12; h *= 0x297a2d39u; h ^= h >> 15;
    return h / 4294967295.0;
}
static double clampd(double v, double lo, double hi) { return v < lo ? lo : v > hi ? hi : v; }

/* GPU 7 of every eight idles; the others wander between 15 and 100 %.       */
static double util_of(int g, double t) {
    if (g % 8 == 7) return 0;
    double slow = sin(t / 11.0 + g * 0.9), fast = sin(t / 2.3 + g * 1.7);
    return clampd(68 + 26 * slow + 9 * fast + 8 * (noise((u32)(t * 5), g) - .5), 0, 100);
}
static u32 gpu_util(int g)  { return atomic_load(&faults)->garbage ? U32_NA : (u32)util_of(g, now_s()); }
static u32 mem_util(int g)  { return (u32)(util_of(g, now_s() - .4) * .62); }
static u32 enc_util(int g)  { return g % 4 == 1 ? (u32)(20 + 15 * sin(now_s() / 3 + g)) : 0; }
static u32 dec_util(int g)  { return g % 4 == 2 ? (u32)(30 + 20 * sin(now_s() / 4 + g)) : 0; }
static u32 power_mw(int g)  { return (u32)((71.5 + util_of(g, now_s()) * 6.1) * 1000 + 900 * noise((u32)(now_s() * 10), g + 99)); }
static u32 temp_c(int g)    { double a = 0; for (int i = 1; i <= 6; i++) a += util_of(g, now_s() - i * 2); return (u32)(31 + g % 3 + a / 6 * .42); }
static u32 memtemp_c(int g) { return temp_c(g) + 9; }
static u32 clock_mhz(int g, int type) {
    double u = util_of(g, now_s());
    switch (type) {
    case 2:  return u < 1 ? 1593 : 2619;                        /* memory  */
    case 3:  return u < 1 ? 345 : 1545;                         /* video   */
    default: return u < 1 ? 345 : (u32)(1980 - (u > 90 ? (u - 90) * 18 : 0)) / 15 * 15;
    }
}
static u32 max_clock_mhz(int type) { return type == 2 ? 2619 : type == 3 ? 1545 : 1980; }
static u32 pcie_kbs(int g, int rx)  { return (u32)(util_of(g, now_s()) * (rx ? 61000 : 24000) * (.7 + .6 * noise((u32)(now_s() * 10), g * 2 + rx))); }
static u64 nvlink_kib(int g, int link, int rx) {                /* since boot */
    double t = now_s() + 3600, rate = (g % 8 == 7 ? 40 : 5.2e6 + 2e5 * g) * (rx ? 1.03 : 1);
    return (u64)(t * rate + 6e6 * (1 + sin(t / 11.0 + g)) + link * 1000.0);
}
static u64 energy_mj(int g) { double t = now_s() + 86400; return (u64)((g % 8 == 7 ? 72. : 486.) * t * 1000 + 1.7e6 * (1 - cos(t / 11.0 + g * .9))); }
static u64 throttle(int g) {
    double u = util_of(g, now_s());
    return u < 1 ? 0x1ull : u > 94 ? 0x4ull : 0ull;             /* idle, power cap */
}

/* Processes: the pid list is dealt out GPU by GPU.                           */
#define MEM_TOTAL (81559ull << 20)
#define MEM_RESERVED (597ull << 20)
static int procs_on(int g) {
    struct faults *s = atomic_load(&faults);
    (void)g;
    if (s->vanish) return 0;
    return s->procs >= 0 ? s->procs : n_procs;
}
static u64 proc_mem(int g, int slot) {
    int n = procs_on(g); if (n < 1) n = 1;
    double share = (MEM_TOTAL - MEM_RESERVED) * .93 / n;
    double w = .45 + .5 * noise(slot + 1, g + 1);
    if (slot % 3 == 0) w += .05 * sin(now_s() / 5 + slot);
    return (u64)(share * clampd(w, .05, 1)) & ~((1ull << 21) - 1);
}
static u64 mem_used(int g) {
    u64 u = 0; int n = procs_on(g);
    for (int i = 0; i < n; i++) u += proc_mem(g, i);
    return u < MEM_TOTAL - MEM_RESERVED ? u : MEM_TOTAL - MEM_RESERVED;
}
static void scan_pids(void) {             /* no NVMLSIM_PIDS: look in /proc   */
    DIR *dp = opendir("/proc"); struct dirent *e; int n = 0;
    pids[n++] = (u32)getppid();
    while (dp && (e = readdir(dp)) && n < 256) {
        if (!isdigit((unsigned char)e->d_name[0])) continue;
        int p = atoi(e->d_name), pp; char path[64], buf[512];
        snprintf(path, sizeof path, "/proc/%d/stat", p);
        FILE *fp = fopen(path, "re"); if (!fp) continue;
        size_t k = fread(buf, 1, sizeof buf - 1, fp); fclose(fp); buf[k] = 0;
        char *q = strrchr(buf, ')');
        if (q && sscanf(q + 2, "%*c %d", &pp) == 1 && pp != 2 && p > 2 && p != getpid()) pids[n++] = (u32)p;
    }
    if (dp) closedir(dp);
    n_pids = n; pid_scan_at = mono_ms() / 1000.0;
}
static u32 pid_at(int g, int slot) {
    struct faults *s = atomic_load(&faults);
    int base = g * procs_on(g) + slot;
    if (s->dead) return 4194304u + (u32)base;              /* above pid_max    */
    if (own_pid_scan && mono_ms() / 1000.0 - pid_scan_at > 5 && !pthread_mutex_trylock(&lock)) {
        scan_pids(); pthread_mutex_unlock(&lock);
    }
    if (s->churn) base += (int)(mono_ms() / 1000) * 7;
    return n_pids ? pids[(unsigned)base % (unsigned)n_pids] : 1;
}
static u32 proc_sm(int g, int slot) {
    int n = procs_on(g);
    return (u32)(util_of(g, now_s()) / (n ? n : 1) * (.5 + noise(slot, (u32)(now_s() * 2))));
}

/* --------------------------------------------------------- load and unload */

static char dev_name_buf[96], driver_buf[80], faults_path_buf[4096], counts_path_buf[4096];
static struct rec *mapped; static size_t mapped_size;
EXPORT void nvmlsim_reset(void);
__attribute__((constructor)) EXPORT void nvmlsim_reset(void) {
    n_gpus = n_procs = 8; n_graphics = has_fan = spin = 0; default_latency_us = 0; frozen = -1; fault_ms = 1000;
    dev_name = "NVIDIA H100 80GB HBM3"; driver_ver = "580.95.05"; n_pids = own_pid_scan = 0;
    atomic_store(&refs, 0); atomic_store(&faults_at_ms, 0); memset(&faults_mtime, 0, sizeof faults_mtime);
    memset(fault_sets, 0, sizeof fault_sets);
    for (struct fn *f = __start_nvmlsim_fns; f < __stop_nvmlsim_fns; f++) f->latency_us = 0;
    const char *e; int nf = (int)(__stop_nvmlsim_fns - __start_nvmlsim_fns);
#define ENV_INT(k, v) if ((e = getenv(k)) && *e) v = atoi(e)
    ENV_INT("NVMLSIM_GPUS", n_gpus); ENV_INT("NVMLSIM_PROCS", n_procs);
    ENV_INT("NVMLSIM_GRAPHICS", n_graphics); ENV_INT("NVMLSIM_FAN", has_fan);
    ENV_INT("NVMLSIM_LATENCY_SPIN", spin); ENV_INT("NVMLSIM_FAULT_MS", fault_ms);
    if (n_gpus > MAX_GPUS) n_gpus = MAX_GPUS;
    if ((e = getenv("NVMLSIM_NAME")) && *e) { snprintf(dev_name_buf, sizeof dev_name_buf, "%s", e); dev_name = dev_name_buf; }
    if ((e = getenv("NVMLSIM_DRIVER")) && *e) { snprintf(driver_buf, sizeof driver_buf, "%s", e); driver_ver = driver_buf; }
    if ((e = getenv("NVMLSIM_FREEZE")) && *e) frozen = atof(e);
    for (int i = 0; i < MAX_GPUS; i++) gpus[i] = (struct gpu){ MAGIC, i };
    for (int i = 0; i < 2; i++) fault_sets[i].gpus = fault_sets[i].procs = fault_sets[i].latency = -1;
    e = getenv("NVMLSIM_FAULTS"); faults_path = NULL;
    if (e && *e) { snprintf(faults_path_buf, sizeof faults_path_buf, "%s", e); faults_path = faults_path_buf; }

    if ((e = getenv("NVMLSIM_LATENCY_US")) && *e) {
        char *copy = strdup(e), *save = NULL;
        for (char *p = strtok_r(copy, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
            char *eq = strchr(p, '=');
            if (!eq) default_latency_us = (u32)atoi(p);
            else *eq = 0;
            for (int i = 0; i < nf; i++)
                if (!eq) __start_nvmlsim_fns[i].latency_us = default_latency_us;
                else if (!fnmatch(p, __start_nvmlsim_fns[i].name, 0)) __start_nvmlsim_fns[i].latency_us = (u32)atoi(eq + 1);
        }
        free(copy);
    }

    if (!pids) pids = calloc(MAX_PIDS, sizeof *pids);
    if ((e = getenv("NVMLSIM_PIDS")) && *e) {
        char *text = NULL;
        if (*e == '@') {
            FILE *fp = fopen(e + 1, "re");
            if (fp) { text = calloc(1, 1 << 20); if (text) text[fread(text, 1, (1 << 20) - 1, fp)] = 0; fclose(fp); }
        } else text = strdup(e);
        for (char *p = text; p && *p && n_pids < MAX_PIDS; ) {
            if (isdigit((unsigned char)*p)) pids[n_pids++] = (u32)strtoul(p, &p, 10); else p++;
        }
        free(text);
    }
    if (!n_pids) { own_pid_scan = 1; scan_pids(); }

    /* Counter file: create or join it; fall back to private memory.          */
    struct rec *recs = private_recs; size_t size = (size_t)nf * sizeof(struct rec);
    if (mapped) { munmap(mapped, mapped_size); mapped = NULL; }
    e = getenv("NVMLSIM_COUNTS"); counts_path = NULL;
    if (e && *e) { snprintf(counts_path_buf, sizeof counts_path_buf, "%s", e); counts_path = counts_path_buf; }
    if (counts_path && *counts_path) {
        int fd = open(counts_path, O_RDWR | O_CREAT | O_CLOEXEC, 0666); struct stat st;
        if (fd >= 0) {
            if (!fstat(fd, &st) && (size_t)st.st_size != size && (ftruncate(fd, 0) || ftruncate(fd, (off_t)size))) { }
            void *m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
            if (m != MAP_FAILED) { recs = mapped = m; mapped_size = size; }
            close(fd);
        }
    }
    for (int i = 0; i < nf; i++) {
        struct fn *f = &__start_nvmlsim_fns[i];
        f->rec = &recs[i];
        if (strncmp(f->rec->name, f->name, sizeof f->rec->name - 1))
            snprintf(f->rec->name, sizeof f->rec->name, "%s", f->name);
    }
}

__attribute__((destructor)) static void teardown(void) {
    if (!counts_path || !*counts_path) return;
    char path[4096]; snprintf(path, sizeof path, "%s.txt", counts_path);
    FILE *fp = fopen(path, "we"); if (!fp) return;
    for (struct fn *f = __start_nvmlsim_fns; f < __stop_nvmlsim_fns; f++)
        if (f->rec->calls) fprintf(fp, "%llu %llu %s\n", (u64)f->rec->calls, (u64)f->rec->faults, f->name);
    fclose(fp);
}

/* ============================================================ entry points */

typedef void *dev_t_;                     /* nvmlDevice_t                     */

/* --- library --- */
static int do_init(struct fn *f) {
    int r = enter(f, -1, 0); if (r) return r;
    if (atomic_load(&faults)->init_err) return fail(f, atomic_load(&faults)->init_err);
    atomic_fetch_add(&refs, 1);
    return OK;
}
FN(nvmlInit);          EXPORT int nvmlInit(void)              { return do_init(&F_nvmlInit); }
FN(nvmlInit_v2);       EXPORT int nvmlInit_v2(void)           { return do_init(&F_nvmlInit_v2); }
FN(nvmlInitWithFlags); EXPORT int nvmlInitWithFlags(u32 x)    { (void)x; return do_init(&F_nvmlInitWithFlags); }
FN(nvmlShutdown);
EXPORT int nvmlShutdown(void) {
    SYS_ENTER(nvmlShutdown);
    atomic_fetch_sub(&refs, 1);
    return OK;
}
FN(nvmlErrorString);
EXPORT const char *nvmlErrorString(int e) {
    atomic_fetch_add_explicit(&F_nvmlErrorString.rec->calls, 1, memory_order_relaxed);
    static const char *const t[] = {
        "Success", "Uninitialized", "Invalid Argument", "Not Supported",
        "Insufficient Permissions", "Already Initialized", "Not Found",
        "Insufficient Size", "Insufficient External Power", "Driver Not Loaded",
        "Timeout", "Interrupt Request Issue", "NVML Shared Library Not Found",
        "Function Not Found", "Corrupted infoROM", "GPU is lost",
        "GPU requires reset", "GPU access blocked by the operating system",
        "Driver/library version mismatch", "In use by another client",
        "Insufficient Memory", "No data", "ECC disabled on vGPU",
        "Insufficient resources", "Frequency not supported",
        "Argument version mismatch", "Deprecated", "Not ready", "GPU not found",
        "Invalid state", "Reset type not supported" };
    return e >= 0 && e < (int)(sizeof t / sizeof *t) ? t[e] : "Unknown Error";
}

/* --- strings --- */
static int put(char *out, u32 len, const char *s) {
    NEED(out);
    if (strlen(s) + 1 > len) return E_SIZE;
    strcpy(out, s); return OK;
}
static void uuid_of(int g, char *b) {
    u32 a = (u32)(noise(g, 1) * 4294967295.0), c = (u32)(noise(g, 2) * 4294967295.0), e = (u32)(noise(g, 3) * 4294967295.0);
    sprintf(b, "GPU-%08x-%04x-4%03x-8%03x-%08x%04x", a, c & 0xffff, (c >> 16) & 0xfff, e & 0xfff, a ^ e, c & 0xffff);
}
static u32 bus_of(int g) {
    static const u32 hgx[8] = { 0x1b, 0x43, 0x52, 0x61, 0x9d, 0xc3, 0xd1, 0xdf };
    return hgx[g & 7];
}
static void pci_of(int g, char *b, int wide) { sprintf(b, wide ? "%08X:%02X:00.0" : "%04X:%02X:00.0", (u32)(g / 8), bus_of(g)); }
static void serial_of(int g, char *b) { sprintf(b, "16542230%05d", 17001 + g * 37); }

#define SYS_STR(f, s) FN(f); EXPORT int f(char *out, u32 len) { SYS_ENTER(f); return put(out, len, s); }
SYS_STR(nvmlSystemGetDriverVersion, driver_ver)
SYS_STR(nvmlSystemGetNVMLVersion, "13.580.95.05")
#define SYS_INT(f, v) FN(f); EXPORT int f(int *out) { SYS_ENTER(f); NEED(out); *out = (v); return OK; }
SYS_INT(nvmlSystemGetCudaDriverVersion, 13000)
SYS_INT(nvmlSystemGetCudaDriverVersion_v2, 13000)
FN(nvmlSystemGetProcessName);
EXPORT int nvmlSystemGetProcessName(u32 pid, char *out, u32 len) {
    SYS_ENTER(nvmlSystemGetProcessName); NEED(out);
    char p[64], b[1024]; snprintf(p, sizeof p, "/proc/%u/cmdline", pid);
    FILE *fp = fopen(p, "re"); if (!fp) return E_NOTFOUND;
    size_t n = fread(b, 1, sizeof b - 1, fp); fclose(fp); b[n] = 0;
    snprintf(out, len, "%s", b);          /* argv[0], as the driver gives it  */
    return OK;
}
struct branch { u32 version; char branch[80]; };
FN(nvmlSystemGetDriverBranch);
EXPORT int nvmlSystemGetDriverBranch(struct branch *b, u32 len) { (void)len; SYS_ENTER(nvmlSystemGetDriverBranch); NEED(b); strcpy(b->branch, "r580_00"); return OK; }

#define DEV_STR(f, fmt_stmt) FN(f); EXPORT int f(dev_t_ d, char *out, u32 len) { DEV_ENTER(f); char b[128]; fmt_stmt; return put(out, len, b); }
DEV_STR(nvmlDeviceGetName, snprintf(b, sizeof b, "%s", dev_name))
DEV_STR(nvmlDeviceGetUUID, uuid_of(g, b))
DEV_STR(nvmlDeviceGetSerial, serial_of(g, b))
DEV_STR(nvmlDeviceGetVbiosVersion, strcpy(b, "96.00.89.00.01"))
DEV_STR(nvmlDeviceGetBoardPartNumber, strcpy(b, "692-2G520-0200-000"))
DEV_STR(nvmlDeviceGetInforomImageVersion, strcpy(b, "G520.0200.00.05"))
FN(nvmlDeviceGetInforomVersion);
EXPORT int nvmlDeviceGetInforomVersion(dev_t_ d, u32 obj, char *out, u32 len) { DEV_ENTER(nvmlDeviceGetInforomVersion); (void)g; return put(out, len, obj == 1 ? "7.16" : "2.1"); }
FN(nvmlDeviceGetGspFirmwareVersion);
EXPORT int nvmlDeviceGetGspFirmwareVersion(dev_t_ d, char *out) { DEV_ENTER(nvmlDeviceGetGspFirmwareVersion); (void)g; return put(out, 64, driver_ver); }
FN(nvmlDeviceGetGspFirmwareMode);
EXPORT int nvmlDeviceGetGspFirmwareMode(dev_t_ d, u32 *on, u32 *def) { DEV_ENTER(nvmlDeviceGetGspFirmwareMode); (void)g; NEED(on && def); *on = *def = 1; return OK; }

/* --- counting and handles --- */
static int do_count(struct fn *f, u32 *n) { int r = enter(f, -1, 1); if (r) return r; NEED(n); *n = (u32)live_gpus(); return OK; }
FN(nvmlDeviceGetCount);    EXPORT int nvmlDeviceGetCount(u32 *n)    { return do_count(&F_nvmlDeviceGetCount, n); }
FN(nvmlDeviceGetCount_v2); EXPORT int nvmlDeviceGetCount_v2(u32 *n) { return do_count(&F_nvmlDeviceGetCount_v2, n); }
static int do_handle(struct fn *f, int i, dev_t_ *h) {
    int r = enter(f, i >= 0 && i < MAX_GPUS ? i : -1, 1); if (r) return r;
    NEED(h);
    if (i < 0 || i >= live_gpus()) return fail(f, E_INVALID);
    *h = &gpus[i]; return OK;
}
FN(nvmlDeviceGetHandleByIndex);    EXPORT int nvmlDeviceGetHandleByIndex(u32 i, dev_t_ *h)    { return do_handle(&F_nvmlDeviceGetHandleByIndex, (int)i, h); }
FN(nvmlDeviceGetHandleByIndex_v2); EXPORT int nvmlDeviceGetHandleByIndex_v2(u32 i, dev_t_ *h) { return do_handle(&F_nvmlDeviceGetHandleByIndex_v2, (int)i, h); }
static int find(const char *s, int how) {
    char b[128];
    for (int i = 0; s && i < live_gpus(); i++) {
        if (how == 'u') uuid_of(i, b); else if (how == 's') serial_of(i, b); else pci_of(i, b, 1);
        if (!strcasecmp(s, b)) return i;
        if (how == 'p') { pci_of(i, b, 0); if (!strcasecmp(s, b)) return i; }
    }
    return -1;
}
#define BY(f, how) FN(f); EXPORT int f(const char *s, dev_t_ *h) { int i = find(s, how); \
    if (i < 0) { SYS_ENTER(f); return fail(&F_##f, E_NOTFOUND); } return do_handle(&F_##f, i, h); }
BY(nvmlDeviceGetHandleByUUID, 'u')
BY(nvmlDeviceGetHandleBySerial, 's')
BY(nvmlDeviceGetHandleByPciBusId, 'p')
BY(nvmlDeviceGetHandleByPciBusId_v2, 'p')

struct pci2 { char bus_id[16]; u32 domain, bus, device, dev_id, sub_id, r0, r1, r2, r3; };
struct pci3 { char legacy[16]; u32 domain, bus, device, dev_id, sub_id; char bus_id[32]; };
static int do_pci2(struct fn *f, void *d, struct pci2 *p) {
    int g = gpu_of(d), r = enter(f, g, 1); if (r) return r;
    if (g < 0) return E_INVALID;
    NEED(p);
    memset(p, 0, sizeof *p); pci_of(g, p->bus_id, 0);
    p->domain = g / 8; p->bus = bus_of(g); p->dev_id = 0x233010de; p->sub_id = 0x16c110de;
    return OK;
}
FN(nvmlDeviceGetPciInfo);    EXPORT int nvmlDeviceGetPciInfo(dev_t_ d, struct pci2 *p)    { return do_pci2(&F_nvmlDeviceGetPciInfo, d, p); }
FN(nvmlDeviceGetPciInfo_v2); EXPORT int nvmlDeviceGetPciInfo_v2(dev_t_ d, struct pci2 *p) { return do_pci2(&F_nvmlDeviceGetPciInfo_v2, d, p); }
FN(nvmlDeviceGetPciInfo_v3);
EXPORT int nvmlDeviceGetPciInfo_v3(dev_t_ d, struct pci3 *p) {
    DEV_ENTER(nvmlDeviceGetPciInfo_v3); NEED(p);
    memset(p, 0, sizeof *p); pci_of(g, p->legacy, 0); pci_of(g, p->bus_id, 1);
    p->domain = g / 8; p->bus = bus_of(g); p->dev_id = 0x233010de; p->sub_id = 0x16c110de;
    return OK;
}

/* --- plain numbers: one u32 (or other scalar) out --- */
#define DEV_OUT(f, type, expr) FN(f); EXPORT int f(dev_t_ d, type *out) { DEV_ENTER(f); (void)g; NEED(out); *out = (expr); return OK; }
DEV_OUT(nvmlDeviceGetIndex, u32, (u32)g)
DEV_OUT(nvmlDeviceGetMinorNumber, u32, (u32)g)
DEV_OUT(nvmlDeviceGetModuleId, u32, (u32)g)
DEV_OUT(nvmlDeviceGetBoardId, u32, bus_of(g) << 8)
DEV_OUT(nvmlDeviceGetMultiGpuBoard, u32, 0)
DEV_OUT(nvmlDeviceGetBrand, u32, 14)
DEV_OUT(nvmlDeviceGetArchitecture, u32, 9)
DEV_OUT(nvmlDeviceGetBusType, u32, 2)
DEV_OUT(nvmlDeviceGetNumaNodeId, int, g % 8 < 4 ? 0 : 1)
DEV_OUT(nvmlDeviceGetNumGpuCores, u32, 16896)
DEV_OUT(nvmlDeviceGetMemoryBusWidth, u32, 5120)
DEV_OUT(nvmlDeviceGetIrqNum, u32, 100 + g)
DEV_OUT(nvmlDeviceGetPowerSource, u32, 0)
DEV_OUT(nvmlDeviceGetDisplayMode, u32, 1)
DEV_OUT(nvmlDeviceGetDisplayActive, u32, 0)
DEV_OUT(nvmlDeviceGetPersistenceMode, u32, 1)
DEV_OUT(nvmlDeviceGetComputeMode, u32, 0)
DEV_OUT(nvmlDeviceGetVirtualizationMode, u64, 0)
DEV_OUT(nvmlDeviceGetPerformanceState, u32, util_of(g, now_s()) < 1 ? 8 : 0)
DEV_OUT(nvmlDeviceGetPowerState, u32, util_of(g, now_s()) < 1 ? 8 : 0)
DEV_OUT(nvmlDeviceGetPowerUsage, u32, power_mw(g))
DEV_OUT(nvmlDeviceGetPowerManagementMode, u32, 1)
DEV_OUT(nvmlDeviceGetPowerManagementLimit, u32, 700000)
DEV_OUT(nvmlDeviceGetPowerManagementDefaultLimit, u32, 700000)
DEV_OUT(nvmlDeviceGetEnforcedPowerLimit, u32, 700000)
DEV_OUT(nvmlDeviceGetTotalEnergyConsumption, u64, energy_mj(g))
DEV_OUT(nvmlDeviceGetCurrPcieLinkGeneration, u32, 5)
DEV_OUT(nvmlDeviceGetMaxPcieLinkGeneration, u32, 5)
DEV_OUT(nvmlDeviceGetGpuMaxPcieLinkGeneration, u32, 5)
DEV_OUT(nvmlDeviceGetCurrPcieLinkWidth, u32, 16)
DEV_OUT(nvmlDeviceGetMaxPcieLinkWidth, u32, 16)
DEV_OUT(nvmlDeviceGetPcieSpeed, u32, 32000)
DEV_OUT(nvmlDeviceGetPcieLinkMaxSpeed, u32, 5)
DEV_OUT(nvmlDeviceGetPcieReplayCounter, u32, 0)
DEV_OUT(nvmlDeviceGetCurrentClocksThrottleReasons, u64, throttle(g))
DEV_OUT(nvmlDeviceGetCurrentClocksEventReasons, u64, throttle(g))
DEV_OUT(nvmlDeviceGetSupportedClocksThrottleReasons, u64, 0x1ff)
DEV_OUT(nvmlDeviceGetSupportedClocksEventReasons, u64, 0x1ff)
DEV_OUT(nvmlDeviceGetMaxMigDeviceCount, u32, 7)
DEV_OUT(nvmlDeviceIsMigDeviceHandle, u32, 0)
DEV_OUT(nvmlDeviceGetAccountingMode, u32, 0)
DEV_OUT(nvmlDeviceGetAccountingBufferSize, u32, 4000)
DEV_OUT(nvmlDeviceGetRetiredPagesPendingStatus, u32, 0)
DEV_OUT(nvmlDeviceGetSupportedEventTypes, u64, 0x1ff)
DEV_OUT(nvmlDeviceGetDefaultEccMode, u32, 1)
DEV_OUT(nvmlDeviceGetInforomConfigurationChecksum, u32, 0x5eed0000u + g)
DEV_OUT(nvmlDeviceGetAdaptiveClockInfoStatus, u32, 0)

#define FAN_OR_NOT(f) do { if (!has_fan) return fail(&F_##f, E_NOTSUP); } while (0)
FN(nvmlDeviceGetNumFans);  EXPORT int nvmlDeviceGetNumFans(dev_t_ d, u32 *n) { DEV_ENTER(nvmlDeviceGetNumFans); (void)g; NEED(n); *n = has_fan ? 1 : 0; return OK; }
FN(nvmlDeviceGetFanSpeed); EXPORT int nvmlDeviceGetFanSpeed(dev_t_ d, u32 *v) { DEV_ENTER(nvmlDeviceGetFanSpeed); FAN_OR_NOT(nvmlDeviceGetFanSpeed); NEED(v); *v = temp_c(g); return OK; }
FN(nvmlDeviceGetFanSpeed_v2); EXPORT int nvmlDeviceGetFanSpeed_v2(dev_t_ d, u32 fan, u32 *v) { DEV_ENTER(nvmlDeviceGetFanSpeed_v2); FAN_OR_NOT(nvmlDeviceGetFanSpeed_v2); NEED(v && !fan); *v = temp_c(g); return OK; }
struct fan_rpm { u32 version, fan, speed; };
FN(nvmlDeviceGetFanSpeedRPM); EXPORT int nvmlDeviceGetFanSpeedRPM(dev_t_ d, struct fan_rpm *v) { DEV_ENTER(nvmlDeviceGetFanSpeedRPM); FAN_OR_NOT(nvmlDeviceGetFanSpeedRPM); NEED(v); v->speed = temp_c(g) * 40; return OK; }

/* --- memory --- */
struct mem1 { u64 total, free, used; };
struct mem2 { u32 version; u64 total, reserved, free, used; };
static u64 mem_total(void) { return atomic_load(&faults)->memzero ? 0 : MEM_TOTAL; }
FN(nvmlDeviceGetMemoryInfo);
EXPORT int nvmlDeviceGetMemoryInfo(dev_t_ d, struct mem1 *m) {
    DEV_ENTER(nvmlDeviceGetMemoryInfo); NEED(m);
    u64 u = mem_used(g) + MEM_RESERVED;   /* v1 counts the reserved part as used */
    m->total = mem_total(); m->used = m->total ? u : 0; m->free = m->total - m->used;
    return OK;
}
FN(nvmlDeviceGetMemoryInfo_v2);
EXPORT int nvmlDeviceGetMemoryInfo_v2(dev_t_ d, struct mem2 *m) {
    DEV_ENTER(nvmlDeviceGetMemoryInfo_v2); NEED(m);
    if (m->version != (0x02000000u | sizeof *m)) return fail(&F_nvmlDeviceGetMemoryInfo_v2, E_VERSION);
    m->total = mem_total(); m->reserved = m->total ? MEM_RESERVED : 0;
    m->used = m->total ? mem_used(g) : 0; m->free = m->total - m->reserved - m->used;
    return OK;
}
FN(nvmlDeviceGetBAR1MemoryInfo);
EXPORT int nvmlDeviceGetBAR1MemoryInfo(dev_t_ d, struct mem1 *m) {
    DEV_ENTER(nvmlDeviceGetBAR1MemoryInfo); NEED(m);
    m->total = 128ull << 30; m->used = (2ull + procs_on(g)) << 20; m->free = m->total - m->used; return OK;
}
struct cc_mem { u64 protected_kib, unprotected_kib; };
FN(nvmlDeviceGetConfComputeMemSizeInfo);
EXPORT int nvmlDeviceGetConfComputeMemSizeInfo(dev_t_ d, struct cc_mem *m) { DEV_ENTER(nvmlDeviceGetConfComputeMemSizeInfo); (void)g; NEED(m); m->protected_kib = 0; m->unprotected_kib = MEM_TOTAL >> 10; return OK; }

/* --- utilisation, clocks, temperature, pcie --- */
struct util { u32 gpu, mem; };
FN(nvmlDeviceGetUtilizationRates);
EXPORT int nvmlDeviceGetUtilizationRates(dev_t_ d, struct util *u) { DEV_ENTER(nvmlDeviceGetUtilizationRates); NEED(u); u->gpu = gpu_util(g); u->mem = mem_util(g); return OK; }
#define DEV_ENGINE(f, expr) FN(f); EXPORT int f(dev_t_ d, u32 *u, u32 *us) { DEV_ENTER(f); (void)g; NEED(u && us); *u = (expr); *us = 167000; return OK; }
DEV_ENGINE(nvmlDeviceGetEncoderUtilization, enc_util(g))
DEV_ENGINE(nvmlDeviceGetDecoderUtilization, dec_util(g))
DEV_ENGINE(nvmlDeviceGetJpgUtilization, 0)
DEV_ENGINE(nvmlDeviceGetOfaUtilization, 0)
#define DEV_CLOCK(f, expr) FN(f); EXPORT int f(dev_t_ d, u32 type, u32 *mhz) { DEV_ENTER(f); (void)g; NEED(mhz && type < 4); *mhz = (expr); return OK; }
DEV_CLOCK(nvmlDeviceGetClockInfo, clock_mhz(g, (int)type))
DEV_CLOCK(nvmlDeviceGetMaxClockInfo, max_clock_mhz((int)type))
DEV_CLOCK(nvmlDeviceGetMaxCustomerBoostClock, max_clock_mhz((int)type))
DEV_CLOCK(nvmlDeviceGetApplicationsClock, max_clock_mhz((int)type))
DEV_CLOCK(nvmlDeviceGetDefaultApplicationsClock, max_clock_mhz((int)type))
FN(nvmlDeviceGetClock);
EXPORT int nvmlDeviceGetClock(dev_t_ d, u32 type, u32 id, u32 *mhz) { DEV_ENTER(nvmlDeviceGetClock); NEED(mhz && type < 4); *mhz = id ? max_clock_mhz((int)type) : clock_mhz(g, (int)type); return OK; }
FN(nvmlDeviceGetTemperature);
EXPORT int nvmlDeviceGetTemperature(dev_t_ d, u32 sensor, u32 *c) { DEV_ENTER(nvmlDeviceGetTemperature); NEED(c && sensor < 2); *c = temp_c(g); return OK; }
struct temp1 { u32 version, sensor; int c; };
FN(nvmlDeviceGetTemperatureV);
EXPORT int nvmlDeviceGetTemperatureV(dev_t_ d, struct temp1 *t) {
    DEV_ENTER(nvmlDeviceGetTemperatureV); NEED(t);
    if (t->version != (0x01000000u | sizeof *t)) return fail(&F_nvmlDeviceGetTemperatureV, E_VERSION);
    t->c = (int)temp_c(g); return OK;
}
FN(nvmlDeviceGetTemperatureThreshold);
EXPORT int nvmlDeviceGetTemperatureThreshold(dev_t_ d, u32 which, u32 *c) {
    DEV_ENTER(nvmlDeviceGetTemperatureThreshold); (void)g; NEED(c);
    static const int t[4] = { 92, 89, 95, 87 };      /* shutdown slowdown mem gpu */
    if (which > 3) return fail(&F_nvmlDeviceGetTemperatureThreshold, E_NOTSUP);
    *c = (u32)t[which]; return OK;
}
struct margin { u32 version; int c; };
FN(nvmlDeviceGetMarginTemperature);
EXPORT int nvmlDeviceGetMarginTemperature(dev_t_ d, struct margin *m) { DEV_ENTER(nvmlDeviceGetMarginTemperature); NEED(m); m->c = 87 - (int)temp_c(g); return OK; }
FN(nvmlDeviceGetPcieThroughput);
EXPORT int nvmlDeviceGetPcieThroughput(dev_t_ d, u32 counter, u32 *kbs) { DEV_ENTER(nvmlDeviceGetPcieThroughput); NEED(kbs && counter < 2); *kbs = pcie_kbs(g, counter == 1); return OK; }
FN(nvmlDeviceGetPowerManagementLimitConstraints);
EXPORT int nvmlDeviceGetPowerManagementLimitConstraints(dev_t_ d, u32 *lo, u32 *hi) { DEV_ENTER(nvmlDeviceGetPowerManagementLimitConstraints); (void)g; NEED(lo && hi); *lo = 200000; *hi = 700000; return OK; }
FN(nvmlDeviceGetCudaComputeCapability);
EXPORT int nvmlDeviceGetCudaComputeCapability(dev_t_ d, int *major, int *minor) { DEV_ENTER(nvmlDeviceGetCudaComputeCapability); (void)g; NEED(major && minor); *major = 9; *minor = 0; return OK; }
struct violation { u64 reference_time, violation_time; };
FN(nvmlDeviceGetViolationStatus);
EXPORT int nvmlDeviceGetViolationStatus(dev_t_ d, u32 policy, struct violation *v) { DEV_ENTER(nvmlDeviceGetViolationStatus); (void)g; (void)policy; NEED(v); v->reference_time = real_us(); v->violation_time = 0; return OK; }

/* --- ECC, rows, MIG, modes --- */
FN(nvmlDeviceGetEccMode); EXPORT int nvmlDeviceGetEccMode(dev_t_ d, u32 *cur, u32 *pend) { DEV_ENTER(nvmlDeviceGetEccMode); (void)g; NEED(cur && pend); *cur = *pend = 1; return OK; }
FN(nvmlDeviceGetMigMode); EXPORT int nvmlDeviceGetMigMode(dev_t_ d, u32 *cur, u32 *pend) { DEV_ENTER(nvmlDeviceGetMigMode); (void)g; NEED(cur && pend); *cur = *pend = 0; return OK; }
FN(nvmlDeviceGetTotalEccErrors);
EXPORT int nvmlDeviceGetTotalEccErrors(dev_t_ d, u32 type, u32 counter, u64 *n) { DEV_ENTER(nvmlDeviceGetTotalEccErrors); (void)counter; NEED(n); *n = g == 5 && type == 0 ? 3 : 0; return OK; }
FN(nvmlDeviceGetMemoryErrorCounter);
EXPORT int nvmlDeviceGetMemoryErrorCounter(dev_t_ d, u32 type, u32 counter, u32 where, u64 *n) { DEV_ENTER(nvmlDeviceGetMemoryErrorCounter); (void)counter; NEED(n); *n = g == 5 && type == 0 && where == 2 ? 3 : 0; return OK; }
FN(nvmlDeviceGetRemappedRows);
EXPORT int nvmlDeviceGetRemappedRows(dev_t_ d, u32 *cor, u32 *unc, u32 *pend, u32 *failed) { DEV_ENTER(nvmlDeviceGetRemappedRows); (void)g; NEED(cor && unc && pend && failed); *cor = *unc = *pend = *failed = 0; return OK; }
struct rows { u32 max, high, partial, low, none; };
FN(nvmlDeviceGetRowRemapperHistogram);
EXPORT int nvmlDeviceGetRowRemapperHistogram(dev_t_ d, struct rows *r) { DEV_ENTER(nvmlDeviceGetRowRemapperHistogram); (void)g; NEED(r); *r = (struct rows){ 2560, 0, 0, 0, 0 }; return OK; }

/* --- processes --- */
struct proc1 { u32 pid; u64 mem; };
struct proc2 { u32 pid; u64 mem; u32 gi, ci; };
static int do_procs(struct fn *f, void *d, u32 *n, void *out, int ver, char kind) {
    int g = gpu_of(d), r = enter(f, g, 1); if (r) return r;
    if (g < 0) return fail(f, E_INVALID);
    if (g >= live_gpus()) return fail(f, E_LOST);
    NEED(n);
    int have = kind == 'c' ? procs_on(g) : kind == 'g' && !atomic_load(&faults)->vanish ? n_graphics : 0;
    if (!have) { *n = 0; return OK; }
    if (*n < (u32)have || !out) { *n = (u32)have; return E_SIZE; }
    int nomem = atomic_load(&faults)->nomem;
    for (int i = 0; i < have; i++) {
        u64 m = nomem ? U64_NA : kind == 'c' ? proc_mem(g, i) : 12ull << 20;
        u32 p = pid_at(g, kind == 'c' ? i : i + procs_on(g));
        if (ver == 1) ((struct proc1 *)out)[i] = (struct proc1){ p, m };
        else ((struct proc2 *)out)[i] = (struct proc2){ p, m, U32_NA, U32_NA };
    }
    *n = (u32)have; return OK;
}
#define PROCS(f, ver, kind) FN(f); EXPORT int f(dev_t_ d, u32 *n, void *out) { return do_procs(&F_##f, d, n, out, ver, kind); }
PROCS(nvmlDeviceGetComputeRunningProcesses, 1, 'c')
PROCS(nvmlDeviceGetComputeRunningProcesses_v2, 2, 'c')
PROCS(nvmlDeviceGetComputeRunningProcesses_v3, 3, 'c')
PROCS(nvmlDeviceGetGraphicsRunningProcesses, 1, 'g')
PROCS(nvmlDeviceGetGraphicsRunningProcesses_v2, 2, 'g')
PROCS(nvmlDeviceGetGraphicsRunningProcesses_v3, 3, 'g')
PROCS(nvmlDeviceGetMPSComputeRunningProcesses, 1, 'm')
PROCS(nvmlDeviceGetMPSComputeRunningProcesses_v2, 2, 'm')
PROCS(nvmlDeviceGetMPSComputeRunningProcesses_v3, 3, 'm')
struct pdetail { u32 pid; u64 mem; u32 gi, ci; u64 cc_mem; };
struct plist { u32 version, mode, n; struct pdetail *a; };
FN(nvmlDeviceGetRunningProcessDetailList);
EXPORT int nvmlDeviceGetRunningProcessDetailList(dev_t_ d, struct plist *l) {
    DEV_ENTER(nvmlDeviceGetRunningProcessDetailList); NEED(l);
    u32 have = l->mode == 0 || l->mode == 3 ? (u32)procs_on(g) : 0;
    if (!have) { l->n = 0; return OK; }
    if (!l->a || l->n < have) { l->n = have; return E_SIZE; }
    for (u32 i = 0; i < have; i++) l->a[i] = (struct pdetail){ pid_at(g, (int)i), proc_mem(g, (int)i), U32_NA, U32_NA, 0 };
    l->n = have; return OK;
}
/* Samples are taken four times a second; those newer than `since` are given. */
static u64 sample_us(void) { return real_us() / 250000 * 250000; }
struct putil { u32 pid; u64 ts; u32 sm, mem, enc, dec; };
FN(nvmlDeviceGetProcessUtilization);
EXPORT int nvmlDeviceGetProcessUtilization(dev_t_ d, struct putil *out, u32 *n, u64 since) {
    DEV_ENTER(nvmlDeviceGetProcessUtilization); NEED(n);
    u32 have = (u32)procs_on(g); u64 ts = sample_us();
    if (!have || ts <= since) { *n = 0; return fail(&F_nvmlDeviceGetProcessUtilization, E_NOTFOUND); }
    if (!out || *n < have) { *n = have; return E_SIZE; }
    for (u32 i = 0; i < have; i++) out[i] = (struct putil){ pid_at(g, (int)i), ts, proc_sm(g, (int)i), proc_sm(g, (int)i) / 2, 0, 0 };
    *n = have; return OK;
}
struct pinfo { u64 ts; u32 pid, sm, mem, enc, dec, jpg, ofa; };
struct pinfos { u32 version, n; u64 since; struct pinfo *a; };
FN(nvmlDeviceGetProcessesUtilizationInfo);
EXPORT int nvmlDeviceGetProcessesUtilizationInfo(dev_t_ d, struct pinfos *l) {
    DEV_ENTER(nvmlDeviceGetProcessesUtilizationInfo); NEED(l);
    u32 have = (u32)procs_on(g); u64 ts = sample_us();
    if (!have || ts <= l->since) { l->n = 0; return fail(&F_nvmlDeviceGetProcessesUtilizationInfo, E_NOTFOUND); }
    if (!l->a || l->n < have) { l->n = have; return E_SIZE; }
    for (u32 i = 0; i < have; i++) l->a[i] = (struct pinfo){ ts, pid_at(g, (int)i), proc_sm(g, (int)i), proc_sm(g, (int)i) / 2, 0, 0, 0, 0 };
    l->n = have; return OK;
}
FN(nvmlDeviceGetAccountingPids);
EXPORT int nvmlDeviceGetAccountingPids(dev_t_ d, u32 *n, u32 *out) { DEV_ENTER(nvmlDeviceGetAccountingPids); (void)g; (void)out; NEED(n); *n = 0; return OK; }
FN(nvmlDeviceGetAccountingStats);
EXPORT int nvmlDeviceGetAccountingStats(dev_t_ d, u32 pid, void *s) { DEV_ENTER(nvmlDeviceGetAccountingStats); (void)g; (void)pid; (void)s; return fail(&F_nvmlDeviceGetAccountingStats, E_NOTSUP); }

/* --- NVLink and field values --- */
#define LINK_OUT(f, expr) FN(f); EXPORT int f(dev_t_ d, u32 link, u32 *out) { DEV_ENTER(f); (void)g; NEED(out); if (link >= NLINKS) return fail(&F_##f, E_INVALID); *out = (expr); return OK; }
LINK_OUT(nvmlDeviceGetNvLinkState, 1)
LINK_OUT(nvmlDeviceGetNvLinkVersion, 6)
LINK_OUT(nvmlDeviceGetNvLinkRemoteDeviceType, 2)
FN(nvmlDeviceGetNvLinkCapability);
EXPORT int nvmlDeviceGetNvLinkCapability(dev_t_ d, u32 link, u32 cap, u32 *out) { DEV_ENTER(nvmlDeviceGetNvLinkCapability); (void)g; NEED(out); if (link >= NLINKS) return E_INVALID; *out = cap != 4; return OK; }
FN(nvmlDeviceGetNvLinkErrorCounter);
EXPORT int nvmlDeviceGetNvLinkErrorCounter(dev_t_ d, u32 link, u32 which, u64 *out) { DEV_ENTER(nvmlDeviceGetNvLinkErrorCounter); (void)g; (void)which; NEED(out); if (link >= NLINKS) return E_INVALID; *out = 0; return OK; }
FN(nvmlDeviceGetNvLinkRemotePciInfo_v2);
EXPORT int nvmlDeviceGetNvLinkRemotePciInfo_v2(dev_t_ d, u32 link, struct pci3 *p) {
    DEV_ENTER(nvmlDeviceGetNvLinkRemotePciInfo_v2); (void)g; NEED(p); if (link >= NLINKS) return E_INVALID;
    memset(p, 0, sizeof *p); p->bus = 5 + link % 4; sprintf(p->legacy, "0000:%02X:00.0", p->bus); sprintf(p->bus_id, "00000000:%02X:00.0", p->bus); return OK;
}
struct field { u32 id, scope; int64_t ts, lat; u32 type; int ret; union { double d; u32 u; u64 q; int i; } v; };
static void field_fill(struct field *f, int g) {
    enum { DBL, UINT, ULONG, ULL };
    f->ts = (int64_t)real_us(); f->lat = 1; f->ret = OK; f->type = UINT; f->v.q = 0;
    u32 link = f->scope;
    switch (f->id) {
    case 3: case 5: f->type = ULL; f->v.q = g == 5 ? 3 : 0; break;       /* ECC corrected   */
    case 4: case 6: f->type = ULL; f->v.q = 0; break;                     /* ECC uncorrected */
    case 74: case 75: case 76: case 77: case 78: case 79: case 80: case 81: f->type = ULL; break;
    case 82: f->v.u = memtemp_c(g); break;
    case 83: f->type = ULL; f->v.q = energy_mj(g); break;
    case 84: case 85: case 86: case 87: case 88: case 89: case 90:        /* link speed, MB/s */
    case 132: case 133: case 134: case 135: case 136: case 137: case 164: f->v.u = 26562; break;
    case 91: f->v.u = NLINKS; break;
    case 94: case 95: f->v.u = 0; break;
    case 138: case 139: case 140: case 141: {                             /* NVLink KiB      */
        int rx = f->id & 1; u64 n = 0;
        if (link == U32_NA) for (int l = 0; l < NLINKS; l++) n += nvlink_kib(g, l, rx);
        else if (link < NLINKS) n = nvlink_kib(g, (int)link, rx);
        else { f->ret = E_INVALID; break; }
        f->type = ULL; f->v.q = f->id >= 140 ? n + n / 16 : n; break; }
    case 142: case 143: case 144: case 145: f->v.u = 0; break;            /* remapped rows   */
    case 165: f->v.u = 1; break;
    case 166: f->v.u = 6; break;
    case 167: f->v.u = 0; break;
    case 173: case 174: case 175: case 176: case 177: case 178: case 179: case 180: case 181: case 182: case 183: break;
    case 185: case 186: f->v.u = power_mw(g); break;
    case 187: f->v.u = 200000; break;
    case 188: case 189: case 190: case 192: f->v.u = 700000; break;
    case 193: f->type = 5; f->v.i = -8; break;
    case 194: f->type = 5; f->v.i = -2; break;
    case 195: case 196: f->type = 5; f->v.i = 0; break;
    case 197: f->type = ULL; f->v.q = (u64)(now_s() * 1e9); break;
    case 198: f->type = ULL; f->v.q = (u64)(now_s() * 3e9); break;
    default: f->ret = E_NOTSUP;
    }
}
FN(nvmlDeviceGetFieldValues);
EXPORT int nvmlDeviceGetFieldValues(dev_t_ d, int n, struct field *f) {
    DEV_ENTER(nvmlDeviceGetFieldValues); NEED(f && n > 0);
    for (int i = 0; i < n; i++) field_fill(&f[i], g);
    return OK;
}

/* --- topology and affinity --- */
FN(nvmlDeviceGetTopologyCommonAncestor);
EXPORT int nvmlDeviceGetTopologyCommonAncestor(dev_t_ d, dev_t_ d2, u32 *level) {
    DEV_ENTER(nvmlDeviceGetTopologyCommonAncestor); int h = gpu_of(d2); NEED(level && h >= 0);
    *level = g == h ? 0 : g / 8 == h / 8 && (g % 8 < 4) == (h % 8 < 4) ? 40 : 50; return OK;
}
FN(nvmlDeviceGetP2PStatus);
EXPORT int nvmlDeviceGetP2PStatus(dev_t_ d, dev_t_ d2, u32 idx, u32 *st) { DEV_ENTER(nvmlDeviceGetP2PStatus); (void)g; (void)idx; NEED(st && gpu_of(d2) >= 0); *st = 0; return OK; }
FN(nvmlDeviceOnSameBoard);
EXPORT int nvmlDeviceOnSameBoard(dev_t_ d, dev_t_ d2, int *same) { DEV_ENTER(nvmlDeviceOnSameBoard); NEED(same); *same = g == gpu_of(d2); return OK; }
FN(nvmlDeviceGetTopologyNearestGpus);
EXPORT int nvmlDeviceGetTopologyNearestGpus(dev_t_ d, u32 level, u32 *n, dev_t_ *out) {
    DEV_ENTER(nvmlDeviceGetTopologyNearestGpus); NEED(n); u32 k = 0;
    for (int i = 0; i < live_gpus(); i++) if (i != g && level >= ((g % 8 < 4) == (i % 8 < 4) ? 40u : 50u)) { if (out && k < *n) out[k] = &gpus[i]; k++; }
    *n = k; return OK;
}
#define AFFINITY(f, ...) FN(f); EXPORT int f(dev_t_ d, u32 words, unsigned long *set, ##__VA_ARGS__) { DEV_ENTER(f); NEED(set && words); memset(set, 0, words * sizeof *set); set[0] = g % 8 < 4 ? 0x0000ffffffffffffUL : 0xffff000000000000UL; return OK; }
AFFINITY(nvmlDeviceGetCpuAffinity)
AFFINITY(nvmlDeviceGetCpuAffinityWithinScope, u32 scope __attribute__((unused)))
FN(nvmlDeviceGetMemoryAffinity);
EXPORT int nvmlDeviceGetMemoryAffinity(dev_t_ d, u32 words, unsigned long *set, u32 scope) { (void)scope; DEV_ENTER(nvmlDeviceGetMemoryAffinity); NEED(set && words); memset(set, 0, words * sizeof *set); set[0] = g % 8 < 4 ? 1 : 2; return OK; }

/* --- GPM (profiling metrics, Hopper and later): a sample is a moment --- */
struct gpm_sample { double t; int g; };
struct gpm_metric { u32 id; int ret; double v; const char *s, *l, *u; };
struct gpm_get { u32 version, n; struct gpm_sample *a, *b; struct gpm_metric m[]; };
struct gpm_support { u32 version, yes; };
FN(nvmlGpmQueryDeviceSupport); EXPORT int nvmlGpmQueryDeviceSupport(dev_t_ d, struct gpm_support *s) { DEV_ENTER(nvmlGpmQueryDeviceSupport); (void)g; NEED(s); s->yes = 1; return OK; }
FN(nvmlGpmSampleAlloc); EXPORT int nvmlGpmSampleAlloc(struct gpm_sample **s) { SYS_ENTER(nvmlGpmSampleAlloc); NEED(s); *s = calloc(1, sizeof **s); return *s ? OK : E_MEMORY; }
FN(nvmlGpmSampleFree);  EXPORT int nvmlGpmSampleFree(struct gpm_sample *s)   { SYS_ENTER(nvmlGpmSampleFree); free(s); return OK; }
FN(nvmlGpmSampleGet);   EXPORT int nvmlGpmSampleGet(dev_t_ d, struct gpm_sample *s) { DEV_ENTER(nvmlGpmSampleGet); NEED(s); s->t = now_s(); s->g = g; return OK; }
FN(nvmlGpmMetricsGet);
EXPORT int nvmlGpmMetricsGet(struct gpm_get *q) {
    SYS_ENTER(nvmlGpmMetricsGet); NEED(q && q->a && q->b);
    int g = q->b->g; double u = util_of(g, q->b->t);
    for (u32 i = 0; i < q->n; i++) {
        struct gpm_metric *m = &q->m[i]; m->ret = OK; m->s = m->l = m->u = "";
        switch (m->id) {
        case 1: m->v = u; break;             /* graphics util */
        case 2: m->v = u * .93; break;       /* SM util       */
        case 3: m->v = u * .41; break;       /* occupancy     */
        case 5: m->v = u * .58; break;       /* any tensor    */
        case 10: m->v = u * .62; break;      /* DRAM bw       */
        case 11: case 12: case 13: m->v = u * .08 * (m->id - 10); break;
        case 20: case 21: m->v = pcie_kbs(g, m->id == 21) / 1024.0; break;
        case 60: case 61: m->v = (g % 8 == 7 ? 0 : 5100.0 * NLINKS) * u / 100; break;
        default: m->ret = E_NOTSUP; m->v = 0;
        }
    }
    return OK;
}

/* --- known names that always say NotSupported --- */
#define NOPE(f) FN(f); EXPORT int f(void *d); EXPORT int f(void *d) { int r_ = enter(&F_##f, gpu_of(d), 1); return r_ ? r_ : fail(&F_##f, E_NOTSUP); }
NOPE(nvmlDeviceGetAttributes_v2) NOPE(nvmlDeviceGetAutoBoostedClocksEnabled)
NOPE(nvmlDeviceGetBridgeChipInfo) NOPE(nvmlDeviceGetComputeInstanceId)
NOPE(nvmlDeviceGetDetailedEccErrors) NOPE(nvmlDeviceGetDeviceHandleFromMigDeviceHandle)
NOPE(nvmlDeviceGetDriverModel) NOPE(nvmlDeviceGetDriverModel_v2)
NOPE(nvmlDeviceGetDynamicPstatesInfo) NOPE(nvmlDeviceGetEncoderCapacity)
NOPE(nvmlDeviceGetEncoderSessions) NOPE(nvmlDeviceGetEncoderStats)
NOPE(nvmlDeviceGetFBCSessions) NOPE(nvmlDeviceGetFBCStats)
NOPE(nvmlDeviceGetFanControlPolicy_v2) NOPE(nvmlDeviceGetGpuFabricInfo)
NOPE(nvmlDeviceGetGpuFabricInfoV) NOPE(nvmlDeviceGetGpuInstanceById)
NOPE(nvmlDeviceGetGpuInstanceId) NOPE(nvmlDeviceGetGpuInstances)
NOPE(nvmlDeviceGetGpuOperationMode) NOPE(nvmlDeviceGetHandleByUUIDV)
NOPE(nvmlDeviceGetHostVgpuMode) NOPE(nvmlDeviceGetMigDeviceHandleByIndex)
NOPE(nvmlDeviceGetMinMaxFanSpeed) NOPE(nvmlDeviceGetNvLinkUtilizationControl)
NOPE(nvmlDeviceGetNvLinkUtilizationCounter) NOPE(nvmlDeviceGetRetiredPages)
NOPE(nvmlDeviceGetRetiredPages_v2) NOPE(nvmlDeviceGetSamples)
NOPE(nvmlDeviceGetSupportedGraphicsClocks) NOPE(nvmlDeviceGetSupportedMemoryClocks)
NOPE(nvmlDeviceGetSupportedPerformanceStates) NOPE(nvmlDeviceGetTargetFanSpeed)
NOPE(nvmlDeviceGetThermalSettings) NOPE(nvmlDeviceGetActiveVgpus)
NOPE(nvmlDeviceGetSupportedVgpus) NOPE(nvmlDeviceGetCreatableVgpus)
NOPE(nvmlDeviceGetVgpuUtilization) NOPE(nvmlDeviceGetVgpuProcessUtilization)
NOPE(nvmlDeviceGetGridLicensableFeatures_v4) NOPE(nvmlDeviceGetAPIRestriction)
NOPE(nvmlDeviceGetClkMonStatus) NOPE(nvmlDeviceGetPlatformInfo)
NOPE(nvmlDeviceGetCapabilities) NOPE(nvmlDeviceGetSramEccErrorStatus)
NOPE(nvmlDeviceGetConfComputeProtectedMemoryUsage) NOPE(nvmlDeviceGetCoolerInfo)
NOPE(nvmlDeviceGetPerformanceModes) NOPE(nvmlDeviceGetCurrentClockFreqs)
NOPE(nvmlDeviceGetAddressingMode) NOPE(nvmlDeviceGetRepairStatus)
NOPE(nvmlDeviceRegisterEvents) NOPE(nvmlEventSetCreate) NOPE(nvmlEventSetFree)
NOPE(nvmlEventSetWait) NOPE(nvmlEventSetWait_v2)
NOPE(nvmlGpuInstanceGetInfo) NOPE(nvmlComputeInstanceGetInfo_v2)
NOPE(nvmlSystemGetHicVersion) NOPE(nvmlSystemGetTopologyGpuSet)
NOPE(nvmlSystemGetConfComputeState) NOPE(nvmlSystemGetConfComputeCapabilities)
NOPE(nvmlUnitGetCount) NOPE(nvmlDeviceValidateInforom)
NOPE(nvmlDeviceSetPersistenceMode) NOPE(nvmlDeviceSetPowerManagementLimit)
NOPE(nvmlDeviceSetComputeMode) NOPE(nvmlDeviceSetEccMode) NOPE(nvmlDeviceSetMigMode)
NOPE(nvmlDeviceSetGpuLockedClocks) NOPE(nvmlDeviceResetGpuLockedClocks)
NOPE(nvmlDeviceSetFanSpeed_v2) NOPE(nvmlDeviceSetAccountingMode)
NOPE(nvmlDeviceClearAccountingPids) NOPE(nvmlDeviceClearEccErrorCounts)
