#include "sandbox/confine.h"

#include "base/buf.h"
#include "base/fd.h"
#include "sandbox/filter.h"
#include "sandbox/init/rights.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#endif

enum { WRITABLE_MAX = 8, FILES_MAX = 1024 };

/* A plugin works on texts and waits for commands; what needs more memory than this is a command. The
 * sanitizers' shadow is terabytes of address space. */
#ifdef SANITIZED
static const rlim_t memory_max = RLIM_INFINITY;
#else
static const rlim_t memory_max = (rlim_t)4 << 30;
#endif

static int limit(__rlimit_resource_t what, rlim_t most, const char *name, struct err *err)
{
    struct rlimit now;

    if (getrlimit(what, &now) < 0)
        return err_sys(err, "cannot read the limit of %s", name);
    if (now.rlim_max < most)
        most = now.rlim_max;
    now.rlim_cur = now.rlim_max = most;
    if (setrlimit(what, &now) < 0)
        return err_sys(err, "cannot limit %s", name);
    return ERR_OK;
}

int confine_limits(bool program, struct err *err)
{
    int r = limit(RLIMIT_CORE, 0, "core files", err);

    if (r == ERR_OK)
        r = limit(RLIMIT_NOFILE, FILES_MAX, "descriptors", err);
    if (r == ERR_OK)
        r = limit(program ? RLIMIT_DATA : RLIMIT_AS, memory_max, "memory", err);
    return r;
}

/* ---- mounts ---- */

static int write_file(const char *path, const char *text)
{
    CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);

    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

/* A mount namespace of our own; for an ordinary user, in a user namespace in which we stay who we are. */
static int own_namespace(void)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    CLEANUP(buf_deinit) struct buf map = BUF_INIT(64);

    if (unshare(CLONE_NEWNS) == 0)
        return 0;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        return -1;
    buf_printf(&map, "%u %u 1\n", (unsigned)uid, (unsigned)uid);
    if (write_file("/proc/self/uid_map", map.ptr) < 0)
        return -1;
    buf_clear(&map);
    buf_printf(&map, "%u %u 1\n", (unsigned)gid, (unsigned)gid);
    if (write_file("/proc/self/setgroups", "deny") < 0)
        return -1;
    return write_file("/proc/self/gid_map", map.ptr);
}

static int make_private(void)
{
    return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

/* Our descriptors as a folder that is a mount of its own and attached nowhere: ".." ends there. The
 * path "/proc/self/fd" itself means nothing in the job's /proc, which shows another PID namespace. */
static int own_fds(void)
{
    return open_tree(AT_FDCWD, "/proc/self/fd", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

static int enter_user(const int *place, struct err *err)
{
    /* EINVAL: the job has no user namespace of its own, so we are there already. */
    if (setns(place[SANDBOX_NS_USER], CLONE_NEWUSER) < 0 && errno != EINVAL)
        return err_sys(err, "cannot enter the job's user namespace");
    return ERR_OK;
}

/* A copy of the job's mounts for us alone. */
static int enter_mounts(const int *place, struct err *err)
{
    if (setns(place[SANDBOX_NS_MOUNT], CLONE_NEWNS) < 0)
        return err_sys(err, "cannot enter the job's mount namespace");
    if (unshare(CLONE_NEWNS) < 0 || make_private() < 0)
        return err_sys(err, "cannot copy the job's mount namespace");
    return ERR_OK;
}

/* Into the user and mount namespace of the job. */
static int enter_place(const int *place, int *ret_fds, struct err *err)
{
    int r = enter_user(place, err);

    if (r < 0)
        return r;
    if (unshare(CLONE_NEWNS) < 0 || make_private() < 0)
        return err_sys(err, "cannot copy the mount namespace");
    *ret_fds = own_fds();
    if (*ret_fds < 0)
        return err_sys(err, "cannot clone '/proc/self/fd'");
    return enter_mounts(place, err);
}

/* The same network as the job: a place without one does not get one through a plugin. */
static int enter_network(const int *place, struct err *err)
{
    /* EPERM: the network namespace does not belong to the job's user namespace, so it is ours. */
    if (setns(place[SANDBOX_NS_NET], CLONE_NEWNET) < 0 && errno != EPERM)
        return err_sys(err, "cannot enter the job's network namespace");
    return ERR_OK;
}

/* Makes all read-only but the folders named, which are taken aside first and put on top after. */
static int restrict_mounts(const char *const *writable, bool execute, struct err *err)
{
    struct mount_attr shut = {
        .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | (execute ? 0u : MOUNT_ATTR_NOEXEC),
    };
    struct mount_attr open_ = {.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC};
    int kept[WRITABLE_MAX], n = 0, r = ERR_OK;

    for (; writable[n] && n < WRITABLE_MAX; n++) {
        kept[n] =
            open_tree(AT_FDCWD, writable[n], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
        if (kept[n] >= 0)
            (void)mount_setattr(kept[n], "", AT_EMPTY_PATH | AT_RECURSIVE, &open_, sizeof open_);
    }
    if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &shut, sizeof shut) < 0)
        r = err_sys(err, "cannot make the file system read-only");
    for (int i = 0; i < n; i++) {
        if (r == ERR_OK && kept[i] >= 0 &&
            move_mount(kept[i], "", AT_FDCWD, writable[i], MOVE_MOUNT_F_EMPTY_PATH) < 0)
            r = err_sys(err, "cannot keep '%s' writable", writable[i]);
        fd_closep(&kept[i]);
    }
    return r;
}

/* ---- a program's text, as a file ---- */

static int copy_script(const struct confine_spec *spec, const char *path, struct err *err)
{
    CLEANUP(fd_closep)
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0500);
    off_t at = 0;
    ssize_t n = 1;

    while (fd >= 0 && n > 0)
        n = sendfile(fd, spec->script, &at, 1 << 20);
    if (fd < 0 || n < 0)
        return err_sys(err, "cannot write '%s'", path);
    return ERR_OK;
}

/* Where other processes of the job's user cannot change it: in memory that only our mounts show. Without namespaces they
 * are who we are, and nothing could be kept from them. */
static int enter_script(const struct confine_spec *spec, struct err *err)
{
    char folder[4096];

    if (!spec->program || spec->script < 0)
        return ERR_OK;
    bool over = !*spec->script_dir;
    if (over)
        snprintf(folder, sizeof folder, "%s", spec->script_over);
    else
        confine_script_folder(spec->script_dir, getpid(), folder, sizeof folder);
    if (!over && mkdir(folder, 0700) < 0)
        return err_sys(err, "cannot create '%s'", folder);
    if (mount("tmpfs", folder, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700,size=64m") < 0 &&
        (spec->place || over))
        return err_sys(err, "cannot make '%s' the program's own", folder);
    snprintf(spec->ret_script, spec->ret_size, "%s/%s", folder, spec->script_name);
    return copy_script(spec, spec->ret_script, err);
}

void confine_script_folder(const char *dir, pid_t pid, char *ret, size_t size)
{
    snprintf(ret, size, "%s/.program-%ld", dir, (long)pid);
}

/* ---- rights ---- */

/* KEPT: of what we have. */
static int drop_rights(const int *kept, size_t n_kept, struct err *err)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct has[2] = {0}, keep[2] = {0};

    for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        (void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); /* not ours to drop: not ours to use */
    if (syscall(SYS_capget, &head, has) < 0)
        return err_sys(err, "cannot read our capabilities");
    for (size_t i = 0; i < n_kept; i++)
        keep[kept[i] / 32].permitted |= has[kept[i] / 32].permitted & 1u << kept[i] % 32;
    for (size_t i = 0; i < COUNT_OF(keep); i++)
        keep[i].effective = keep[i].permitted;
    if (syscall(SYS_capset, &head, keep) < 0)
        return err_sys(err, "cannot drop capabilities");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_sys(err, "cannot refuse new privileges");
    return ERR_OK;
}

/* Without a place: our own file system, read-only where that can be had. */
static int enter_own(const struct confine_spec *spec, confine_note_fn *note, void *ctx,
                     int *ret_fds, struct err *err)
{
    int r = ERR_OK;

    if (own_namespace() == 0 && make_private() == 0) {
        if (spec->n_shown)
            r = show_folders(spec->shown, spec->n_shown, false, err);
        if (r == ERR_OK)
            r = enter_script(spec, err);
        if (r == ERR_OK)
            r = restrict_mounts(spec->writable, spec->program, err);
    } else if (spec->n_shown)
        return err_set(err, ERR_UNSUPPORTED,
                       "no mount namespaces here to show the plugin what the job's container sees");
    else if (spec->strict)
        return err_set(err, ERR_UNSUPPORTED, "no mount namespaces here to shut the plugin in");
    else {
        note(ctx, "no mount namespaces here: the plugin's process can write what its user can");
        r = enter_script(spec, err);
    }
    *ret_fds = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (r == ERR_OK && *ret_fds < 0)
        r = err_sys(err, "cannot open '/proc/self/fd'");
    return r;
}

int confine(const struct confine_spec *spec, confine_note_fn *note, void *ctx, int *ret_fds,
            struct err *err)
{
    int r;

    if (spec->place) {
        r = enter_place(spec->place, ret_fds, err);
        if (r == ERR_OK && spec->network)
            r = enter_network(spec->place, err);
        if (r == ERR_OK && spec->n_shown)
            r = show_folders(spec->shown, spec->n_shown, false, err);
        if (r == ERR_OK)
            r = enter_script(spec, err);
        if (r == ERR_OK)
            r = restrict_mounts(spec->writable, spec->program, err);
    } else {
        r = enter_own(spec, note, ctx, ret_fds, err);
    }
    if (r == ERR_OK)
        r = drop_rights(NULL, 0, err);
    if (r == ERR_OK && filter_install(spec->network, spec->program) < 0)
        note(ctx, "no system call filter here: the plugin's process is not shut in");
    return r;
}

/* A container's folders by the container's names, and nothing else: what lies beside them on our side is no business
 * of the job's. */
static int enter_shown(const struct confine_job *job, struct err *err)
{
    const char *writable[WRITABLE_MAX + 1] = {NULL};

    if (job->n_shown > WRITABLE_MAX)
        return err_set(err, ERR_LIMIT, "more than %d folders of a container", WRITABLE_MAX);
    if (!job->place && (own_namespace() < 0 || make_private() < 0))
        return err_set(err, ERR_UNSUPPORTED,
                       "no mount namespaces here to see what the job's container sees");
    int r = show_folders(job->shown, job->n_shown, true, err);
    for (size_t i = 0; job->write && i < job->n_shown; i++)
        writable[i] = job->shown[i].to;
    return r == ERR_OK ? restrict_mounts(writable, false, err) : r;
}

int confine_as_job(const struct confine_job *job, struct err *err)
{
    static const char *const nothing[] = {NULL};
    /* An ordinary user's job has none, also not in its own user namespace. */
    size_t n_rights = geteuid() == 0 ? COUNT_OF(job_rights) : 0;
    int r = job->place ? enter_user(job->place, err) : ERR_OK;

    if (r == ERR_OK && job->place)
        r = enter_mounts(job->place, err);
    if (r == ERR_OK && job->n_shown)
        r = enter_shown(job, err);
    else if (r == ERR_OK && job->place && !job->write)
        r = restrict_mounts(nothing, false, err);
    if (r == ERR_OK && (job->place || job->n_shown)) /* at the level "host" root keeps all */
        r = drop_rights(job_rights, n_rights, err);
    if (r == ERR_OK && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        r = err_sys(err, "cannot refuse new privileges");
    /* a second wall: where there are no filters, the first one holds */
    if (r == ERR_OK)
        (void)filter_install(false, false);
    return r;
}
