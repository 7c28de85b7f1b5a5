/*
 * A simulated libnvidia-ml.so.1: the same pretend machine full of NVIDIA GPUs for every NVML client (pynvml, nvitop,
 * gpustat, nvtop ...), so that monitors can be tested, measured and broken on a computer that has none. Written
 * from the public description of the ABI in the `nvidia-ml-py` package (ctypes signatures and struct layouts).
 *
 *   ./build.sh DIR                    DIR/libnvidia-ml.so.1 of a current driver
 *   ./build.sh DIR -DNVMLSIM_OLD      one of driver 470, where newer symbols are missing altogether
 *   ./build.sh DIR -DNVMLSIM_535      one of driver 535.54, with the symbols and the process struct of that time
 *   LD_LIBRARY_PATH=DIR NVMLSIM_GPUS=8 NVMLSIM_PROCS=8 nvitop
 *
 * Environment, read when the library is loaded and again by nvmlsim_reset(), which also forgets all state
 *   NVMLSIM_BOARD        h100 | a100 | geforce | gb10 | wsl | vgpu | old: what cannot be had differs, see boards.c
 *   NVMLSIM_GPUS         number of GPUs (8, at most 64)
 *   NVMLSIM_PROCS        compute processes per GPU (8)
 *   NVMLSIM_GRAPHICS     graphics processes per GPU (0; geforce and wsl 2)
 *   NVMLSIM_BOTH         as many of the compute processes are graphics processes too (0)
 *   NVMLSIM_MPS          processes under MPS per GPU, in the MPS list alone (0)
 *   NVMLSIM_SPREAD       1: every GPU lists the same pids, as one job on all GPUs does
 *   NVMLSIM_PIDS         pids to report: "12,13,14" or "@file"; they are dealt out GPU by GPU. Default: the
 *                        caller's parent and what else is alive in /proc (not kernel threads)
 *   NVMLSIM_MIG          "0:3g.40gb,3g.40gb,1g.10gb;2:": MIG is on for cards 0 and 2; card 2 has no instance yet.
 *                        A card may be *. Processes are dealt out over the instances
 *   NVMLSIM_NAME         the name of every card
 *   NVMLSIM_DRIVER       the driver's version
 *   NVMLSIM_STRUCT535    1: the _v3 process lists write the 32-byte struct of 535.43 - 535.86 (0; with
 *                        -DNVMLSIM_535 1)
 *   NVMLSIM_UNIFIED      zero: gb10 answers memory with 0 bytes in place of "not supported"
 *   NVMLSIM_FAN          1: fans exist (H100 SXM has none), 0: none
 *   NVMLSIM_FREEZE       freeze the simulated clock at this many seconds
 *   NVMLSIM_LATENCY_US   sleep per call: "200" or "200,nvmlDeviceGetName=20"
 *   NVMLSIM_LATENCY_SPIN 1: burn CPU for the latency rather than sleep
 *   NVMLSIM_COUNTS       counter file: a shared mapping of struct rec, live at any moment, shared by all processes
 *                        that have it open; a text form is written beside it (".txt") on a clean exit
 *   NVMLSIM_FAULTS       fault file
 *   NVMLSIM_FAULT_MS     how often a call looks whether that file changed (1000); 0: every call does
 *
 * Faults, one a line, '#' starts a comment; N is a GPU's index or *
 *   init fail [ERR]      nvmlInit* fails (driver_not_loaded)
 *   driver mismatch      nvmlInit* fails with lib_rm_version_mismatch
 *   driver gone          every call fails with driver_not_loaded
 *   gpu N ERR            every call on GPU N fails with ERR (`gpu 3 lost`)
 *   gpu N hang S         every call on GPU N blocks S seconds, then works
 *   gpus N               the machine now has N GPUs (hot unplug / replug)
 *   fn NAME ERR          NAME fails with ERR (NAME may be a glob)
 *   fn NAME hang S       NAME blocks S seconds
 *   mig SPEC | mig none  the MIG layout is now this one, written as NVMLSIM_MIG
 *   xid N CODE           one Xid event when the line newly appears
 *   ecc N COUNT          that many uncorrected ECC errors
 *   remap N [failed]     a row remap is pending (or has failed)
 *   throttle N 0xMASK    the reasons that hold the clocks down
 *   ghost N MIB          used memory that belongs to no process
 *   procs vanish         process lists are empty
 *   procs dead           process lists name pids that do not exist
 *   procs churn          a different slice of the pids every second
 *   procs count N        N processes per GPU
 *   procs nomem          usedGpuMemory is "not available" (containers, WDDM)
 *   procs garbage        one row more, with memory above the card's and a PID above pid_max
 *   mem zero             total memory reads 0 (catches divisions)
 *   util garbage         utilisation reads 4294967295
 *   util over            a process's SM utilisation reads 37100 %
 *   util notfound        process utilisation is "not found", as on an idle card
 *   name bytes           the card's name holds invalid UTF-8 and an escape sequence
 *   freeze               values stop moving
 *   latency US           as NVMLSIM_LATENCY_US
 * ERR: notsupported nopermission unknown timeout lost nodata notfound uninitialized reset_required
 *      insufficient_power driver_not_loaded mismatch function_not_found memory in_use invalid, or a number
 */
#ifndef NVMLSIM_H
#define NVMLSIM_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#if defined(NVMLSIM_OLD) || defined(NVMLSIM_535)
#define NVMLSIM_BEFORE_545
#endif
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned int u32;
typedef unsigned long long u64;
typedef void *dev_t_;                                      /* nvmlDevice_t */

#define EXPORT __attribute__((visibility("default")))
#define MAX_GPUS 64
#define MAX_MIG 7
#define U32_NA 0xffffffffu
#define U64_NA 0xffffffffffffffffull
#define MIB (1ull << 20)

enum {                                                     /* nvmlReturn_t, the ones in use */
    OK = 0, E_UNINIT = 1, E_INVALID = 2, E_NOTSUP = 3, E_NOPERM = 4, E_NOTFOUND = 6, E_SIZE = 7, E_POWER = 8,
    E_NODRIVER = 9, E_TIMEOUT = 10, E_NOFUNC = 13, E_LOST = 15, E_RESET = 16, E_MISMATCH = 18, E_INUSE = 19,
    E_MEMORY = 20, E_NODATA = 21, E_VERSION = 25, E_UNKNOWN = 999,
};

/* ---- calls.c: what every call begins with ---- */

/* One record of the counter file: 80 + 8 + 8 bytes, little endian. */
struct rec { char name[80]; _Atomic u64 calls; _Atomic u64 faults; };

/* Every entry point owns one of these, gathered by the linker in a section. */
struct fn { const char *name; struct rec *rec; u32 latency_us; int board_err, on_instance, not_on_mig_card; };
extern struct fn __start_nvmlsim_fns[], __stop_nvmlsim_fns[];
#define EACH_FN(f) (struct fn *f = __start_nvmlsim_fns; f < __stop_nvmlsim_fns; f++)
#define FN(f) static struct fn F_##f __attribute__((section("nvmlsim_fns"), used, aligned(8))) = { .name = #f }

/* A device handle points at one of these; slot is -1 for a whole card, else the MIG instance. */
struct gpu { int card, slot; };
struct gpu *handle_for(int card, int slot);
const struct gpu *handle_of(const void *device);           /* NULL for what is no handle */

int enter(struct fn *f, int card, int needs_init);
int enter_device(struct fn *f, const void *device, int *card);
int fail(struct fn *f, int err);
int live_gpus(void);
void calls_reset(void);
extern _Atomic int refs;                                   /* nvmlInit minus nvmlShutdown */

#define SYS_ENTER(f) do { int r_ = enter(&F_##f, -1, 1); if (r_) return r_; } while (0)
#define DEV_ENTER(f) int g = -1; do { int r_ = enter_device(&F_##f, d, &g); if (r_) return r_; } while (0)
#define NEED(p) do { if (!(p)) return E_INVALID; } while (0)
#define FAIL(f, err) return fail(&F_##f, err)

/* ---- settings.c: the environment ---- */

struct settings {
    int gpus, procs, graphics, both, mps, spread, fan, struct535, unified_zero, spin;
    u32 fault_ms;
    double frozen;                                         /* seconds, or -1 */
    char name[96], driver[80], fault_file[4096], counter_file[4096];
};
extern struct settings settings;
u64 mono_ms(void);
u64 real_us(void);
void pause_us(double us);

/* ---- boards.c: what a card is, and what it does not have ---- */

struct board {
    const char *key, *name, *driver;
    u64 total, reserved;
    u32 cuda, brand, arch, major, minor, cores, bus_bits, power_mw, sm_mhz, memory_mhz, pcie_gen, pcie_id;
    u32 virtualization;                                    /* nvmlGpuVirtualizationMode_t; 2: a vGPU guest */
    int links, hbm, ecc, fan, graphics, no_process_memory, gpm;
    const char *const *denied;                             /* globs of functions that say NotSupported */
};
extern const struct board *board;
void board_choose(const char *key);

/* ---- mig.c ---- */

struct mig_instance { char profile[24]; int slices; u32 gi, ci; u64 bytes; };
struct mig_card { int on, n; struct mig_instance instance[MAX_MIG]; };
struct mig_layout { struct mig_card card[MAX_GPUS]; };
extern struct mig_layout mig_at_start;
void mig_parse(struct mig_layout *layout, const char *spec);
const struct mig_card *mig_of(int card);
const struct mig_instance *instance_of(const struct gpu *handle);  /* NULL for a whole card or a slice that is gone */

/* ---- faults.c ---- */

struct rule { char what, glob[96]; int gpu, err; double hang; };
struct xid { int gpu; u32 code; };
struct faults {                                            /* replaced as a whole when the file changes */
    struct rule rules[128];
    struct xid xids[64];
    int n_rules, n_xids, init_err, all_err, vanish, dead, churn, nomem, garbage_row, mem_zero, util_garbage,
        util_over, util_notfound, name_bytes, freeze, gpus, procs, latency, has_mig;
    u64 ecc[MAX_GPUS], throttle[MAX_GPUS], ghost[MAX_GPUS];  /* throttle: U64_NA where no fault says so */
    char remap[MAX_GPUS];                                  /* 1 pending, 2 failed */
    struct mig_layout mig;
};
const struct faults *faults_now(void);
void faults_poll(void);
void faults_reset(void);
int fault_of(int card);                                    /* the error every call on this card gets, or OK */

/* ---- events.c ---- */

void events_fire_xid(int card, u32 code);
void events_reset(void);

/* ---- world.c: the figures, which move with the clock ---- */

double now_s(void);
double noise(u32 a, u32 b);
double util_of(int g, double t);
u32 gpu_util(int g), mem_util(int g), enc_util(int g), dec_util(int g), power_mw(int g), temp_c(int g), memtemp_c(int g);
u32 clock_mhz(int g, int type), max_clock_mhz(int type), pcie_kbs(int g, int rx);
u64 nvlink_kib(int g, int link, int rx), energy_mj(int g), throttle_mask(int g);
u64 ecc_count(int g, int uncorrected);
int procs_on(int g), slots_in(int g, int slot);
u64 proc_mem(int g, int slot), mem_used(int g), instance_used(int g, int slot);
u32 proc_sm(int g, int slot), pid_at(int g, int slot);
void pids_reset(void);
#define GRAPHICS_BYTES (12 * MIB)
#define MPS_BYTES (256 * MIB)

/* ---- identity.c ---- */

int put(char *out, u32 len, const char *text);
void uuid_of(int g, int slot, char *out);
void serial_of(int g, char *out);
u32 bus_of(int g);
void pci_of(int g, char *out, int wide);
struct pci3 { char legacy[16]; u32 domain, bus, device, dev_id, sub_id; char bus_id[32]; };

/* ---- shapes that many entry points have ---- */

#define DEV_OUT(f, type, expr) FN(f); EXPORT int f(dev_t_ d, type *out); \
    EXPORT int f(dev_t_ d, type *out) { DEV_ENTER(f); (void)g; NEED(out); *out = (expr); return OK; }

#endif
