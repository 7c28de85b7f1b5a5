/* What every call begins with: counting, faults, latency, and whether this handle can be asked that. */
#include "sim.h"
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

_Atomic int refs;
static struct gpu cards[MAX_GPUS], slices[MAX_GPUS][MAX_MIG];
static struct rec private_recs[1024], *mapped;
static size_t mapped_size;

/* What an instance of MIG answers for itself; all else is NotSupported on its handle. */
static const char *const on_instance[] = {
    "nvmlDeviceGetUUID", "nvmlDeviceGetName", "nvmlDeviceGetMemoryInfo*", "nvmlDeviceGetBAR1MemoryInfo",
    "nvmlDeviceIsMigDeviceHandle", "nvmlDeviceGet*InstanceId", "nvmlDeviceGetAttributes*",
    "nvmlDeviceGetDeviceHandleFromMigDeviceHandle", "nvmlDeviceGet*RunningProcess*", NULL };
/* What a card gives up when MIG is on. */
static const char *const not_on_mig_card[] = {
    "nvmlDeviceGetUtilizationRates", "nvmlDeviceGet*coderUtilization", "nvmlDeviceGetJpgUtilization",
    "nvmlDeviceGetOfaUtilization", "nvmlDeviceGetProcess*Utilization*", "nvmlDeviceGetAccounting*", NULL };

static int listed(const char *name, const char *const *globs) {
    for (; globs && *globs; globs++) if (!fnmatch(*globs, name, 0)) return 1;
    return 0;
}

struct gpu *handle_for(int card, int slot) { return slot < 0 ? &cards[card] : &slices[card][slot]; }

const struct gpu *handle_of(const void *device) {
    const struct gpu *h = device;
    if (h >= cards && h < cards + MAX_GPUS) return h;
    return h >= &slices[0][0] && h < &slices[0][0] + MAX_GPUS * MAX_MIG ? h : NULL;
}

int live_gpus(void) {
    int n = faults_now()->gpus;
    return n < 0 ? settings.gpus : n < MAX_GPUS ? n : MAX_GPUS;
}

int fail(struct fn *f, int err) {
    atomic_fetch_add_explicit(&f->rec->faults, 1, memory_order_relaxed);
    return err;
}

int enter(struct fn *f, int card, int needs_init) {
    atomic_fetch_add_explicit(&f->rec->calls, 1, memory_order_relaxed);
    faults_poll();
    const struct faults *now = faults_now();
    u32 latency = now->latency >= 0 ? (u32)now->latency : f->latency_us;
    if (latency) pause_us(latency);
    if (now->all_err) return fail(f, now->all_err);
    for (int i = 0; i < now->n_rules; i++) {
        const struct rule *r = &now->rules[i];
        int hit = r->what == 'g' ? (card >= 0 && (r->gpu < 0 || r->gpu == card)) : !fnmatch(r->glob, f->name, 0);
        if (!hit) continue;
        if (r->hang > 0) pause_us(r->hang * 1e6);
        else return fail(f, r->err);
    }
    if (needs_init && !atomic_load(&refs)) return fail(f, E_UNINIT);
    return f->board_err ? fail(f, f->board_err) : OK;
}

int enter_device(struct fn *f, const void *device, int *card) {
    const struct gpu *h = handle_of(device);
    *card = h ? h->card : -1;
    int r = enter(f, *card, 1);
    if (r) return r;
    if (!h) return fail(f, E_INVALID);
    if (h->card >= live_gpus()) return fail(f, E_LOST);
    const struct mig_card *mig = mig_of(h->card);
    if (h->slot >= 0 && h->slot >= mig->n) return fail(f, E_INVALID);   /* the slice was destroyed */
    if (h->slot >= 0 ? !f->on_instance : mig->on && f->not_on_mig_card) return fail(f, E_NOTSUP);
    return OK;
}

/* Counter file: create it or join it; counts stay private where that fails. */
static struct rec *counters(size_t size) {
    if (mapped) munmap(mapped, mapped_size);
    mapped = NULL;
    if (!*settings.counter_file) return private_recs;
    int fd = open(settings.counter_file, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return private_recs;
    struct stat st;
    int sized = !fstat(fd, &st) && ((size_t)st.st_size == size || (!ftruncate(fd, 0) && !ftruncate(fd, (off_t)size)));
    void *m = sized ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    close(fd);
    if (m == MAP_FAILED) return private_recs;
    mapped_size = size;
    return mapped = m;
}

static void latencies(const char *spec) {
    char copy[4096], *save = NULL;
    snprintf(copy, sizeof copy, "%s", spec);
    for (char *p = strtok_r(copy, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
        char *eq = strchr(p, '=');
        if (eq) *eq = 0;
        for EACH_FN(f) if (!eq || !fnmatch(p, f->name, 0)) f->latency_us = (u32)atoi(eq ? eq + 1 : p);
    }
}

void calls_reset(void) {
    struct rec *recs = counters((size_t)(__stop_nvmlsim_fns - __start_nvmlsim_fns) * sizeof *recs);
    for (int c = 0; c < MAX_GPUS; c++) {
        cards[c] = (struct gpu){ c, -1 };
        for (int s = 0; s < MAX_MIG; s++) slices[c][s] = (struct gpu){ c, s };
    }
    for EACH_FN(f) {
        f->rec = &recs[f - __start_nvmlsim_fns];
        snprintf(f->rec->name, sizeof f->rec->name, "%s", f->name);
        f->latency_us = 0;
        f->board_err = listed(f->name, board->denied) ? E_NOTSUP : OK;
        f->on_instance = listed(f->name, on_instance);
        f->not_on_mig_card = listed(f->name, not_on_mig_card);
    }
    const char *spec = getenv("NVMLSIM_LATENCY_US");
    if (spec) latencies(spec);
    atomic_store(&refs, 0);
}

__attribute__((destructor)) static void write_text(void) {
    char path[4200];
    if (!*settings.counter_file) return;
    snprintf(path, sizeof path, "%s.txt", settings.counter_file);
    FILE *fp = fopen(path, "we");
    if (!fp) return;
    for EACH_FN(f) if (f->rec->calls)
        fprintf(fp, "%llu %llu %s\n", (u64)f->rec->calls, (u64)f->rec->faults, f->name);
    fclose(fp);
}
