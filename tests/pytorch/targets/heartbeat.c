/* A plain thread that never touches Python: it ticks every 200 us and keeps the largest gap it saw in a shared page.
   And calls into C that hold, or do not hold, the GIL. Build: cc -shared -fPIC -O2 -pthread */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile uint64_t *page;

static uint64_t now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000000ull + at.tv_nsec;
}

static void *beat(void *unused) {
    struct timespec nap = {0, 200000};
    uint64_t last = now();
    (void)unused;
    for (;;) {
        nanosleep(&nap, 0);
        uint64_t at = now(), gap = at - last;
        last = at;
        page[0]++;
        if (gap > page[1]) page[1] = gap;
    }
    return 0;
}

int heartbeat(const char *path) {
    int file = open(path, O_RDWR);
    pthread_t thread;
    if (file < 0) return -1;
    page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    return page == MAP_FAILED ? -2 : pthread_create(&thread, 0, beat, 0);
}

void spin_ms(int ms) {
    uint64_t end = now() + ms * 1000000ull;
    volatile double x = 1.0;
    while (now() < end)
        for (int i = 0; i < 1000; i++) x = x * 1.0000001 + 1e-9;
}

/* One relative nanosleep, never begun anew by itself: the kernel alone keeps what is left of it. */
int sleep_ms(int ms) {
    struct timespec nap = {ms / 1000, (ms % 1000) * 1000000L};
    return nanosleep(&nap, 0);
}

/* The calling thread is in an uninterruptible sleep until its child has ended. */
void vfork_ms(int ms) {
    struct timespec nap = {ms / 1000, (ms % 1000) * 1000000L};
    if (vfork() == 0) {
        nanosleep(&nap, 0);
        _exit(0);
    }
    wait(0);
}

void malloc_ms(int ms) {
    uint64_t end = now() + ms * 1000000ull;
    void *kept[64];
    unsigned seed = 1;
    memset(kept, 0, sizeof kept);
    while (now() < end)
        for (int i = 0; i < 2000; i++) {
            seed = seed * 1103515245 + 12345;
            int k = (seed >> 16) & 63;
            free(kept[k]);
            kept[k] = malloc(16 + ((seed >> 8) & 0x3ffff));
            if (kept[k]) *(char *)kept[k] = 1;
        }
    for (int i = 0; i < 64; i++) free(kept[i]);
}
