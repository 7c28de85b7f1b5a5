/* Event sets: a caller waits, and an Xid that appears in the fault file wakes it. */
#include "sim.h"
#include <errno.h>
#include <pthread.h>
#include <time.h>

#define MAX_SETS 64
#define RING 64
#define XID_CRITICAL 0x8ull
struct event { dev_t_ device; u64 type, data; u32 gi, ci; };
/* Sets are slots that are never freed, so that a wait on one that another thread frees is safe. */
struct event_set { int live; u64 mask[MAX_GPUS]; struct event ring[RING]; u32 head, tail; };
static struct event_set sets[MAX_SETS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t news = PTHREAD_COND_INITIALIZER;

void events_fire_xid(int card, u32 code) {
    pthread_mutex_lock(&lock);
    for (int i = 0; i < MAX_SETS; i++) {
        struct event_set *s = &sets[i];
        if (!s->live || !(s->mask[card] & XID_CRITICAL) || s->head - s->tail >= RING) continue;
        s->ring[s->head++ % RING] = (struct event){ handle_for(card, -1), XID_CRITICAL, code, U32_NA, U32_NA };
    }
    pthread_cond_broadcast(&news);
    pthread_mutex_unlock(&lock);
}

void events_reset(void) {
    pthread_mutex_lock(&lock);
    memset(sets, 0, sizeof sets);
    pthread_cond_broadcast(&news);
    pthread_mutex_unlock(&lock);
}

static int is_live(const struct event_set *s) { return s >= sets && s < sets + MAX_SETS && s->live; }

DEV_OUT(nvmlDeviceGetSupportedEventTypes, u64, board->ecc ? 0x19f : 0x9c)
FN(nvmlEventSetCreate);
EXPORT int nvmlEventSetCreate(struct event_set **out) {
    SYS_ENTER(nvmlEventSetCreate);
    NEED(out);
    int i = 0;
    pthread_mutex_lock(&lock);
    while (i < MAX_SETS && sets[i].live) i++;
    if (i < MAX_SETS) { memset(&sets[i], 0, sizeof sets[i]); sets[i].live = 1; *out = &sets[i]; }
    pthread_mutex_unlock(&lock);
    return i < MAX_SETS ? OK : fail(&F_nvmlEventSetCreate, E_MEMORY);
}
FN(nvmlEventSetFree);
EXPORT int nvmlEventSetFree(struct event_set *s) {
    SYS_ENTER(nvmlEventSetFree);
    pthread_mutex_lock(&lock);
    int live = is_live(s);
    if (live) s->live = 0;
    pthread_cond_broadcast(&news);
    pthread_mutex_unlock(&lock);
    return live ? OK : E_INVALID;
}
FN(nvmlDeviceRegisterEvents);
EXPORT int nvmlDeviceRegisterEvents(dev_t_ d, u64 types, struct event_set *s) {
    DEV_ENTER(nvmlDeviceRegisterEvents);
    if (types & ~(board->ecc ? 0x19full : 0x9cull)) FAIL(nvmlDeviceRegisterEvents, E_NOTSUP);
    pthread_mutex_lock(&lock);
    int live = is_live(s);
    if (live) s->mask[g] |= types;
    pthread_mutex_unlock(&lock);
    return live ? OK : E_INVALID;
}

/* One look: an event, an error, or E_TIMEOUT for "nothing yet" after at most `ms`. */
static int look(struct event_set *s, struct event *out, u32 ms) {
    struct timespec until;
    int r = E_TIMEOUT;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (long)ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&lock);
    if (is_live(s) && s->head == s->tail && ms) pthread_cond_timedwait(&news, &lock, &until);
    if (!is_live(s)) r = E_INVALID;
    else if (s->head != s->tail) { *out = s->ring[s->tail++ % RING]; r = OK; }
    for (int g = 0; g < MAX_GPUS && r == E_TIMEOUT; g++) if (s->mask[g] && fault_of(g)) r = fault_of(g);
    pthread_mutex_unlock(&lock);
    return r;
}

static int do_wait(struct fn *f, struct event_set *s, struct event *out, u32 timeout_ms) {
    int r = enter(f, -1, 1);
    if (r) return r;
    NEED(out);
    u64 until = mono_ms() + timeout_ms;
    for (;;) {
        u64 now = mono_ms();
        u32 left = now < until ? (u32)(until - now) : 0;
        r = look(s, out, left < 20 ? left : 20);
        if (r != E_TIMEOUT || !left) return r && r != E_TIMEOUT ? fail(f, r) : r;
        faults_poll();
    }
}
FN(nvmlEventSetWait);
EXPORT int nvmlEventSetWait(struct event_set *s, struct event *out, u32 ms) { return do_wait(&F_nvmlEventSetWait, s, out, ms); }
FN(nvmlEventSetWait_v2);
EXPORT int nvmlEventSetWait_v2(struct event_set *s, struct event *out, u32 ms) { return do_wait(&F_nvmlEventSetWait_v2, s, out, ms); }
