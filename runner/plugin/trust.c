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

static const char *file_of(const struct trust_policy *policy)
{
    return policy->file ? policy->file : "plugins.allow";
}

/* "acme/push", "acme/" and a star, or a star. */
static bool names_it(const char *pattern, const char *id)
{
    size_t n = strlen(pattern);

    if (n && pattern[n - 1] == '*')
        return strncasecmp(pattern, id, n - 1) == 0;
    return strcasecmp(pattern, id) == 0;
}

static bool has_version(const struct trust_rule *rule, const struct plugin *p)
{
    struct version v;

    return !rule->version ||
           (version_parse(slice_of(p->version), &v) && range_has(slice_of(rule->version), &v));
}

/* *RET is the rule that decides; NULL: none names the plugin, which the mode allows. */
static int find_rule(const struct trust_policy *policy, const struct plugin *p,
                     const struct trust_rule **ret, struct err *err)
{
    const struct trust_rule *outside = NULL;

    *ret = NULL;
    for (size_t i = 0; i < policy->n_rules; i++) {
        const struct trust_rule *rule = &policy->rules[i];

        if (!names_it(rule->id, p->id))
            continue;
        if (has_version(rule, p)) {
            *ret = rule;
            return ERR_OK;
        }
        outside = outside ? outside : rule;
    }
    if (outside)
        return err_set(
            err, ERR_DENIED,
            "plugin '%s %s' is outside the allowed versions '%s' (install one of them, or "
            "change its rule in '%s')",
            p->id, p->version, outside->version, file_of(policy));
    if (policy->mode == TRUST_ALLOW_LIST)
        return err_set(err, ERR_DENIED,
                       "plugin '%s' is not on the allow-list (add it to 'allow' in '%s')", p->id,
                       file_of(policy));
    return ERR_OK;
}

static bool lists_hash(const char *const *list, const char *sha256)
{
    for (; *list; list++)
        if (strcasecmp(*list, sha256) == 0)
            return true;
    return false;
}

int trust_workspace(const struct trust_policy *policy, const char *name, struct err *err)
{
    bool said = false;

    for (; policy; policy = policy->next) {
        if (policy->workspace == TRUST_WORKSPACE_NO)
            return err_set(err, ERR_DENIED,
                           "plugin '%s' lies in the workspace, which '%s' forbids (install it and "
                           "name it by its id)",
                           name, file_of(policy));
        said = said || policy->workspace == TRUST_WORKSPACE_YES;
    }
    if (said)
        return ERR_OK;
    return err_set(err, ERR_DENIED,
                   "plugin '%s' lies in the workspace (install it and name it by its id, or allow "
                   "such with 'plugins: {workspace: true}' in the configuration)",
                   name);
}

int trust_allows(const struct trust_policy *policy, const struct plugin *p, struct err *err)
{
    if (p->in_workspace && trust_workspace(policy, p->id, err) < 0)
        return err->code;
    for (; policy; policy = policy->next) {
        const struct trust_rule *rule;
        int r = find_rule(policy, p, &rule, err);

        if (r < 0)
            return r;
        if (p->in_workspace && rule && rule->signer)
            return err_set(
                err, ERR_DENIED,
                "plugin '%s' lies in the workspace, and '%s' wants the signature of '%s' "
                "(install a signed release)",
                p->id, file_of(policy), rule->signer);
        if (rule && rule->sha256 && !lists_hash(rule->sha256, p->sha256))
            return err_set(err, ERR_DENIED,
                           "plugin '%s %s' has the SHA-256 %.16s…, which its rule in '%s' does not "
                           "list",
                           p->id, p->version, p->sha256, file_of(policy));
    }
    return ERR_OK;
}

bool trust_names(const struct trust_policy *policy, const struct plugin *p)
{
    for (; policy; policy = policy->next) {
        bool named = policy->mode != TRUST_ALLOW_LIST;

        for (size_t i = 0; !named && i < policy->n_rules; i++)
            named = names_it(policy->rules[i].id, p->id);
        if (!named)
            return false;
    }
    return true;
}

json_t *trust_hosts(const struct trust_policy *policy, const struct plugin *p)
{
    json_t *all = NULL;

    for (; policy; policy = policy->next) {
        const struct trust_rule *rule;
        struct err ignored;

        if (find_rule(policy, p, &rule, &ignored) < 0 || !rule || !rule->network)
            continue;
        json_t *list = json_array();
        for (const char *const *host = rule->network; *host; host++)
            json_array_append_new(list, json_string(*host));
        all = all ? all : json_array();
        json_array_append_new(all, list);
    }
    return all;
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

/* NAME in DIR, which is PATH: a regular file that nobody else can write. */
static int open_file(int dir, const char *path, const char *name, int *ret, struct err *err)
{
    CLEANUP(free_ptr) char *file = path_join(path, name);
    CLEANUP(fd_closep) int fd = open_plain(dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    int r;

    if (fd < 0)
        return open_failed(file, err);
    if (fstat(fd, &st) < 0)
        return err_sys(err, "cannot look at '%s'", file);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_DENIED, "'%s' is not a regular file (install the plugin again)",
                       file);
    if ((r = check_owner(fd, file, false, err)) < 0)
        return r;
    *ret = fd;
    fd = -1;
    return ERR_OK;
}

/* The root and each folder of P below it, each from its parent. */
static int open_folder(const struct plugin *p, int *ret, struct err *err)
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
    *ret = dir;
    dir = -1;
    return ERR_OK;
}

/* ---- the record ---- */

static int read_file(int dir, const char *path, const char *name, struct buf *to, struct err *err)
{
    CLEANUP(fd_closep) int fd = -1;
    int r = open_file(dir, path, name, &fd, err);

    return r < 0 ? r : fd_read_all(fd, to, err);
}

/* Is TEXT, which was read through checked folders, what P was made of? */
static bool is_record_of(struct slice text, const struct plugin *p)
{
    json_t *json = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
    struct plugin *again = NULL;
    struct err ignored;
    bool same = false;

    if (json && plugin_from_json(json, &again, &ignored) == ERR_OK) {
        json_t *was = plugin_to_json(p), *is = plugin_to_json(again);

        same = json_equal(was, is);
        json_decref(was);
        json_decref(is);
    }
    plugin_free(again);
    json_decref(json);
    return same;
}

static const struct trust_signer *find_signer(const struct trust_policy *policy, const char *name)
{
    for (size_t i = 0; i < policy->n_signers; i++)
        if (strcmp(policy->signers[i].name, name) == 0)
            return &policy->signers[i];
    return NULL;
}

static int check_signature(const struct trust_policy *policy, const char *name,
                           const struct plugin *p, struct slice record, int dir, const char *path,
                           struct err *err)
{
    CLEANUP(buf_deinit) struct buf signature = BUF_INIT(PLUGIN_RECORD_MAX);
    const struct trust_signer *signer = find_signer(policy, name);
    int r = read_file(dir, path, PLUGIN_SIGNATURE, &signature, err);

    if (r == ERR_NOT_FOUND)
        return err_set(
            err, ERR_DENIED,
            "plugin '%s %s' is not signed, and '%s' wants the signature of '%s' (install "
            "a release that has its .sig file beside it)",
            p->id, p->version, file_of(policy), name);
    if (r < 0)
        return r;
    if (!signer)
        return err_set(err, ERR_DENIED, "'%s' has no key of the signer '%s' (add it to 'signers')",
                       file_of(policy), name);
    if (!ed25519_verify(signer->key, record, buf_slice(&signature)))
        return err_set(
            err, ERR_DENIED,
            "'%s/%s' is no signature of '%s' for this release (install the one that '%s' "
            "signed, or mend the key in '%s')",
            path, PLUGIN_SIGNATURE, name, name, file_of(policy));
    return ERR_OK;
}

static int check_record(const struct trust_policy *policy, const struct plugin *p, int dir,
                        struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(p->root, p->folder);
    CLEANUP(buf_deinit) struct buf record = BUF_INIT(PLUGIN_RECORD_MAX);
    int r = read_file(dir, path, PLUGIN_RECORD, &record, err);

    if (r < 0)
        return r;
    if (!is_record_of(buf_slice(&record), p))
        return err_set(err, ERR_DENIED,
                       "'%s/%s' is not what it was a moment ago (install the plugin again)", path,
                       PLUGIN_RECORD);
    for (; r == ERR_OK && policy; policy = policy->next) {
        const struct trust_rule *rule;

        r = find_rule(policy, p, &rule, err);
        if (r == ERR_OK && rule && rule->signer)
            r = check_signature(policy, rule->signer, p, buf_slice(&record), dir, path, err);
    }
    return r;
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
    CLEANUP(free_ptr) char *path = path_join(p->root, p->folder);
    CLEANUP(fd_closep) int dir = -1;
    CLEANUP(fd_closep) int file = -1;
    CLEANUP(fd_closep) int copy = -1;
    char sum[TRUST_HEX_SIZE];
    int r;

    if ((r = open_folder(p, &dir, err)) < 0 ||
        (r = open_file(dir, path, p->object, &file, err)) < 0 ||
        (r = check_above(p->root, err)) < 0 || (r = trust_allows(policy, p, err)) < 0 ||
        (r = check_record(policy, p, dir, err)) < 0 ||
        (r = trust_seal(file, p->object, &copy, sum, err)) < 0)
        return r;
    if (strcasecmp(sum, p->sha256) != 0)
        return err_set(
            err, ERR_DENIED,
            "'%s/%s' is not what was installed: its SHA-256 is %.16s…, the record says %.16s… "
            "(install the plugin again)",
            path, p->object, sum, p->sha256);
    *ret = copy;
    copy = -1;
    return ERR_OK;
}
