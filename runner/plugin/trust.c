#include "plugin/trust.h"

#include "base/fd.h"
#include "base/path.h"
#include "io/digest.h"
#include "plugin/version.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- the policy ---- */

static const struct trust_rule *rule_for(const struct trust_policy *policy, const struct plugin *p)
{
    for (size_t i = 0; i < policy->n_rules; i++)
        if (strcasecmp(policy->rules[i].id, p->id) == 0)
            return &policy->rules[i];
    return NULL;
}

static bool lists_hash(const char *const *list, const char *sha256)
{
    for (; *list; list++)
        if (strcasecmp(*list, sha256) == 0)
            return true;
    return false;
}

int trust_allows(const struct trust_policy *policy, const struct plugin *p, struct err *err)
{
    const struct trust_rule *rule;
    struct version v;

    if (!policy || policy->mode == TRUST_INSTALLED)
        return ERR_OK;
    rule = rule_for(policy, p);
    if (!rule)
        return err_set(err, ERR_DENIED,
                       "plugin '%s' is not on the allow-list (add it to plugins.allow)", p->id);
    if (rule->version &&
        (!version_parse(slice_of(p->version), &v) || !range_has(slice_of(rule->version), &v)))
        return err_set(err, ERR_DENIED, "plugin '%s %s' is outside the allowed versions '%s'",
                       p->id, p->version, rule->version);
    if (rule->sha256 && !lists_hash(rule->sha256, p->sha256))
        return err_set(err, ERR_DENIED,
                       "plugin '%s %s' has the SHA-256 %.16s…, which plugins.allow does not list",
                       p->id, p->version, p->sha256);
    return ERR_OK;
}

/* ---- the file and its folders ---- */

/* Where a check stands: the descriptor is of PATH. */
static int check_owner(int fd, const char *path, bool above_root, struct err *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_sys(err, "cannot look at '%s'", path);
    if (st.st_uid != 0 && st.st_uid != geteuid())
        return err_set(err, ERR_DENIED,
                       "'%s' belongs to user %u, neither to root nor to us (chown root '%s')", path,
                       (unsigned)st.st_uid, path);
    /* In a sticky folder such as /tmp nobody can move what is not theirs; but a plugin in it lies open
     * to anybody's files beside it, so this goes for the way to the root only. */
    if (above_root && S_ISDIR(st.st_mode) && st.st_mode & S_ISVTX)
        return ERR_OK;
    if (st.st_mode & (S_IWGRP | S_IWOTH))
        return err_set(err, ERR_DENIED, "'%s' can be written by others (chmod go-w '%s')", path,
                       path);
    return ERR_OK;
}

/* Opens NAME in DIR without following any link. */
static int open_plain(int dir, const char *name, int flags)
{
    struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC | O_NOFOLLOW),
        .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    long fd;

    if (dir != AT_FDCWD)
        how.resolve |= RESOLVE_BENEATH;
    do
        fd = syscall(SYS_openat2, dir, name, &how, sizeof how);
    while (fd < 0 && (errno == EAGAIN || errno == EINTR));
    return (int)fd;
}

static int open_failed(const char *path, struct err *err)
{
    if (errno == ELOOP || errno == EXDEV)
        return err_set(err, ERR_DENIED,
                       "'%s' is reached through a symbolic link (install the plugin itself there)",
                       path);
    return err_sys(err, "cannot open '%s'", path);
}

/* Every folder above ROOT, from "/" down, wherever links in its name lead. */
static int check_above(const char *root, struct err *err)
{
    CLEANUP(free_ptr) char *path = realpath(root, NULL);

    if (!path)
        return err_sys(err, "cannot resolve '%s'", root);

    for (char *slash = path; slash; slash = strchr(slash + 1, '/')) {
        CLEANUP(fd_closep) int fd = -1;
        CLEANUP(free_ptr) char *above = mem_dup(path, slash == path ? 1 : (size_t)(slash - path));

        fd = open(above, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
            return err_sys(err, "cannot open '%s'", above);
        int r = check_owner(fd, above, true, err);
        if (r < 0)
            return r;
    }
    return ERR_OK;
}

/* The root and each folder of P below it, then the object itself, each from its parent. */
static int open_object(const struct plugin *p, int *ret, struct err *err)
{
    CLEANUP(fd_closep) int dir = open(p->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    CLEANUP(free_ptr) char *path = mem_dup(p->root, strlen(p->root));
    struct slice rest = slice_of(p->folder), part;
    int r;

    if (dir < 0)
        return err_sys(err, "cannot open '%s'", p->root);
    if ((r = check_owner(dir, path, false, err)) < 0)
        return r;
    while (slice_split(&rest, '/', &part)) {
        CLEANUP(free_ptr) char *name = mem_dup(part.ptr, part.len);
        char *next = path_join(path, name);
        int fd = open_plain(dir, name, O_PATH | O_DIRECTORY);

        free(path);
        path = next;
        if (fd < 0)
            return open_failed(path, err);
        fd_closep(&dir);
        dir = fd;
        if ((r = check_owner(dir, path, false, err)) < 0)
            return r;
    }
    CLEANUP(free_ptr) char *object = path_join(path, p->object);
    CLEANUP(fd_closep) int fd = open_plain(dir, p->object, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    struct stat st;

    if (fd < 0)
        return open_failed(object, err);
    if (fstat(fd, &st) < 0)
        return err_sys(err, "cannot look at '%s'", object);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_DENIED, "'%s' is not a regular file (install the plugin again)",
                       object);
    if ((r = check_owner(fd, object, false, err)) < 0)
        return r;
    *ret = fd;
    fd = -1;
    return ERR_OK;
}

/* ---- the copy ---- */

static int copy_all(int from, int to, const char *name, struct err *err)
{
    off_t at = 0;

    for (;;) {
        ssize_t n = sendfile(to, from, &at, 1 << 20);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, "cannot copy '%s'", name);
        if (n == 0)
            return ERR_OK;
        if (at > PLUGIN_OBJECT_MAX)
            return err_set(err, ERR_LIMIT, "'%s' is larger than %d bytes", name, PLUGIN_OBJECT_MAX);
    }
}

static int hash_fd(int fd, const char *name, char ret[TRUST_HEX_SIZE], struct err *err)
{
    unsigned char sum[DIGEST_SIZE];
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_sys(err, "cannot look at '%s'", name);
    if (st.st_size == 0)
        return err_set(err, ERR_INVALID, "'%s' is empty", name);
    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return err_sys(err, "cannot map '%s'", name);
    digest_sha256(slice_make(map, (size_t)st.st_size), sum);
    (void)munmap(map, (size_t)st.st_size); /* of a mapping that we made: cannot fail */
    digest_hex(sum, ret);
    return ERR_OK;
}

int trust_seal(int fd, const char *name, int *ret, char ret_sha256[TRUST_HEX_SIZE], struct err *err)
{
    CLEANUP(fd_closep) int copy = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    char sum[TRUST_HEX_SIZE];
    int r;

    if (copy < 0)
        return err_sys(err, "cannot make a memory file for '%s'", name);
    if ((r = copy_all(fd, copy, name, err)) < 0)
        return r;
    if (fcntl(copy, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
        return err_sys(err, "cannot seal the copy of '%s'", name);
    if ((r = hash_fd(copy, name, sum, err)) < 0)
        return r;
    memcpy(ret_sha256, sum, sizeof sum);
    *ret = copy;
    copy = -1;
    return ERR_OK;
}

int trust_open(const struct trust_policy *policy, const struct plugin *p, int *ret, struct err *err)
{
    CLEANUP(fd_closep) int file = -1;
    CLEANUP(fd_closep) int copy = -1;
    char sum[TRUST_HEX_SIZE];
    int r;

    if ((r = open_object(p, &file, err)) < 0 || (r = check_above(p->root, err)) < 0 ||
        (r = trust_allows(policy, p, err)) < 0 ||
        (r = trust_seal(file, p->object, &copy, sum, err)) < 0)
        return r;
    if (strcasecmp(sum, p->sha256) != 0) {
        CLEANUP(free_ptr) char *path = plugin_object_path(p);

        return err_set(
            err, ERR_DENIED,
            "'%s' is not what was installed: its SHA-256 is %.16s…, the record says %.16s… "
            "(install the plugin again)",
            path, sum, p->sha256);
    }
    *ret = copy;
    copy = -1;
    return ERR_OK;
}
