#include "sandbox/init/root.h"

#include "base/fd.h"
#include "base/path.h"
#include "sandbox/init/layer.h"
#include "sandbox/init/mnt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SPLIT_MAX = 300, /* entries of a folder that is shown entry by entry */
    MOUNTS_MAX = 2000,
};

/* What is to be done in the new root, collected while the host's is still in reach. */
struct step {
    char *path;
    char *link;     /* make this symbolic link */
    int mount;      /* or attach this; -1: only the folder */
    bool is_file;   /* MOUNT is one file */
    struct stat st; /* of the folder, when there is no mount */
};

struct build {
    struct root *root;
    const struct show *shows;
    size_t n_shows;
    VEC(char *) mounts; /* the host's mount points */
    VEC(struct step) steps;
    struct buf read_only; /* names for one note */
};

static void note(struct root *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void note(struct root *r, const char *fmt, ...)
{
    struct buf text = BUF_INIT(4096);
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    vec_push(&r->notes, buf_take(&text));
}

static void add_step(struct build *b, const char *path, struct step step)
{
    step.path = mem_dup(path, strlen(path));
    vec_push(&b->steps, step);
}

static bool is_strictly_below(const char *path, const char *dir)
{
    const char *rest = path_below(path, dir);
    return rest && *rest;
}

/* ---- the host's mounts ---- */

/* "\040" and the like: the kernel's way to write blanks in mountinfo. */
static char *unescape(struct slice s)
{
    char *out = mem_new(s.len + 1), *to = out;

    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\\' && i + 3 < s.len) {
            *to++ =
                (char)((s.ptr[i + 1] - '0') * 64 + (s.ptr[i + 2] - '0') * 8 + (s.ptr[i + 3] - '0'));
            i += 3;
        } else {
            *to++ = s.ptr[i];
        }
    }
    return out;
}

static int list_mounts(struct build *b, struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(16 << 20);
    struct slice rest, line, part;
    int r = path_read(AT_FDCWD, "/proc/thread-self/mountinfo", &text, err);

    if (r < 0)
        return r;
    rest = buf_slice(&text);
    while (slice_line(&rest, &line)) {
        for (int field = 0; field < 5; field++) /* id, parent, device, root, mount point */
            if (!slice_split(&line, ' ', &part))
                return err_set(err, ERR_INVALID, "cannot read '/proc/self/mountinfo'");
        if (b->mounts.len == MOUNTS_MAX)
            return err_set(err, ERR_LIMIT, "more than %d mounts", MOUNTS_MAX);
        vec_push(&b->mounts, unescape(part));
    }
    return ERR_OK;
}

/* ---- the walk over the host's root ---- */

/* Will something else be shown at PATH as a whole? */
static bool is_covered(const struct build *b, const char *path)
{
    for (size_t i = 0; i < b->n_shows; i++)
        if (strcmp(b->shows[i].target, path) == 0)
            return true;
    return false;
}

/* A folder cannot be one layer when another file system is mounted in it (a user namespace may not look
 * beneath: EINVAL), or when something has its place in it where the host has no such name, so nothing to
 * mount on. */
static bool must_split(const struct build *b, const char *path)
{
    VEC_EACH (mount, &b->mounts)
        if (is_strictly_below(*mount, path))
            return true;
    for (size_t i = 0; i < b->n_shows; i++)
        if (is_strictly_below(b->shows[i].target, path) && access(b->shows[i].target, F_OK) < 0)
            return true;
    return false;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct names {
    char **ptr;
    size_t len, cap;
};

static void names_deinit(struct names *n)
{
    VEC_EACH (name, n)
        free(*name);
    vec_deinit(n);
}

static int list_names(const char *path, struct names *ret, struct err *err)
{
    DIR *dir = opendir(path);

    if (!dir)
        return err_sys(err, "cannot read folder '%s'", path);
    for (struct dirent *e; (e = readdir(dir)) && ret->len <= SPLIT_MAX;)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            vec_push(ret, mem_dup(e->d_name, strlen(e->d_name)));
    closedir(dir);
    if (ret->len > SPLIT_MAX)
        return err_set(err, ERR_LIMIT, "more than %d names in '%s'", SPLIT_MAX, path);
    qsort(ret->ptr, ret->len, sizeof *ret->ptr, by_name);
    return ERR_OK;
}

static void walk_entry(struct build *b, const char *path);

static int split(struct build *b, const char *path, struct err *err)
{
    CLEANUP(names_deinit) struct names names = {0};
    struct step step = {.mount = -1};
    int r = list_names(path, &names, err);

    if (r < 0)
        return r;
    if (stat(path, &step.st) < 0)
        return err_sys(err, "cannot look at '%s'", path);
    add_step(b, path, step);
    VEC_EACH (name, &names) {
        CLEANUP(free_ptr) char *entry = path_join(path, *name);
        walk_entry(b, entry);
    }
    return ERR_OK;
}

static int show_read_only(struct build *b, const char *path, bool is_file, struct err *err)
{
    struct step step = {.is_file = is_file};
    int r = mnt_clone(AT_FDCWD, path, true, b->root->user, &step.mount, err);

    if (r == ERR_OK)
        add_step(b, path, step);
    return r;
}

static int add_layer(struct build *b, enum layer_place place, const char *path,
                     const char *const *hide, struct err *err)
{
    CLEANUP(fd_closep) int lower = -1;
    struct step step = {0};
    int r = path_open(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0, &lower, err);

    if (r == ERR_OK)
        r = layer_new(b->root, place, lower, hide, &step.mount, err);
    if (r == ERR_OK)
        add_step(b, path, step);
    return r;
}

/* Has this ordinary user a folder of its own there? One where everybody may write, like /var/tmp, does not
 * count. */
static bool is_own_folder(int dir, const char *name)
{
    struct stat st;

    return faccessat(dir, name, W_OK, AT_EACCESS) == 0 && fstatat(dir, name, &st, 0) == 0 &&
           !(st.st_mode & S_IWOTH);
}

/* ... at PATH or directly in it. Deeper ones are not worth the search, which every job would pay for. */
static bool has_own_folder(const char *path)
{
    bool found = is_own_folder(AT_FDCWD, path);
    DIR *dir = found ? NULL : opendir(path);

    for (struct dirent *e; dir && !found && (e = readdir(dir));)
        found = e->d_type == DT_DIR && strcmp(e->d_name, "..") != 0 &&
                is_own_folder(dirfd(dir), e->d_name);
    if (dir)
        closedir(dir);
    return found;
}

/* A layer in memory costs a tenth of one on disk, but what is written to it is memory: where root's jobs
 * install packages it is not. */
static enum layer_place choose_place(const struct build *b, const char *path)
{
    static const char *const on_disk[] = {"/opt", "/usr", "/var"};

    if (b->root->user)
        return has_own_folder(path) ? LAYER_ON_DISK : LAYER_IN_MEMORY;
    for (size_t i = 0; i < COUNT_OF(on_disk); i++)
        if (strcmp(path, on_disk[i]) == 0)
            return LAYER_ON_DISK;
    return LAYER_IN_MEMORY;
}

static bool is_empty(const char *path)
{
    CLEANUP(names_deinit) struct names names = {0};
    struct err ignored = ERR_INIT;

    return list_names(path, &names, &ignored) == ERR_OK && names.len == 0;
}

static void walk_folder(struct build *b, const char *path)
{
    struct err err = ERR_INIT, why = ERR_INIT;
    /* What this user cannot even list is not worth a layer. */
    bool closed = access(path, R_OK | X_OK) < 0;
    bool in_parts = must_split(b, path) || is_empty(path);

    if (!closed && !in_parts) {
        if (add_layer(b, choose_place(b, path), path, NULL, &why) == ERR_OK)
            return;
        in_parts = why.sys == ELOOP; /* before Linux 5.13 layers could not lie in what they cover */
    }
    if (!closed && in_parts && split(b, path, &why) == ERR_OK)
        return;
    if (show_read_only(b, path, false, &err) < 0) {
        note(b->root, "'%s' is not there in the sandbox: %s", path, err.text);
        return;
    }
    if (!closed) {
        if (b->read_only.len == 0)
            buf_printf(&b->read_only, "%s: these folders are read-only in the sandbox:", why.text);
        buf_printf(&b->read_only, " %s", path);
    }
}

static void walk_entry(struct build *b, const char *path)
{
    struct err err = ERR_INIT;
    struct step step = {.mount = -1};
    char link[4096];

    if (is_covered(b, path) || lstat(path, &step.st) < 0)
        return;
    if (S_ISDIR(step.st.st_mode)) {
        walk_folder(b, path);
    } else if (S_ISLNK(step.st.st_mode)) {
        ssize_t n = readlink(path, link, sizeof link - 1);
        if (n < 0)
            return;
        step.link = mem_dup(link, (size_t)n);
        add_step(b, path, step);
    } else if (S_ISREG(step.st.st_mode) && show_read_only(b, path, true, &err) < 0) {
        note(b->root, "'%s' is not there in the sandbox: %s", path, err.text);
    }
}

/* Links in /run stay (a distribution may lead PATH over them); all else there is the host's business. */
static void walk_run(struct build *b)
{
    CLEANUP(names_deinit) struct names names = {0};
    struct err err = ERR_INIT;
    struct stat st;

    if (list_names("/run", &names, &err) < 0)
        return;
    VEC_EACH (name, &names) {
        CLEANUP(free_ptr) char *path = path_join("/run", *name);
        if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
            walk_entry(b, path);
    }
}

static int walk_root(struct build *b, struct err *err)
{
    static const char *const ours[] = {"proc", "sys", "dev", "run", "tmp", "lost+found"};
    CLEANUP(names_deinit) struct names names = {0};
    int r = list_names("/", &names, err);

    if (r < 0)
        return r;
    VEC_EACH (name, &names) {
        CLEANUP(free_ptr) char *path = path_join("/", *name);
        bool skip = false;

        for (size_t i = 0; i < COUNT_OF(ours); i++)
            skip |= strcmp(*name, ours[i]) == 0;
        if (!skip)
            walk_entry(b, path);
    }
    return ERR_OK;
}

/* ---- what is not taken from the host ---- */

static int add_new(struct build *b, const char *path, const char *type, const char *const *options,
                   struct err *err)
{
    struct step step = {0};
    int r = mnt_new(type, options, true, &step.mount, err);

    if (r == ERR_OK)
        add_step(b, path, step);
    return r;
}

#define OPTIONS(...) ((const char *const[]){"source=ostler", __VA_ARGS__, NULL})

static void add_link(struct build *b, const char *path, const char *to)
{
    add_step(b, path, (struct step){.mount = -1, .link = mem_dup(to, strlen(to))});
}

static int add_dev(struct build *b, struct err *err)
{
    static const char *const nodes[] = {"/dev/null", "/dev/zero",    "/dev/full",
                                        "/dev/tty",  "/dev/urandom", "/dev/random"};
    int r = add_new(b, "/dev", "tmpfs", OPTIONS("mode=0755", "size=1m"), err);

    for (size_t i = 0; r == ERR_OK && i < COUNT_OF(nodes); i++) {
        struct step step = {.is_file = true};
        r = mnt_clone(AT_FDCWD, nodes[i], false, false, &step.mount, err);
        if (r == ERR_OK)
            add_step(b, nodes[i], step);
    }
    if (r < 0)
        return r;
    /* Terminals belong to group tty, which only root's namespace has. */
    if (b->root->user)
        r = add_new(b, "/dev/pts", "devpts", OPTIONS("newinstance", "ptmxmode=0666", "mode=0620"),
                    err);
    else
        r = add_new(b, "/dev/pts", "devpts",
                    OPTIONS("newinstance", "ptmxmode=0666", "mode=0620", "gid=5"), err);
    if (r == ERR_OK)
        r = add_new(b, "/dev/shm", "tmpfs", OPTIONS("mode=1777"), err);
    add_link(b, "/dev/ptmx", "pts/ptmx");
    add_link(b, "/dev/fd", "/proc/self/fd");
    add_link(b, "/dev/stdin", "/proc/self/fd/0");
    add_link(b, "/dev/stdout", "/proc/self/fd/1");
    add_link(b, "/dev/stderr", "/proc/self/fd/2");
    return r;
}

static int add_system(struct build *b, struct err *err)
{
    struct err ignored = ERR_INIT;
    int r = add_new(b, "/proc", "proc", (const char *const[]){"source=proc", NULL}, err);

    if (r < 0)
        return err_in(err, "'/proc'");
    if (show_read_only(b, "/sys", false, &ignored) < 0)
        note(b->root, "'/sys' is not there in the sandbox: %s", ignored.text);
    r = add_dev(b, err);
    if (r == ERR_OK)
        r = add_new(b, "/run", "tmpfs", OPTIONS("mode=0755"), err);
    if (r < 0)
        return r;
    add_step(b, "/run/lock", (struct step){.mount = -1, .st.st_mode = S_IFDIR | 01777});
    walk_run(b);
    return ERR_OK;
}

/* ---- what the caller wants to be shown ---- */

static int add_show(struct build *b, const struct show *s, struct err *err)
{
    static const char *const passwords[] = {"credentials", "credentials.toml", NULL}; /* cargo's */
    struct step step = {0};
    struct stat st;
    int r;

    switch (s->kind) {
    case WIRE_LAYER: /* of a tool in HOME, where it keeps passwords too */
        if (add_layer(b, LAYER_ON_DISK, s->target, passwords, err) == ERR_OK)
            return ERR_OK;
        return show_read_only(b, s->target, false, err);
    case WIRE_NOTHING:
        return add_new(b, s->target, "tmpfs", OPTIONS("mode=0755", "size=1m"), err);
    case WIRE_PRIVATE:
        r = mnt_clone(b->root->host_job, s->source, false, b->root->user, &step.mount, err);
        break;
    default:
        r = mnt_clone(AT_FDCWD, s->source, s->kind == WIRE_READ_ONLY, b->root->user, &step.mount,
                      err);
    }
    if (r < 0)
        return r;
    if (fstat(step.mount, &st) == 0)
        step.is_file = !S_ISDIR(st.st_mode);
    add_step(b, s->target, step);
    return ERR_OK;
}

/* ---- the new root ---- */

static int make_place(const char *path, bool is_file, struct err *err)
{
    struct stat st;

    if (stat(path, &st) == 0)
        return ERR_OK;
    CLEANUP(free_ptr) char *parent = mem_dup(path, (size_t)(path_base(path) - path));
    int r = path_mkdirs(AT_FDCWD, parent, 0755, err);
    if (r < 0)
        return r;
    if (!is_file)
        return path_mkdirs(AT_FDCWD, path, 0755, err);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_sys(err, "cannot create '%s'", path);
    close(fd);
    return ERR_OK;
}

static int do_step(const struct step *s, struct err *err)
{
    if (s->link) {
        if (symlink(s->link, s->path) < 0 && errno != EEXIST)
            return err_sys(err, "cannot create link '%s'", s->path);
        return ERR_OK;
    }
    int r = make_place(s->path, s->is_file, err);
    if (r < 0)
        return r;
    if (s->mount >= 0)
        return mnt_attach(s->mount, AT_FDCWD, s->path, err);
    (void)!lchown(s->path, s->st.st_uid, s->st.st_gid); /* refused to an ordinary user */
    if (chmod(s->path, s->st.st_mode & 07777) < 0)
        return err_sys(err, "cannot set the mode of '%s'", s->path);
    return ERR_OK;
}

static int open_ns(int *ret, struct err *err)
{
    *ret = open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (*ret < 0)
        return err_sys(err, "cannot hold a mount namespace");
    return ERR_OK;
}

static int attach_over(const char *path, int take_mount, struct err *err)
{
    CLEANUP(fd_closep) int mount = take_mount;

    return mnt_attach(mount, AT_FDCWD, path, err);
}

/* Host root's identity is also ours inside when root started us: what only the owner's bits protect in /proc and
 * /sys has to be protected by mounts. Docker does the same with about the same names. */
static int protect_kernel(const struct root *r, struct err *err)
{
    static const char *const fixed[] = {
        "/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus",
        "/proc/fs",  "/proc/acpi",          "/proc/scsi"};
    static const char *const blank[] = {"/proc/kcore", "/proc/keys", "/proc/timer_list",
                                        "/proc/sched_debug"};
    static const char *const empty[] = {"/sys/firmware", "/sys/kernel/debug", "/sys/kernel/tracing",
                                        "/sys/fs/bpf"};
    int fd = -1;

    if (r->user)
        return ERR_OK; /* nothing there is an ordinary user's, and nested sandboxes want a whole /proc */
    for (size_t i = 0; i < COUNT_OF(fixed); i++)
        if (access(fixed[i], F_OK) == 0 &&
            (mnt_clone(AT_FDCWD, fixed[i], true, true, &fd, err) < 0 ||
             attach_over(fixed[i], fd, err) < 0))
            return err->code;
    for (size_t i = 0; i < COUNT_OF(blank); i++)
        if (access(blank[i], F_OK) == 0 &&
            (mnt_clone(AT_FDCWD, "/dev/null", true, true, &fd, err) < 0 ||
             attach_over(blank[i], fd, err) < 0))
            return err->code;
    for (size_t i = 0; i < COUNT_OF(empty); i++)
        if (access(empty[i], F_OK) == 0 &&
            (mnt_new("tmpfs", OPTIONS("mode=0555", "size=4k"), true, &fd, err) < 0 ||
             attach_over(empty[i], fd, err) < 0))
            return err->code;
    return ERR_OK;
}

/* The second half: everything is collected, from here on the host is out of reach. */
static int assemble(struct build *b, struct err *err)
{
    CLEANUP(fd_closep) int top = -1;
    struct root *r = b->root;

    if (mnt_new("tmpfs", OPTIONS("mode=0755"), r->user, &top, err) < 0 ||
        open_ns(&r->host_ns, err) < 0)
        return err->code;
    if (unshare(CLONE_NEWNS) < 0)
        return err_sys(err, "no second mount namespace");
    if (mnt_attach(top, AT_FDCWD, r->job_path, err) < 0 || mnt_pivot(r->job_path, err) < 0)
        return err->code;
    VEC_EACH (s, &b->steps) {
        if (do_step(s, err) < 0)
            return err->code;
        fd_closep(&s->mount);
    }
    if (protect_kernel(r, err) < 0)
        return err->code;
    return open_ns(&r->job_ns, err);
}

static int collect(struct build *b, struct err *err)
{
    if (mnt_make_private(err) < 0 || list_mounts(b, err) < 0)
        return err->code;
    int r =
        path_open(AT_FDCWD, b->root->job_path, O_RDONLY | O_DIRECTORY, 0, &b->root->host_job, err);
    if (r < 0)
        return r;
    if (walk_root(b, err) < 0 || add_system(b, err) < 0)
        return err->code;
    for (size_t i = 0; i < b->n_shows; i++)
        if (add_show(b, &b->shows[i], err) < 0)
            return err->code;
    return ERR_OK;
}

int root_build(struct root *r, const struct show *shows, size_t n_shows, struct err *err)
{
    struct build b = {
        .root = r, .shows = shows, .n_shows = n_shows, .read_only = BUF_INIT(1 << 16)};
    int result = collect(&b, err);

    if (result == ERR_OK)
        result = assemble(&b, err);
    if (b.read_only.len)
        vec_push(&r->notes, buf_take(&b.read_only));
    VEC_EACH (s, &b.steps) {
        fd_closep(&s->mount);
        free(s->path);
        free(s->link);
    }
    vec_deinit(&b.steps);
    VEC_EACH (m, &b.mounts)
        free(*m);
    vec_deinit(&b.mounts);
    buf_deinit(&b.read_only);
    return result;
}

int root_show_tree(struct root *r, const char *source, const char *path, const char *const *hide,
                   struct err *err)
{
    CLEANUP(fd_closep) int mount = -1;
    CLEANUP(fd_closep) int lower = -1;
    struct err back = ERR_INIT;
    int result = mnt_enter(r->host_ns, err);

    if (result < 0)
        return result;
    result = path_open(AT_FDCWD, source, O_PATH | O_DIRECTORY, 0, &lower, err);
    if (result == ERR_OK)
        result = layer_new(r, LAYER_ON_DISK, lower, hide, &mount, err);
    if (mnt_enter(r->job_ns, &back) < 0)
        BUG("cannot return to the job's mount namespace: %s", back.text);
    if (result == ERR_OK)
        result = mnt_attach(mount, AT_FDCWD, path, err);
    return result;
}
