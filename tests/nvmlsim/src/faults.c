/* The fault file: what is to go wrong now. */
#include "sim.h"
#include <ctype.h>
#include <pthread.h>
#include <sys/stat.h>

/* A ring, not a pair: a call that hangs in one set must not see it rewritten by the next change of the file. */
#define SETS 8
static struct faults sets[SETS], *_Atomic current = &sets[0];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic u64 looked_at_ms;
static struct stat seen;

const struct faults *faults_now(void) { return atomic_load(&current); }

static int err_named(const char *s) {
    static const struct { const char *name; int err; } t[] = {
        { "notsupported", E_NOTSUP }, { "nopermission", E_NOPERM }, { "unknown", E_UNKNOWN },
        { "timeout", E_TIMEOUT }, { "lost", E_LOST }, { "nodata", E_NODATA }, { "notfound", E_NOTFOUND },
        { "uninitialized", E_UNINIT }, { "reset_required", E_RESET }, { "insufficient_power", E_POWER },
        { "driver_not_loaded", E_NODRIVER }, { "mismatch", E_MISMATCH }, { "function_not_found", E_NOFUNC },
        { "memory", E_MEMORY }, { "in_use", E_INUSE }, { "invalid", E_INVALID }, { "ok", OK } };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) if (!strcmp(s, t[i].name)) return t[i].err;
    return isdigit((unsigned char)*s) ? atoi(s) : E_UNKNOWN;
}

static void rule_line(struct faults *f, char w[4][512], int n) {
    if (n < 3 || f->n_rules >= 128) return;
    struct rule *r = &f->rules[f->n_rules++];
    r->what = w[0][0];
    r->gpu = r->what == 'g' && strcmp(w[1], "*") ? atoi(w[1]) : -1;
    snprintf(r->glob, sizeof r->glob, "%.95s", w[1]);
    if (!strcmp(w[2], "hang")) r->hang = n >= 4 ? atof(w[3]) : 5;
    else r->err = err_named(w[2]);
}

static void card_line(struct faults *f, char w[4][512]) {
    int all = !strcmp(w[1], "*"), card = atoi(w[1]);
    for (int g = all ? 0 : card; g >= 0 && g < MAX_GPUS && (all || g == card); g++) {
        if (!strcmp(w[0], "ecc")) f->ecc[g] = strtoull(w[2], NULL, 0);
        else if (!strcmp(w[0], "ghost")) f->ghost[g] = strtoull(w[2], NULL, 0) * MIB;
        else if (!strcmp(w[0], "throttle")) f->throttle[g] = strtoull(w[2], NULL, 0);
        else if (!strcmp(w[0], "remap")) f->remap[g] = strcmp(w[2], "failed") ? 1 : 2;
        else if (f->n_xids < 64) f->xids[f->n_xids++] = (struct xid){ g, (u32)strtoul(w[2], NULL, 0) };
        if (all && g + 1 >= settings.gpus) break;
    }
}

static void word_line(struct faults *f, char w[4][512]) {
    const struct { const char *first, *second; int *flag; } t[] = {
        { "procs", "vanish", &f->vanish }, { "procs", "dead", &f->dead }, { "procs", "churn", &f->churn },
        { "procs", "nomem", &f->nomem }, { "procs", "garbage", &f->garbage_row }, { "mem", "zero", &f->mem_zero },
        { "util", "garbage", &f->util_garbage }, { "util", "over", &f->util_over },
        { "util", "notfound", &f->util_notfound }, { "name", "bytes", &f->name_bytes }, { "freeze", "", &f->freeze } };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        if (!strcmp(w[0], t[i].first) && !strcmp(w[1], t[i].second)) *t[i].flag = 1;
    if (!strcmp(w[0], "procs") && !strcmp(w[1], "count")) f->procs = atoi(w[2]);
    else if (!strcmp(w[0], "gpus")) f->gpus = atoi(w[1]);
    else if (!strcmp(w[0], "latency")) f->latency = atoi(w[1]);
    else if (!strcmp(w[0], "init")) f->init_err = *w[2] ? err_named(w[2]) : E_NODRIVER;
    else if (!strcmp(w[0], "driver") && !strcmp(w[1], "gone")) f->all_err = f->init_err = E_NODRIVER;
    else if (!strcmp(w[0], "driver")) f->init_err = E_MISMATCH;
}

static void clear(struct faults *f) {
    memset(f, 0, sizeof *f);
    f->gpus = f->procs = f->latency = -1;
    for (int g = 0; g < MAX_GPUS; g++) f->throttle[g] = U64_NA;
}

static void parse(struct faults *f, FILE *fp) {
    static const char *const per_card[] = { "ecc", "ghost", "throttle", "remap", "xid" };
    char line[2048], w[4][512];
    while (fgets(line, sizeof line, fp)) {
        char *hash = strchr(line, '#');
        if (hash) *hash = 0;
        for (int i = 0; i < 4; i++) w[i][0] = 0;
        int n = sscanf(line, "%511s %511s %511s %511s", w[0], w[1], w[2], w[3]), is_card = 0;
        if (n < 1) continue;
        for (size_t i = 0; i < sizeof per_card / sizeof *per_card; i++) is_card |= !strcmp(w[0], per_card[i]);
        if (!strcmp(w[0], "gpu") || !strcmp(w[0], "fn")) rule_line(f, w, n);
        else if (is_card) card_line(f, w);
        else if (!strcmp(w[0], "mig")) { f->has_mig = 1; mig_parse(&f->mig, w[1]); }
        else word_line(f, w);
    }
}

static int how_many(const struct faults *f, struct xid x) {
    int n = 0;
    for (int i = 0; i < f->n_xids; i++) n += f->xids[i].gpu == x.gpu && f->xids[i].code == x.code;
    return n;
}

/* An Xid happens once, when its line is new; a line twice is two of them. */
static void fire_new_xids(const struct faults *was, const struct faults *is) {
    for (int i = 0; i < is->n_xids; i++) {
        int before = 0;
        for (int j = 0; j <= i; j++) before += is->xids[j].gpu == is->xids[i].gpu && is->xids[j].code == is->xids[i].code;
        if (before > how_many(was, is->xids[i])) events_fire_xid(is->xids[i].gpu, is->xids[i].code);
    }
}

static void reread(const struct stat *st) {
    struct faults *was = atomic_load(&current), *next = &sets[(was - sets + 1) % SETS];
    clear(next);
    FILE *fp = st ? fopen(settings.fault_file, "re") : NULL;
    if (fp) { parse(next, fp); fclose(fp); }
    if (st) seen = *st;
    else memset(&seen, 0, sizeof seen);
    atomic_store(&current, next);
    fire_new_xids(was, next);
}

/* Looks at the file's age once in a while; reads it only when it changed. */
void faults_poll(void) {
    if (!*settings.fault_file) return;
    u64 now = mono_ms(), at = atomic_load(&looked_at_ms);
    if (at && now - at < settings.fault_ms) return;
    if (!settings.fault_ms) pthread_mutex_lock(&lock);      /* "every call looks" holds for threads too */
    else if (pthread_mutex_trylock(&lock)) return;
    struct stat st;
    atomic_store(&looked_at_ms, now);
    if (stat(settings.fault_file, &st)) {
        if (seen.st_ino) reread(NULL);
    } else if (st.st_ino != seen.st_ino || st.st_size != seen.st_size || st.st_mtim.tv_sec != seen.st_mtim.tv_sec
               || st.st_mtim.tv_nsec != seen.st_mtim.tv_nsec) reread(&st);
    pthread_mutex_unlock(&lock);
}

int fault_of(int card) {
    const struct faults *now = faults_now();
    if (now->all_err) return now->all_err;
    for (int i = 0; i < now->n_rules; i++) {
        const struct rule *r = &now->rules[i];
        if (r->what == 'g' && r->err && (r->gpu < 0 || r->gpu == card)) return r->err;
    }
    return OK;
}

void faults_reset(void) {
    pthread_mutex_lock(&lock);
    memset(&seen, 0, sizeof seen);
    atomic_store(&looked_at_ms, 0);
    struct faults *next = &sets[(atomic_load(&current) - sets + 1) % SETS];
    clear(next);
    atomic_store(&current, next);
    pthread_mutex_unlock(&lock);
}
