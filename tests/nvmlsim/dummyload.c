/*
 * dummyload N: N sleeping processes that look like GPU jobs, for a process table to list.
 *
 * Long and short command lines, process titles, five users, the environment of a distributed rank. Prints the
 * PIDs, one a line, each once its process looks as it should; they end when stdin closes or this program dies.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct job {
    const char *comm;        /* what /proc/PID/comm says: 15 characters                   */
    const char *command;     /* %d is the number of the process; split at spaces ...      */
    int titled;              /* ... unless the program gave itself a title (setproctitle) */
    int ranked;              /* carries RANK, WORLD_SIZE and company                      */
};
static const struct job jobs[] = {
    { "python3", "python3 -u train.py --config configs/llama3_70b_fsdp.yaml --rank %d --world-size 64"
                 " --ckpt-dir /mnt/ckpt/llama3-70b/run-0412 --resume latest", 0, 1 },
    { "VLLM::EngineCor", "VLLM::EngineCore_%d", 1, 0 },
    { "python", "/opt/conda/envs/torch25/bin/python -m torch.distributed.run --nproc_per_node=8 --rdzv_id=%d"
                " pretrain_gpt.py", 0, 0 },
    { "python", "python -m vllm.entrypoints.openai.api_server --model meta-llama/Meta-Llama-3.1-70B-Instruct"
                " --tensor-parallel-size 8 --port 8%03d", 0, 0 },
    { "all_reduce_perf", "./nccl-tests/build/all_reduce_perf -b 8 -e 8G -f 2 -g 8 -i %d", 0, 0 },
    { "ray::RolloutWor", "ray::RolloutWorker.sample() %d", 1, 0 },
    { "tritonserver", "tritonserver --model-repository=/models --grpc-port=9%03d", 0, 0 },
    { "jupyter-lab", "jupyter-lab %d", 0, 0 },
};
static const uid_t users[] = { 0, 1, 2, 33, 65534 };      /* root daemon bin www-data nobody */
#define COUNT(a) (sizeof(a) / sizeof *(a))

/* Becomes one job: a second exec is what puts command line and environment where /proc shows them. */
static void become(int number, int ready) {
    const struct job *job = &jobs[number % COUNT(jobs)];
    static char line[512], env[6][64];
    char *argv[32], *envp[8];
    int argc = 0, envs = 0;
    snprintf(line, sizeof line, job->command, number);
    if (job->titled) argv[argc++] = line;
    else for (char *word = strtok(line, " "); word && argc < 31; word = strtok(NULL, " ")) argv[argc++] = word;
    argv[argc] = NULL;
    snprintf(env[envs], sizeof env[0], "DUMMYLOAD=%d,%d,%d", number, ready, (int)getppid());
    envp[envs] = env[envs], envs++;
    if (job->ranked) {
        const struct { const char *name; int value; } rank[] = {
            { "RANK", number }, { "LOCAL_RANK", number % 8 }, { "WORLD_SIZE", 64 }, { "LOCAL_WORLD_SIZE", 8 } };
        for (size_t i = 0; i < COUNT(rank); i++, envs++) {
            snprintf(env[envs], sizeof env[0], "%s=%d", rank[i].name, rank[i].value);
            envp[envs] = env[envs];
        }
    }
    envp[envs] = NULL;
    execve("/proc/self/exe", argv, envp);
    _exit(1);
}

static int play(const char *role) {
    int number, ready, parent;
    if (sscanf(role, "%d,%d,%d", &number, &ready, &parent) != 3) return 1;
    prctl(PR_SET_NAME, jobs[number % COUNT(jobs)].comm);
    if (setuid(users[number % COUNT(users)])) { /* not root: they all belong to the caller */ }
    prctl(PR_SET_PDEATHSIG, SIGKILL);                      /* after setuid, which clears it */
    if (getppid() != parent || write(ready, "", 1) != 1) return 1;
    close(ready);
    for (;;) pause();
}

int main(int argc, char **argv) {
    const char *role = getenv("DUMMYLOAD");
    if (role) return play(role);
    int count = argc > 1 ? atoi(argv[1]) : 8;
    pid_t *pids = calloc((size_t)(count > 0 ? count : 1), sizeof *pids);
    if (!pids) return 1;
    for (int i = 0; i < count; i++) {
        int ready[2];
        char byte;
        if (pipe(ready)) return 1;
        pid_t pid = fork();
        if (pid < 0) return 1;
        if (!pid) { close(ready[0]); become(i, ready[1]); }
        close(ready[1]);
        if (read(ready[0], &byte, 1) != 1) return 1;
        close(ready[0]);
        printf("%d\n", pids[i] = pid);
        fflush(stdout);
    }
    char byte;
    while (read(0, &byte, 1) > 0) { }
    for (int i = 0; i < count; i++) kill(pids[i], SIGKILL);
    while (wait(NULL) > 0) { }                             /* so that they are gone when this program is */
    return 0;
}
