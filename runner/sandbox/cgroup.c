#include "sandbox/cgroup.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

enum controller { MEMORY, PIDS, CPU, UNIFIED, CONTROLLERS }; /* UNIFIED: v2, whatever it controls */

struct cgroup {
    /* The group's folder in the hierarchy of each v1 controller, and in the v2 hierarchy. -1: none. With v2 in
     * charge of a controller, its folder is the v2 one. */
    int dirs[CONTROLLERS];
    int parents[CONTROLLERS];  /* the folders they are in */
    bool unified[CONTROLLERS]; /* this controller's folder is a v2 one */
    char name[64];
};

static const char *const names[] = {"memory", "pids", "cpu"};

/* ---- files ---- */

static bool write_text(int dir, const char *name, const char *text)
{
    /* The kernel's file systems create nothing; a folder of plain files, in tests, does. */
    CLEANUP(fd_closep)
    int fd = dir < 0 ? -1 : openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    size_t len = strlen(text);

    return fd >= 0 && write(fd, text, len) == (ssize_t)len;
}

static bool read_text(int dir, const char *name, struct buf *to)
{
    bool none = dir < 0 && dir != AT_FDCWD;
    CLEANUP(fd_closep) int fd = none ? -1 : openat(dir, name, O_RDONLY | O_CLOEXEC);
    struct err ignored = ERR_INIT;

    return fd >= 0 && fd_read_all(fd, to, &ignored) == ERR_OK;
}

/* The number in file NAME; with KEY, the one behind it ("oom_kill 3"). 0: there is none. */
static uint64_t read_number(int dir, const char *name, const char *key)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1 << 16);
    struct slice rest, line, word;
    struct err ignored = ERR_INIT;
    uint64_t value = 0;

    if (!read_text(dir, name, &text))
        return 0;
    rest = buf_slice(&text);
    while (slice_line(&rest, &line)) {
        if (key && (!slice_split(&line, ' ', &word) || !slice_eq(word, slice_of(key))))
            continue;
        if (num_parse_u64(slice_trim(line), UINT64_MAX, &value, &ignored) == ERR_OK)
            return value;
    }
    return 0;
}

static bool has_word(int dir, const char *name, const char *word)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1 << 16);
    struct slice rest, part;

    if (!read_text(dir, name, &text))
        return false;
    rest = slice_trim(buf_slice(&text));
    while (slice_split(&rest, ' ', &part))
        if (slice_eq(part, slice_of(word)))
            return true;
    return false;
}

static int open_dir(int at, const char *path)
{
    return openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* ---- where a group may be made ---- */

/* Our own group in hierarchy CONTROLLER ("" for v2) from /proc/self/cgroup, without the first "/"; the caller
 * frees it. */
static char *own_group(const char *controller)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1 << 16);
    struct slice rest, line, part, list;

    if (!read_text(AT_FDCWD, "/proc/self/cgroup", &text))
        return NULL;
    rest = buf_slice(&text);
    while (slice_line(&rest, &line)) { /* "4:memory:/a/b", and for v2 "0::/a/b" */
        if (!slice_split(&line, ':', &part) || !slice_split(&line, ':', &list) || line.len == 0)
            continue;
        bool found = list.len == 0 && *controller == '\0';
        while (*controller && slice_split(&list, ',', &part))
            found |= slice_eq(part, slice_of(controller));
        if (found)
            return mem_dup(line.ptr + 1, line.len - 1);
    }
    return NULL;
}

static bool is_top(const char *path)
{
    CLEANUP(free_ptr) char *normal = path_normal(path);
    return strcmp(normal, ".") == 0 || strncmp(normal, "..", 2) == 0;
}

/* The folder that job groups are made in. Root has one of its own at the top, where no service manager meddles; an
 * ordinary user has what was delegated: our own group, or, since v2 wants processes in leaves only, the
 * one above it. */
static int open_parent(int top, const char *controller)
{
    if (geteuid() == 0)
        return open_dir(top, "ostler");
    CLEANUP(free_ptr) char *own = own_group(controller);
    CLEANUP(free_ptr) char *above = own ? path_join(own, "..") : NULL;
    const char *const places[] = {above, own};
    for (size_t i = 0; own && i < COUNT_OF(places); i++)
        if (!is_top(places[i]) && faccessat(top, places[i], W_OK, AT_EACCESS) == 0)
            return open_dir(top, places[i]);
    return -1;
}

static int make_parent(int top, const char *controller)
{
    if (geteuid() == 0 && mkdirat(top, "ostler", 0755) < 0 && errno != EEXIST)
        return -1;
    return open_parent(top, controller);
}

static int open_top(const char *root)
{
    return open_dir(AT_FDCWD, root ? root : "/sys/fs/cgroup");
}

/* The v2 hierarchy; -1: there is none. */
static int open_v2(int top)
{
    bool pure = faccessat(top, "cgroup.controllers", F_OK, 0) == 0;
    int v2 = open_dir(top, pure ? "." : "unified");

    if (v2 >= 0 && faccessat(v2, "cgroup.controllers", F_OK, 0) < 0)
        fd_closep(&v2);
    return v2;
}

/* Asks for CONTROLLER in the groups below DIR of v2. */
static bool enable(int dir, const char *controller)
{
    char text[32];

    if (has_word(dir, "cgroup.subtree_control", controller))
        return true; /* the top's is not an ordinary user's to write */
    if (!has_word(dir, "cgroup.controllers", controller))
        return false; /* not here: v1 holds it, or nobody gave it to us */
    snprintf(text, sizeof text, "+%s", controller);
    return write_text(dir, "cgroup.subtree_control", text);
}

/* One that still holds somebody is refused by the kernel. */
static void remove_stale(int parent)
{
    int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    long pid;

    for (struct dirent *e; dir && (e = readdir(dir));)
        if (sscanf(e->d_name, "job-%ld-", &pid) == 1 && kill((pid_t)pid, 0) < 0 && errno == ESRCH)
            (void)unlinkat(parent, e->d_name, AT_REMOVEDIR);
    if (dir)
        closedir(dir);
    else
        fd_closep(&fd);
}

void cgroup_remove_stale(const char *root)
{
    CLEANUP(fd_closep) int top = open_top(root);

    for (int c = 0; top >= 0 && c < CONTROLLERS; c++) {
        const char *name = c == UNIFIED ? "" : names[c];
        CLEANUP(fd_closep) int hierarchy = c == UNIFIED ? open_v2(top) : open_dir(top, name);
        CLEANUP(fd_closep) int parent = hierarchy < 0 ? -1 : open_parent(hierarchy, name);

        if (parent >= 0)
            remove_stale(parent);
    }
}

static int make_group(struct cgroup *g, int parent, enum controller at)
{
    if (parent < 0)
        return -1;
    remove_stale(parent);
    if (mkdirat(parent, g->name, 0755) < 0 && errno != EEXIST)
        return -1;
    g->dirs[at] = open_dir(parent, g->name);
    g->parents[at] = parent;
    return g->dirs[at];
}

static void make_v2(struct cgroup *g, int top)
{
    CLEANUP(fd_closep) int v2 = open_v2(top);
    CLEANUP(fd_closep) int parent = v2 < 0 ? -1 : make_parent(v2, "");

    if (v2 < 0)
        return;
    for (enum controller c = MEMORY; parent >= 0 && c < UNIFIED; c++)
        g->unified[c] = enable(v2, names[c]) && enable(parent, names[c]);
    if (make_group(g, parent, UNIFIED) >= 0)
        parent = -1; /* the group keeps it */
    else
        memset(g->unified, 0, sizeof g->unified);
}

static void make_v1(struct cgroup *g, int top, enum controller c)
{
    CLEANUP(fd_closep) int hierarchy = open_dir(top, names[c]);
    int parent = hierarchy < 0 ? -1 : make_parent(hierarchy, names[c]);

    if (make_group(g, parent, c) < 0)
        fd_closep(&parent);
}

/* ---- limits ---- */

static int dir_of(const struct cgroup *g, enum controller c)
{
    return g->unified[c] ? g->dirs[UNIFIED] : g->dirs[c];
}

static bool limit_memory(const struct cgroup *g, uint64_t max)
{
    char text[32];
    int dir = dir_of(g, MEMORY);

    snprintf(text, sizeof text, "%llu", (unsigned long long)max);
    if (!g->unified[MEMORY]) {
        bool held = write_text(dir, "memory.limit_in_bytes", text);
        (void)write_text(dir, "memory.memsw.limit_in_bytes", text); /* where swap is counted */
        return held;
    }
    (void)write_text(dir, "memory.swap.max", "0");
    return write_text(dir, "memory.max", text);
}

static bool limit_pids(const struct cgroup *g, uint64_t max)
{
    char text[32];

    snprintf(text, sizeof text, "%llu", (unsigned long long)max);
    return write_text(dir_of(g, PIDS), "pids.max", text);
}

static bool limit_cpu(const struct cgroup *g, double cores)
{
    enum { PERIOD_US = 100000 };
    char text[64];
    int dir = dir_of(g, CPU);
    long long quota = (long long)(cores * PERIOD_US);

    if (quota < 1000) /* the kernel's least */
        quota = 1000;
    if (g->unified[CPU]) {
        snprintf(text, sizeof text, "%lld %d", quota, PERIOD_US);
        return write_text(dir, "cpu.max", text);
    }
    snprintf(text, sizeof text, "%lld", quota);
    return write_text(dir, "cpu.cfs_period_us", "100000") &&
           write_text(dir, "cpu.cfs_quota_us", text);
}

static void add_missing(char missing[CGROUP_MISSING_SIZE], const char *name)
{
    size_t used = strlen(missing);
    snprintf(missing + used, CGROUP_MISSING_SIZE - used, "%s%s", used ? ", " : "", name);
}

void cgroup_new(const char *root, const struct cgroup_limits *limits, struct cgroup **ret,
                char missing[CGROUP_MISSING_SIZE])
{
    static unsigned counter; /* two jobs may be one process's, in tests */
    CLEANUP(fd_closep) int top = open_top(root);
    struct cgroup *g = mem_new(sizeof *g);
    bool any = false;

    for (int c = 0; c < CONTROLLERS; c++)
        g->dirs[c] = g->parents[c] = -1;
    snprintf(g->name, sizeof g->name, "job-%ld-%lld-%u", (long)getpid(), (long long)clock_ms(),
             counter++);
    if (top >= 0) {
        make_v2(g, top);
        for (enum controller c = MEMORY; c < UNIFIED; c++)
            if (!g->unified[c])
                make_v1(g, top, c);
    }
    *missing = '\0';
    if (limits->memory_max && !limit_memory(g, limits->memory_max))
        add_missing(missing, "memory");
    if (limits->pids_max && !limit_pids(g, limits->pids_max))
        add_missing(missing, "processes");
    if (limits->cpu_max > 0 && !limit_cpu(g, limits->cpu_max))
        add_missing(missing, "CPU");
    for (int c = 0; c < CONTROLLERS; c++)
        any |= g->dirs[c] >= 0;
    *ret = any ? g : cgroup_free(g, 0);
}

int cgroup_attach(struct cgroup *g, pid_t pid, struct err *err)
{
    char text[32];

    snprintf(text, sizeof text, "%ld", (long)pid);
    for (int c = 0; c < CONTROLLERS; c++)
        if (g->dirs[c] >= 0 && !write_text(g->dirs[c], "cgroup.procs", text))
            return err_sys(err, "cannot move the job into its control group '%s'", g->name);
    return ERR_OK;
}

bool cgroup_kill(struct cgroup *g)
{
    return g->dirs[UNIFIED] >= 0 && write_text(g->dirs[UNIFIED], "cgroup.kill", "1");
}

void cgroup_stats(const struct cgroup *g, struct cgroup_stats *ret)
{
    int memory = dir_of(g, MEMORY);

    *ret =
        (struct cgroup_stats){.pids_refused = read_number(dir_of(g, PIDS), "pids.events", "max")};
    if (g->unified[MEMORY]) {
        ret->memory_peak = read_number(memory, "memory.peak", NULL);
        ret->oom_kills = read_number(memory, "memory.events", "oom_kill");
    } else {
        ret->memory_peak = read_number(memory, "memory.max_usage_in_bytes", NULL);
        ret->oom_kills = read_number(memory, "memory.oom_control", "oom_kill");
    }
}

/* Resident bytes of PID that are no file's; 0: it has ended. */
static uint64_t memory_of(long pid)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(4096);
    unsigned long long size, resident, shared;
    char path[64];

    snprintf(path, sizeof path, "/proc/%ld/statm", pid);
    if (!read_text(AT_FDCWD, path, &text) ||
        sscanf(text.ptr, "%llu %llu %llu", &size, &resident, &shared) != 3 || resident < shared)
        return 0;
    return (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

bool cgroup_biggest(const struct cgroup *g, struct cgroup_process *ret)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1 << 20), name = BUF_INIT(4096);
    struct slice rest, line;
    char path[64];

    *ret = (struct cgroup_process){.pid = 0};
    if (!read_text(dir_of(g, MEMORY), "cgroup.procs", &text))
        return false;
    rest = buf_slice(&text);
    while (slice_line(&rest, &line)) {
        struct err ignored = ERR_INIT;
        uint64_t pid, memory;

        if (num_parse_u64(line, INT32_MAX, &pid, &ignored) < 0)
            continue;
        memory = memory_of((long)pid);
        if (memory > ret->memory)
            *ret = (struct cgroup_process){.pid = (pid_t)pid, .memory = memory};
    }
    snprintf(path, sizeof path, "/proc/%ld/comm", (long)ret->pid);
    if (!ret->pid || !read_text(AT_FDCWD, path, &name))
        return false;
    snprintf(ret->name, sizeof ret->name, "%.*s", SLICE_ARG(slice_trim(buf_slice(&name))));
    return true;
}

/* Until "populated 0", which is told as an urgent event. */
static void await_empty(const struct cgroup *g, int64_t deadline)
{
    CLEANUP(fd_closep) int fd = openat(g->dirs[UNIFIED], "cgroup.events", O_RDONLY | O_CLOEXEC);
    struct pollfd one = {.fd = fd, .events = POLLPRI};
    char text[256];

    for (int64_t left; fd >= 0 && (left = deadline - clock_ms()) > 0;) {
        ssize_t n = pread(fd, text, sizeof text - 1, 0);
        text[n < 0 ? 0 : n] = '\0';
        if (n <= 0 || !strstr(text, "populated 1") || poll(&one, 1, (int)left) < 0)
            return;
    }
}

struct cgroup *cgroup_free(struct cgroup *g, int64_t wait_ms)
{
    if (!g)
        return NULL;
    if (g->dirs[UNIFIED] >= 0)
        await_empty(g, clock_ms() + wait_ms);
    for (int c = 0; c < CONTROLLERS; c++) {
        if (g->dirs[c] >= 0)
            (void)unlinkat(g->parents[c], g->name, AT_REMOVEDIR);
        fd_closep(&g->dirs[c]);
        fd_closep(&g->parents[c]);
    }
    free(g);
    return NULL;
}
