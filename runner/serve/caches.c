#include "serve/caches.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "io/digest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum {
    ENTRY_MAX = 32 << 10,
    ENTRIES_MAX = 100000,
    STALE_MS = 5 * 60 * 1000, /* an upload that stood still for so long holds nobody up */
    FILE_SIZE = 64 + 5 + 1,   /* "<hex>.json" */
};

struct entry {
    struct cache_entry base;
    char file[FILE_SIZE];
    int64_t used_ns;
    ino_t inode; /* another one: a broken entry was replaced */
    bool seen;   /* in the round under way */
};

struct caches {
    int dir, entries, blobs, lock;
    int staging; /* the folder of all runs' */
    char *run;
    struct stage *stage;
    int64_t budget;
    struct strmap known; /* file name: place in the list */
    VEC(struct entry *) list;
};

/* ---- entries ---- */

static struct entry *entry_free(struct entry *e)
{
    free(e->base.key);
    free(e->base.version);
    free(e->base.scope);
    free(e->base.digest);
    free(e->base.created);
    free(e);
    return NULL;
}

static char *copy(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));
    return text ? mem_dup(text, strlen(text)) : NULL;
}

static bool is_digest(const char *text)
{
    return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

static struct entry *entry_of(const json_t *json, const char *file)
{
    struct entry *e = mem_new(sizeof *e);

    e->base = (struct cache_entry){
        .key = copy(json, "key"),
        .version = copy(json, "version"),
        .scope = copy(json, "scope"),
        .digest = copy(json, "sha256"),
        .created = copy(json, "created"),
        .created_ns = json_integer_value(json_object_get(json, "created_ns")),
        .size = json_integer_value(json_object_get(json, "size")),
    };
    snprintf(e->file, sizeof e->file, "%s", file);
    if (!e->base.key || !e->base.version || !e->base.scope || !e->base.created || !e->base.digest ||
        !is_digest(e->base.digest))
        return entry_free(e);
    return e;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
}

/* Entries that cannot be told apart share a file. */
static void entry_file(const char *key, const char *version, const char *scope, char ret[FILE_SIZE])
{
    const char *const parts[] = {key, version, scope};
    unsigned char digest[DIGEST_SIZE];
    char hex[DIGEST_HEX_SIZE];
    struct digest *d = digest_new();

    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        for (const char *c = parts[i]; *c; c++) {
            char one = i == 0 ? lower(*c) : *c;

            digest_add(d, slice_make(&one, 1));
        }
        digest_add(d, slice_make("", 1));
    }
    digest_finish(d, digest);
    digest_hex(digest, hex);
    digest_free(d);
    snprintf(ret, FILE_SIZE, "%s.json", hex);
}

static struct entry *load_entry(const struct caches *c, const char *file)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(ENTRY_MAX);
    struct err ignored = ERR_INIT; /* a broken entry is none */

    if (path_read(c->entries, file, &text, &ignored) < 0)
        return NULL;
    json_t *json = json_loadb(text.ptr, text.len, 0, NULL);
    struct entry *e = entry_of(json, file);
    json_decref(json);
    return e;
}

static void index_list(struct caches *c)
{
    strmap_deinit(&c->known);
    c->known = (struct strmap)STRMAP_INIT;
    for (size_t i = 0; i < c->list.len; i++)
        strmap_set(&c->known, slice_of(c->list.ptr[i]->file),
                   slice_make((const char *)&i, sizeof i));
}

static struct entry *known_entry(const struct caches *c, const char *file)
{
    struct slice place;
    size_t at;

    if (!strmap_find(&c->known, slice_of(file), &place))
        return NULL;
    memcpy(&at, place.ptr, sizeof at);
    return c->list.ptr[at];
}

/* Looks at what other runs have changed. A file never changes, so each is read once. */
static void refresh(struct caches *c)
{
    DIR *list = path_list(c->entries);
    size_t kept = 0;

    if (!list)
        return;
    VEC_EACH (e, &c->list)
        (*e)->seen = false;
    for (const struct dirent *d; (d = readdir(list));) {
        struct stat st;

        if (strlen(d->d_name) != FILE_SIZE - 1 ||
            fstatat(c->entries, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        struct entry *e = known_entry(c, d->d_name);
        if (e && e->inode != st.st_ino)
            e = NULL;
        if (!e && c->list.len < ENTRIES_MAX && (e = load_entry(c, d->d_name)))
            vec_push(&c->list, e);
        if (e) {
            e->seen = true;
            e->inode = st.st_ino;
            e->used_ns = st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
        }
    }
    closedir(list);
    for (size_t i = 0; i < c->list.len; i++) {
        if (c->list.ptr[i]->seen)
            c->list.ptr[kept++] = c->list.ptr[i];
        else
            entry_free(c->list.ptr[i]);
    }
    c->list.len = kept;
    index_list(c);
}

/* ---- opening ---- */

static int open_below(int dir, const char *name, int *ret, struct err *err)
{
    int r = path_mkdirs(dir, name, 0700, err);

    if (r < 0)
        return r;
    *ret = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return *ret < 0 ? err_sys(err, "cannot open the cache's folder '%s'", name) : ERR_OK;
}

/* What a run was uploading that nobody serves any more. A run's server may be between two lives: then it loses an upload,
 * which its client does again or reports. */
static void sweep_staging(struct caches *c)
{
    DIR *list = path_list(c->staging);

    for (const struct dirent *d; list && (d = readdir(list));) {
        CLEANUP(fd_closep) int dir = -1;
        struct err ignored = ERR_INIT;

        if (d->d_name[0] == '.' || strcmp(d->d_name, c->run) == 0)
            continue;
        dir = openat(c->staging, d->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (dir >= 0 && flock(dir, LOCK_EX | LOCK_NB) == 0)
            (void)!path_remove(c->staging, d->d_name, &ignored);
    }
    if (list)
        closedir(list);
}

static int open_all(struct caches *c, int dir, struct err *err)
{
    int mine = -1;
    int r = open_below(dir, "entries", &c->entries, err);

    if (r == ERR_OK)
        r = open_below(dir, "blobs", &c->blobs, err);
    if (r == ERR_OK)
        r = open_below(dir, "staging", &c->staging, err);
    if (r == ERR_OK)
        r = open_below(c->staging, c->run, &mine, err);
    if (r == ERR_OK && flock(mine, LOCK_EX | LOCK_NB) < 0)
        r = err_sys(err, "another server is at work on the caches of this run");
    if (r == ERR_OK)
        r = stage_open(mine, &c->stage, err);
    if (r < 0) {
        fd_closep(&mine);
        return r;
    }
    c->lock = openat(dir, ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (c->lock < 0)
        return err_sys(err, "cannot open the lock of the cache");
    return ERR_OK;
}

int caches_open(int take_dir, const char *run, int64_t budget, struct caches **ret, struct err *err)
{
    struct caches *c = mem_new(sizeof *c);

    *c = (struct caches){.dir = -1,
                         .entries = -1,
                         .blobs = -1,
                         .lock = -1,
                         .staging = -1,
                         .run = mem_dup(run, strlen(run)),
                         .budget = budget};
    int r = open_all(c, take_dir, err);
    if (r < 0) {
        caches_free(c);
        return r;
    }
    c->dir = take_dir;
    sweep_staging(c);
    *ret = c;
    return ERR_OK;
}

struct caches *caches_free(struct caches *c)
{
    if (!c)
        return NULL;
    VEC_EACH (e, &c->list)
        entry_free(*e);
    vec_deinit(&c->list);
    strmap_deinit(&c->known);
    stage_free(c->stage);
    fd_closep(&c->lock);
    fd_closep(&c->staging);
    fd_closep(&c->blobs);
    fd_closep(&c->entries);
    fd_closep(&c->dir);
    free(c->run);
    free(c);
    return NULL;
}

void caches_close(struct caches *c)
{
    struct err ignored = ERR_INIT; /* the next run removes what is left */

    c->stage = stage_free(c->stage);
    (void)!path_remove(c->staging, c->run, &ignored);
}

int64_t caches_budget(const struct caches *c)
{
    return c->budget;
}

/* ---- finding ---- */

int cache_check_key(struct slice key, struct err *err)
{
    if (!key.len || key.len > CACHE_KEY_MAX)
        return err_set(err, ERR_INVALID, "a cache's key has 1 to %d characters", CACHE_KEY_MAX);
    if (memchr(key.ptr, ',', key.len) || memchr(key.ptr, '\0', key.len))
        return err_set(err, ERR_INVALID, "a cache's key has no comma in it");
    return ERR_OK;
}

static bool has_blob(const struct caches *c, const struct entry *e)
{
    struct stat st;

    return fstatat(c->blobs, e->base.digest, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           st.st_size == e->base.size;
}

static bool matches(const struct entry *e, const char *key, bool exact)
{
    struct slice own = slice_of(e->base.key), wanted = slice_of(key);

    return (exact ? own.len == wanted.len : own.len >= wanted.len) &&
           slice_eq_nocase(slice_head(own, wanted.len), wanted);
}

static struct entry *newest(const struct caches *c, const char *key, bool exact,
                            const char *version, const char *scope)
{
    struct entry *best = NULL;

    VEC_EACH (one, &c->list) {
        struct entry *e = *one;

        if (strcmp(e->base.version, version) == 0 && strcmp(e->base.scope, scope) == 0 &&
            matches(e, key, exact) && (!best || e->base.created_ns > best->base.created_ns) &&
            has_blob(c, e))
            best = e;
    }
    return best;
}

const struct cache_entry *caches_find(struct caches *c, const char *const *keys, size_t n_keys,
                                      const char *version, const char *const *scopes,
                                      size_t n_scopes)
{
    struct entry *found = NULL;

    refresh(c);
    for (size_t s = 0; s < n_scopes && !found; s++)
        for (size_t k = 0; k < n_keys && !found; k++) {
            found = newest(c, keys[k], true, version, scopes[s]);
            if (!found)
                found = newest(c, keys[k], false, version, scopes[s]);
        }
    if (!found)
        return NULL;
    (void)utimensat(c->entries, found->file, NULL, 0); /* it may have gone just now */
    return &found->base;
}

static int by_age(const void *x, const void *y)
{
    const struct cache_entry *a = *(const struct cache_entry *const *)x,
                             *b = *(const struct cache_entry *const *)y;

    return a->created_ns > b->created_ns ? -1 : a->created_ns < b->created_ns;
}

const struct cache_entry **caches_list(struct caches *c, const char *key, size_t *ret_n)
{
    size_t n = 0;

    refresh(c);
    const struct cache_entry **list = mem_new((c->list.len + 1) * sizeof *list);
    VEC_EACH (e, &c->list) {
        if (matches(*e, key, false) && has_blob(c, *e))
            list[n++] = &(*e)->base;
    }
    qsort(list, n, sizeof *list, by_age);
    *ret_n = n;
    return list;
}

int caches_read(const struct caches *c, const char *digest, int *ret, struct err *err)
{
    int fd = is_digest(digest) ? openat(c->blobs, digest, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;

    if (fd < 0)
        return err_set(err, ERR_NOT_FOUND, "the cache has no such entry any more");
    *ret = fd;
    return ERR_OK;
}

/* ---- uploads ---- */

/* Of an upload that an earlier server left, too. */
static const char *about(const struct upload *u, const char *name)
{
    const char *text = json_string_value(json_object_get(u->about, name));
    return text ? text : "";
}

static bool is_for(const struct upload *u, const char *key, const char *version)
{
    return slice_eq_nocase(slice_of(about(u, "key")), slice_of(key)) &&
           strcmp(about(u, "version"), version) == 0;
}

static bool entry_exists(const struct caches *c, const char *key, const char *version,
                         const char *scope)
{
    char file[FILE_SIZE];

    entry_file(key, version, scope, file);
    struct entry *e = load_entry(c, file);
    bool there = e && has_blob(c, e);
    if (e)
        entry_free(e);
    return there;
}

int caches_reserve(struct caches *c, const char *key, const char *version, const char *scope,
                   const char *job, struct upload **ret, struct err *err)
{
    *ret = NULL;
    if (entry_exists(c, key, version, scope))
        return ERR_OK;
    for (struct upload *u = stage_first(c->stage), *next; u; u = next) {
        next = u->next;
        if (!is_for(u, key, version) || strcmp(about(u, "scope"), scope) != 0)
            continue;
        /* its own job asks again: it was started anew */
        if (strcmp(about(u, "job"), job) != 0 && clock_ms() - u->touched_ms < STALE_MS)
            return ERR_OK;
        stage_drop(u);
    }
    return stage_add(c->stage, 1,
                     json_pack("{s:s, s:s, s:s, s:s}", "key", key, "version", version, "scope",
                               scope, "job", job),
                     ret, err);
}

struct upload *caches_upload(struct caches *c, int64_t id)
{
    return stage_find(c->stage, id);
}

struct upload *caches_upload_of(struct caches *c, const char *key, const char *version,
                                const char *job)
{
    for (struct upload *u = stage_first(c->stage); u; u = u->next)
        if (is_for(u, key, version) && strcmp(about(u, "job"), job) == 0)
            return u;
    return NULL;
}

void caches_drop_uploads(struct caches *c, const char *job)
{
    for (struct upload *u = stage_first(c->stage), *next; u; u = next) {
        next = u->next;
        if (strcmp(about(u, "job"), job) == 0)
            stage_drop(u);
    }
}

/* ---- making room; the lock is held ---- */

static int by_use(const void *x, const void *y)
{
    const struct entry *a = *(struct entry *const *)x, *b = *(struct entry *const *)y;

    return a->used_ns < b->used_ns ? -1 : a->used_ns > b->used_ns;
}

static int64_t blobs_size(const struct caches *c)
{
    DIR *list = path_list(c->blobs);
    int64_t size = 0;

    for (const struct dirent *d; list && (d = readdir(list));) {
        struct stat st;

        if (fstatat(c->blobs, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
            size += st.st_size;
    }
    if (list)
        closedir(list);
    return size;
}

static bool is_wanted(const struct caches *c, const char *digest)
{
    VEC_EACH (e, &c->list) {
        if (strcmp((*e)->base.digest, digest) == 0)
            return true;
    }
    return false;
}

/* Blobs that no entry names: their entries went, or a server was killed between the two. */
static void drop_lonely_blobs(const struct caches *c)
{
    DIR *list = path_list(c->blobs);

    for (const struct dirent *d; list && (d = readdir(list));)
        if (is_digest(d->d_name) && !is_wanted(c, d->d_name))
            (void)unlinkat(c->blobs, d->d_name, 0);
    if (list)
        closedir(list);
}

/* Takes out what was not used for the longest time; the entry KEEP stays. */
static void make_room(struct caches *c, const char *keep)
{
    refresh(c);
    drop_lonely_blobs(c);
    int64_t size = blobs_size(c);
    if (size <= c->budget)
        return;
    qsort(c->list.ptr, c->list.len, sizeof *c->list.ptr, by_use);
    for (size_t i = 0; i < c->list.len && size > c->budget;) {
        struct entry *e = c->list.ptr[i];

        if (strcmp(e->file, keep) == 0) {
            i++;
            continue;
        }
        (void)unlinkat(c->entries, e->file, 0);
        vec_remove(&c->list, i);
        if (!is_wanted(c, e->base.digest)) {
            (void)unlinkat(c->blobs, e->base.digest, 0);
            size -= e->base.size;
        }
        entry_free(e);
    }
    index_list(c);
}

/* ---- finishing ---- */

static int write_entry(const struct caches *c, const struct upload *u, const char *file,
                       struct err *err)
{
    struct timespec now;
    struct tm tm;
    char created[32];

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", &tm);
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "key", about(u, "key"), "version",
                  about(u, "version"), "scope", about(u, "scope"), "sha256", u->digest, "created",
                  created, "created_ns", (json_int_t)(now.tv_sec * 1000000000 + now.tv_nsec),
                  "size", (json_int_t)u->size);
    CLEANUP(free_ptr) char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return path_write(c->entries, file, slice_of(text), 0600, err);
}

/* The blob first: an entry never names one that is not there. */
static int land(struct caches *c, struct upload *u, struct err *err)
{
    char file[FILE_SIZE];
    int r = ERR_OK;

    if (entry_exists(c, about(u, "key"), about(u, "version"), about(u, "scope")))
        return err_set(err, ERR_DENIED, "another run has saved '%s' in the meantime",
                       about(u, "key"));
    entry_file(about(u, "key"), about(u, "version"), about(u, "scope"), file);
    r = upload_move(u, c->blobs, u->digest, err); /* what is there already has the same bytes */
    if (r == ERR_OK)
        r = write_entry(c, u, file, err);
    if (r == ERR_OK)
        make_room(c, file);
    return r;
}

int caches_finish(struct caches *c, struct upload *u, struct err *err)
{
    int r;

    if (u->size > c->budget) {
        r = err_set(err, ERR_LIMIT,
                    "the cache '%.100s' has %lld bytes, and all of a repository's may have %lld",
                    about(u, "key"), (long long)u->size, (long long)c->budget);
    } else {
        if (flock(c->lock, LOCK_EX) < 0)
            return err_sys(err, "cannot lock the cache");
        r = land(c, u, err);
        (void)flock(c->lock, LOCK_UN); /* closing would do it as well */
    }
    if (r == ERR_OK || r == ERR_LIMIT || r == ERR_DENIED)
        stage_drop(u);
    return r;
}
