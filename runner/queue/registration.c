#include "queue/registration.h"

#include "base/arena.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/vec.h"
#include "queue/loose.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sysmacros.h>
#include <sys/stat.h>
#include <unistd.h>

static const char settings_file[] = ".runner";

/* The one that makes it a registration comes last. */
static const char *const files[] = {".runner_migrated", ".credentials_migrated",
                                    ".credentials_rsaparams", ".credentials", settings_file};

struct own {                   /* a registration as it is here */
    struct registration shown; /* first */
    struct arena arena;
    int dir;        /* -1: in memory */
    json_t *memory; /* its documents, by name */
};

static struct own *own_of(struct registration *r)
{
    return (struct own *)r;
}

static const struct own *own_of_const(const struct registration *r)
{
    return (const struct own *)r;
}

const char *registration_kind_name(enum registration_kind kind)
{
    return kind == REGISTRATION_GITEA ? "gitea" : "github";
}

/* ---- files ---- */

static int check_safe(int fd, const char *path, const char *name, struct err *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_sys(err, "cannot look at '%s/%s'", path, name);
    if ((st.st_uid != getuid() && st.st_uid != 0) || (st.st_mode & 022))
        return err_set(err, ERR_DENIED,
                       "'%s%s%s' can be written by others: it has to be this user's or root's "
                       "(chown), and nobody else's to write (chmod go-w)",
                       path, *name ? "/" : "", name);
    return ERR_OK;
}

/* ERR, what is wrong with the file NAME, gets the file in front and the way out behind. */
static int broken(const char *path, const char *name, struct err *err)
{
    struct err why = *err;

    if (!path)
        return err_set(err, why.code,
                       "the just-in-time configuration: '%s': %.120s: have a new one made "
                       "('generate-jitconfig')",
                       name, why.text);
    return err_set(err, why.code,
                   "'%.90s/%s': %.60s: have it back from a copy, or register this machine anew "
                   "('ostler unregister --local' first)",
                   path, name, why.text);
}

int registration_broken(const struct registration *r, const char *name, struct err *err)
{
    return broken(r->path, name, err);
}

static int open_folder(const char *path, int *ret, struct err *err)
{
    CLEANUP(fd_closep) int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir < 0)
        return err_sys(err, "cannot open the folder '%s'", path);
    int r = check_safe(dir, path, "", err);
    if (r < 0)
        return r;
    *ret = dir;
    dir = -1;
    return ERR_OK;
}

static void wipe(struct buf *b)
{
    explicit_bzero(b->ptr, b->len);
    buf_deinit(b);
}

static int read_file(int dir, const char *path, const char *name, json_t **ret, struct err *err)
{
    CLEANUP(fd_closep) int fd = -1;
    CLEANUP(wipe) struct buf text = BUF_INIT(REGISTRATION_FILE_MAX);
    int r = path_open(dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &fd, err);

    if (r == ERR_DENIED)
        return err_set(err, r,
                       "'%s/%s' cannot be read: %s: only the user that registered this machine may "
                       "(or chown it)",
                       path, name, strerror(err->sys));
    if (r == ERR_NOT_FOUND) {
        err_set(err, r, "it is not there");
        return broken(path, name, err);
    }
    if (r < 0)
        return err_in(err, "'%s'", path);
    r = check_safe(fd, path, name, err);
    if (r < 0)
        return r;
    r = fd_read_all(fd, &text, err);
    if (r == ERR_OK)
        r = loose_parse(buf_slice(&text), ret, err);
    return r < 0 ? broken(path, name, err) : r;
}

/* GitHub's own program writes a byte order mark; act_runner cannot read one. */
static int write_file(int dir, const char *name, enum registration_kind kind,
                      const json_t *document, struct err *err)
{
    CLEANUP(wipe) struct buf text = BUF_INIT(REGISTRATION_FILE_MAX);
    char *plain = json_dumps(document, JSON_INDENT(2) | JSON_ENCODE_ANY);

    if (!plain)
        BUG("a document that is none");
    if (kind == REGISTRATION_GITHUB)
        buf_add_str(&text, "\xEF\xBB\xBF");
    buf_add_str(&text, plain);
    explicit_bzero(plain, strlen(plain));
    free(plain);
    int r = buf_check(&text, name, err);
    return r < 0 ? r : path_write(dir, name, buf_slice(&text), 0600, err);
}

int registration_read(const struct registration *r, const char *name, json_t **ret, struct err *err)
{
    const struct own *o = own_of_const(r);

    if (o->dir >= 0)
        return read_file(o->dir, r->path, name, ret, err);
    json_t *found = json_object_get(o->memory, name);
    if (!found)
        return err_set(err, ERR_NOT_FOUND, "the configuration of '%s' has no '%s'", r->id, name);
    *ret = json_deep_copy(found); /* whoever wipes theirs does not wipe ours */
    return ERR_OK;
}

int registration_write(struct registration *r, const char *name, const json_t *document,
                       struct err *err)
{
    struct own *o = own_of(r);

    if (o->dir >= 0) {
        int failed = write_file(o->dir, name, r->kind, document, err);
        return failed < 0 ? err_in(err, "'%s'", r->path) : failed;
    }
    json_object_set_new(o->memory, name, json_deep_copy(document));
    return ERR_OK;
}

/* ---- reading one ---- */

static const char *text_of(struct own *o, const json_t *settings, const char *name)
{
    return arena_str(&o->arena, slice_of(loose_text(settings, name)));
}

static const char *const *labels_of(struct own *o, const json_t *settings)
{
    const json_t *list = loose_find(settings, "labels");
    size_t n = 0, i;
    json_t *one;
    const char **labels = arena_array(&o->arena, json_array_size(list) + 1, sizeof *labels);

    json_array_foreach (list, i, one) {
        if (json_is_string(one))
            labels[n++] = arena_str(&o->arena, slice_of(json_string_value(one)));
    }
    return labels;
}

static int take_kind(struct own *o, const json_t *settings, struct err *err)
{
    static const char *const of_github[] = {"agentId", "gitHubUrl", "serverUrl", "serverUrlV2"};

    if (loose_find(settings, "uuid") && loose_find(settings, "address")) {
        o->shown.kind = REGISTRATION_GITEA;
        return ERR_OK;
    }
    for (size_t i = 0; i < COUNT_OF(of_github); i++) {
        if (loose_find(settings, of_github[i])) {
            o->shown.kind = REGISTRATION_GITHUB;
            return ERR_OK;
        }
    }
    (void)err_set(err, ERR_INVALID, "it is of neither GitHub's runner nor Gitea's");
    return broken(o->shown.path, settings_file, err);
}

static int take_settings(struct own *o, struct err *err)
{
    CLEANUP(loose_wipep) json_t *settings = NULL; /* Gitea's holds its token */
    int r = registration_read(&o->shown, settings_file, &settings, err);

    if (r == ERR_OK)
        r = take_kind(o, settings, err);
    if (r < 0)
        return r;
    struct registration *p = &o->shown;
    bool gitea = p->kind == REGISTRATION_GITEA;
    p->name = text_of(o, settings, gitea ? "name" : "agentName");
    p->url = text_of(o, settings, gitea ? "address" : "gitHubUrl");
    p->labels = labels_of(o, settings);
    p->ephemeral = loose_bool(settings, "ephemeral", false);
    p->capacity = 1;
    int64_t capacity = gitea ? loose_int(settings, "capacity", 1) : 1;
    if (capacity < 1 || capacity > REGISTRATION_CAPACITY_MAX)
        return err_set(err, ERR_INVALID, "'%s%s%s': 'capacity' is a number from 1 to %d",
                       p->path ? p->path : "", p->path ? "/" : "", settings_file,
                       REGISTRATION_CAPACITY_MAX);
    p->capacity = (int)capacity;
    return ERR_OK;
}

static struct own *own_new(void)
{
    struct own *o = mem_new(sizeof *o);

    o->dir = -1;
    return o;
}

int registration_load(const char *path, struct registration **ret, struct err *err)
{
    CLEANUP(free_ptr) char *whole = realpath(path, NULL);

    if (!whole)
        return err_sys(err, "cannot open the folder '%s'", path);
    struct own *o = own_new();
    o->shown.path = arena_str(&o->arena, slice_of(whole));
    o->shown.id = path_base(o->shown.path);
    int r = open_folder(whole, &o->dir, err);
    if (r == ERR_OK)
        r = take_settings(o, err);
    if (r < 0) {
        registration_free(&o->shown);
        return r;
    }
    *ret = &o->shown;
    return ERR_OK;
}

int registration_memory(const char *id, json_t *take_files, struct registration **ret,
                        struct err *err)
{
    struct own *o = own_new();

    o->memory = take_files;
    o->shown.id = arena_str(&o->arena, slice_of(id));
    int r = take_settings(o, err);
    if (r < 0) {
        registration_free(&o->shown);
        return r;
    }
    *ret = &o->shown;
    return ERR_OK;
}

struct registration *registration_free(struct registration *r)
{
    if (r) {
        struct own *o = own_of(r);

        fd_closep(&o->dir);
        loose_wipe(o->memory);
        arena_deinit(&o->arena);
        free(o);
    }
    return NULL;
}

/* Who has locked the folder DIR, as the kernel tells it; 0: it does not. */
static long holder_of(int dir)
{
    FILE *locks = fopen("/proc/locks", "re");
    struct stat st;
    char line[256];
    long found = 0;

    for (bool known = fstat(dir, &st) == 0; known && locks && fgets(line, sizeof line, locks);) {
        unsigned long inode;
        unsigned devices[2];
        long pid;

        if (sscanf(line, "%*d: FLOCK %*s %*s %ld %x:%x:%lu", &pid, &devices[0], &devices[1],
                   &inode) == 4 &&
            inode == st.st_ino && devices[0] == major(st.st_dev) && devices[1] == minor(st.st_dev))
            found = pid;
    }
    if (locks)
        fclose(locks);
    return found;
}

static int lock(int dir, const char *path, struct err *err)
{
    if (flock(dir, LOCK_EX | LOCK_NB) == 0)
        return ERR_OK;
    if (errno != EWOULDBLOCK)
        return err_sys(err, "cannot lock '%s'", path);
    long pid = holder_of(dir);
    char who[64] = "another listener";
    if (pid > 0)
        snprintf(who, sizeof who, "another listener, process %ld,", pid);
    return err_set(err, ERR_DENIED,
                   "%s has the registration '%s': stop that one, or register this machine once "
                   "more under another name",
                   who, path);
}

int registration_lock(struct registration *r, struct err *err)
{
    return own_of(r)->dir < 0 ? ERR_OK : lock(own_of(r)->dir, r->path, err);
}

static int remove_files(int dir, const char *path, struct err *err)
{
    int failed = ERR_OK;

    for (size_t i = 0; i < COUNT_OF(files); i++)
        if (unlinkat(dir, files[i], 0) < 0 && errno != ENOENT && failed == ERR_OK)
            failed = err_sys(err, "cannot remove '%s/%s'", path, files[i]);
    if (failed == ERR_OK)
        (void)rmdir(path); /* what else lies there is not ours */
    return failed;
}

int registration_remove(struct registration *r, struct err *err)
{
    struct own *o = own_of(r);

    if (o->dir >= 0)
        return remove_files(o->dir, r->path, err);
    loose_wipe(o->memory);
    o->memory = json_object();
    return ERR_OK;
}

int registration_discard(const char *path, struct err *err)
{
    CLEANUP(fd_closep) int dir = -1;
    int r = open_folder(path, &dir, err);

    if (r == ERR_OK)
        r = lock(dir, path, err);
    return r < 0 ? r : remove_files(dir, path, err);
}

/* ---- many of them ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_one(const char *path)
{
    CLEANUP(free_ptr) char *file = path_join(path, settings_file);

    return access(file, F_OK) == 0;
}

static void drop_paths(void *paths)
{
    for (char **at = *(char ***)paths; at && *at; at++)
        free(*at);
    free(*(char ***)paths);
}

/* Texts behind their table, so that one free() releases all. */
static char **in_one_piece(char *const *paths, size_t n)
{
    size_t size = (n + 1) * sizeof *paths;

    for (size_t i = 0; i < n; i++)
        size += strlen(paths[i]) + 1;
    char **table = mem_new(size);
    char *to = (char *)(table + n + 1);
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(paths[i]) + 1;

        table[i] = memcpy(to, paths[i], len);
        to += len;
    }
    return table;
}

int registration_list(const char *folder, char ***ret, struct err *err)
{
    CLEANUP(fd_closep) int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP(drop_paths) char **paths = mem_new((REGISTRATIONS_MAX + 2) * sizeof *paths);
    size_t n = 0;

    if (dir < 0)
        return err_sys(err, "cannot open the folder '%s'", folder);
    if (is_one(folder))
        paths[n++] = mem_dup(folder, strlen(folder));
    size_t own = n;
    DIR *list = path_list(dir);
    for (struct dirent *e; list && n <= REGISTRATIONS_MAX && (e = readdir(list));) {
        char *path = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0
                         ? NULL
                         : path_join(folder, e->d_name);

        if (path && is_one(path))
            paths[n++] = path;
        else
            free(path);
    }
    if (list)
        closedir(list);
    if (n > REGISTRATIONS_MAX)
        return err_set(err, ERR_LIMIT, "'%s' holds more than %d registrations", folder,
                       REGISTRATIONS_MAX);
    qsort(paths + own, n - own, sizeof *paths, by_name);
    *ret = in_one_piece(paths, n);
    return ERR_OK;
}

/* ---- making one ---- */

int registration_prepare(const char *path, struct err *err)
{
    CLEANUP(fd_closep) int dir = -1;
    int r = path_mkdirs(AT_FDCWD, path, 0700, err);

    if (r == ERR_OK)
        r = open_folder(path, &dir, err);
    if (r < 0)
        return r;
    if (faccessat(dir, settings_file, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return err_set(err, ERR_DENIED,
                       "'%s' holds a registration already: 'ostler unregister --dir %s' first, or "
                       "choose another folder with --dir",
                       path, path);
    if (faccessat(dir, ".", W_OK | X_OK, AT_EACCESS) < 0)
        return err_sys(err, "cannot write to the folder '%s'", path);
    return ERR_OK;
}

static int write_all(int dir, enum registration_kind kind, const json_t *documents, struct err *err)
{
    int r = ERR_OK;

    for (size_t i = 0; r == ERR_OK && i < COUNT_OF(files); i++) {
        const json_t *document = json_object_get(documents, files[i]);

        if (document)
            r = write_file(dir, files[i], kind, document, err);
    }
    for (size_t i = 0; r < 0 && i < COUNT_OF(files); i++)
        (void)unlinkat(dir, files[i], 0); /* the first error is the one to tell */
    return r;
}

int registration_create(const char *path, enum registration_kind kind, const json_t *documents,
                        struct err *err)
{
    CLEANUP(fd_closep) int dir = -1;
    int r = open_folder(path, &dir, err);

    if (r == ERR_OK)
        r = write_all(dir, kind, documents, err);
    return r < 0 ? err_in(err, "'%s'", path) : r;
}
