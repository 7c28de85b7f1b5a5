/* What the environment asks for, and the clocks. */
#include "sim.h"
#include <errno.h>
#include <math.h>
#include <time.h>

#ifdef NVMLSIM_535
#define IS_535 1
#else
#define IS_535 0
#endif
struct settings settings;

u64 mono_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (u64)t.tv_sec * 1000 + (u64)t.tv_nsec / 1000000;
}

u64 real_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (u64)t.tv_sec * 1000000 + (u64)t.tv_nsec / 1000;
}

void pause_us(double us) {
    struct timespec left = { (time_t)(us / 1e6), (long)fmod(us * 1e3, 1e9) }, a, b;
    if (!settings.spin) {
        while (nanosleep(&left, &left) && errno == EINTR) { }
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &a);
    do clock_gettime(CLOCK_MONOTONIC, &b);
    while ((double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3 < us);
}

static int number(const char *key, int otherwise) {
    const char *e = getenv(key);
    return e && *e ? atoi(e) : otherwise;
}

static const char *text(const char *key, const char *otherwise) {
    const char *e = getenv(key);
    return e && *e ? e : otherwise;
}

/* A reset is what lets one process play many scenarios: tests call it after changing the environment. */
EXPORT void nvmlsim_reset(void);
__attribute__((constructor)) EXPORT void nvmlsim_reset(void) {
#ifdef NVMLSIM_OLD
    board_choose(text("NVMLSIM_BOARD", "old"));
#else
    board_choose(text("NVMLSIM_BOARD", "h100"));
#endif
    struct settings s = {
        .gpus = number("NVMLSIM_GPUS", 8), .procs = number("NVMLSIM_PROCS", 8),
        .graphics = number("NVMLSIM_GRAPHICS", board->graphics), .both = number("NVMLSIM_BOTH", 0),
        .mps = number("NVMLSIM_MPS", 0), .spread = number("NVMLSIM_SPREAD", 0),
        .fan = number("NVMLSIM_FAN", board->fan), .struct535 = number("NVMLSIM_STRUCT535", IS_535),
        .unified_zero = !strcmp(text("NVMLSIM_UNIFIED", ""), "zero"), .spin = number("NVMLSIM_LATENCY_SPIN", 0),
        .fault_ms = (u32)number("NVMLSIM_FAULT_MS", 1000), .frozen = atof(text("NVMLSIM_FREEZE", "-1")),
    };
    if (s.gpus > MAX_GPUS) s.gpus = MAX_GPUS;
    snprintf(s.name, sizeof s.name, "%s", text("NVMLSIM_NAME", board->name));
    snprintf(s.driver, sizeof s.driver, "%s", text("NVMLSIM_DRIVER", IS_535 ? "535.54.03" : board->driver));
    snprintf(s.fault_file, sizeof s.fault_file, "%s", text("NVMLSIM_FAULTS", ""));
    snprintf(s.counter_file, sizeof s.counter_file, "%s", text("NVMLSIM_COUNTS", ""));
    settings = s;
    mig_parse(&mig_at_start, text("NVMLSIM_MIG", ""));
    faults_reset();
    events_reset();
    pids_reset();
    calls_reset();
}
