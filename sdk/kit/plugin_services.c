/* The tables of ostler/ext.h for tests of plugins. */
#include "kit/plugin_host_own.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "lang/glob.h"
#include "sandbox/hash.h"
#include "sandbox/walk.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <strings.h>

struct kit_cache {
    char *key, *paths; /* the patterns, one a line: they tell versions apart */
    int64_t size;
};

struct kit_file {
    char *path, *content;
    size_t size;
};

struct kit_artifact {
    int64_t id, size;
    char *name, *digest, *came;
    bool raw;
    VEC(struct kit_file) files;
};

/* ---- what every service does first ---- */

static const char *find_pair(const pairs *list, const char *name)
{
    for (size_t i = list->len; i > 0; i--)
        if (strcmp(list->ptr[i - 1].name, name) == 0)
            return list->ptr[i - 1].value;
    return NULL;
}

/* Enters, and records LINE, which is taken. What it returns below 0 is the answer. */
static ost_status begin(struct plugin_host *h, const char *service, char *line)
{
    ost_status r = kit_enter_fallible(h);
    const char *refusal = find_pair(&h->refusals, service);
    char *text;

    vec_push(&h->asked, line);
    if (r == OST_OK && h->cancelled)
        return kit_refuse(h, OST_E_CANCELLED, "the job was cancelled");
    if (r < 0 || !refusal)
        return r;
    r = (ost_status)strtol(refusal, &text, 10);
    return r < 0 ? kit_refuse(h, r, text + 1) : OST_OK;
}

static void add_list(struct buf *line, const char *name, const char *const *list)
{
    buf_printf(line, " %s=", name);
    for (size_t i = 0; list && list[i]; i++)
        buf_printf(line, "%s%s", i ? "," : "", list[i]);
}

/* ---- files ---- */

struct found {
    struct plugin_host *h;
    VEC(const char *) paths;
};

static int on_found(void *ctx, const char *path, struct err *err)
{
    struct found *f = ctx;

    (void)err;
    vec_push(&f->paths, (const char *)kit_keep(f->h, kit_copy(path)));
    return ERR_OK;
}

/* *PATHS and *N become what is in F, which is emptied. */
static void give(struct found *f, const char *const **paths, size_t *n)
{
    *n = f->paths.len;
    vec_push(&f->paths, NULL);
    *paths = kit_keep(f->h, f->paths.ptr);
}

static int read_patterns(struct plugin_host *h, const char *const *patterns, struct glob *glob,
                         struct err *err)
{
    CLEANUP(buf_deinit) struct buf lines = BUF_INIT(1 << 20);

    for (size_t i = 0; patterns && patterns[i]; i++)
        buf_printf(&lines, "%s\n", patterns[i]);
    return glob_add(glob, buf_slice(&lines), h->dirs[OST_DIR_WORKSPACE], h->dirs[OST_DIR_HOME],
                    err);
}

static int find(struct plugin_host *h, const char *const *patterns, uint32_t flags,
                struct found *to, struct err *err)
{
    CLEANUP(glob_deinit) struct glob glob = {.alone = !(flags & OST_GLOB_INSIDE)};
    CLEANUP(fd_closep) int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    const struct walk_spec walk = {.root = root,
                                   .glob = &glob,
                                   .follow = flags & OST_GLOB_LINKS,
                                   .folders = flags & OST_GLOB_FOLDERS,
                                   .no_hidden = flags & OST_GLOB_NO_HIDDEN,
                                   .deadline_ms = CLOCK_NEVER,
                                   .found = on_found,
                                   .ctx = to};
    int r = read_patterns(h, patterns, &glob, err);

    to->h = h;
    return r < 0 ? r : walk_files(&walk, err);
}

static char *ask_patterns(const char *service, const char *const *patterns)
{
    struct buf line = BUF_INIT(1 << 20);

    buf_add_str(&line, service);
    add_list(&line, "patterns", patterns);
    return buf_take(&line);
}

static ost_status files_glob(struct ost_step *step, const char *const *patterns, uint32_t flags,
                             const char *const **paths, size_t *n)
{
    struct plugin_host *h = kit_host(step);
    struct found found = {.h = h};
    struct err err = ERR_INIT;
    ost_status r = begin(h, "files.glob", ask_patterns("files.glob", patterns));

    if (r == OST_OK && find(h, patterns, flags, &found, &err) < 0) {
        r = kit_refuse(h, err.code == ERR_INVALID ? OST_E_INVALID : OST_E_IO, err.text);
        vec_deinit(&found.paths);
    }
    if (r == OST_OK)
        give(&found, paths, n);
    kit_leave(h);
    return r;
}

static ost_status files_roots(struct ost_step *step, const char *const *patterns,
                              const char *const **paths, size_t *n)
{
    struct plugin_host *h = kit_host(step);
    CLEANUP(glob_deinit) struct glob glob = GLOB_INIT;
    struct found found = {.h = h};
    struct err err = ERR_INIT;
    ost_status r = begin(h, "files.roots", ask_patterns("files.roots", patterns));

    if (r == OST_OK && read_patterns(h, patterns, &glob, &err) < 0)
        r = kit_refuse(h, OST_E_INVALID, err.text);
    if (r == OST_OK) {
        VEC_EACH (root, &glob.roots)
            (void)on_found(&found, *root, &err);
        give(&found, paths, n);
    }
    kit_leave(h);
    return r;
}

static ost_status files_hash(struct ost_step *step, const char *const *patterns, const char **hex)
{
    struct plugin_host *h = kit_host(step);
    CLEANUP(fd_closep) int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    CLEANUP(arena_deinit) struct arena arena = ARENA_INIT;
    VEC(struct slice) list = {0};
    struct slice digest;
    struct err err = ERR_INIT;
    ost_status r = begin(h, "files.hash", ask_patterns("files.hash", patterns));

    for (size_t i = 0; patterns && patterns[i]; i++)
        vec_push(&list, slice_of(patterns[i]));
    if (r == OST_OK && hash_job_files(root, h->dirs[OST_DIR_WORKSPACE], h->dirs[OST_DIR_HOME],
                                      list.ptr, list.len, &arena, &digest, &err) < 0)
        r = kit_refuse(h, err.code == ERR_INVALID ? OST_E_INVALID : OST_E_IO, err.text);
    if (r == OST_OK)
        *hex = kit_keep(h, mem_dup(digest.ptr, digest.len));
    vec_deinit(&list);
    kit_leave(h);
    return r;
}

static const struct ost_files_v1 files = {sizeof files, files_glob, files_roots, files_hash};

/* ---- caches ---- */

static char *ask_cache(const char *service, const struct ost_cache_query *q)
{
    struct buf line = BUF_INIT(1 << 20);

    buf_add_str(&line, service);
    add_list(&line, "key", q->keys);
    add_list(&line, "paths", q->paths);
    buf_printf(&line, "%s%s", q->flags & OST_CACHE_LOOKUP ? " lookup" : "",
               q->flags & OST_CACHE_CROSS_OS ? " cross-os" : "");
    return buf_take(&line);
}

static char *lines_of(const char *const *list)
{
    struct buf text = BUF_INIT(1 << 20);

    for (size_t i = 0; list[i]; i++)
        buf_printf(&text, "%s%s", i ? "\n" : "", list[i]);
    return buf_take(&text);
}

/* The newest one of these paths whose key is KEY or, with BEGINNING, begins so. */
static const struct kit_cache *find_cache(const struct plugin_host *h, const char *key,
                                          const char *paths, bool beginning)
{
    for (size_t i = h->caches.len; i > 0; i--) {
        const struct kit_cache *c = h->caches.ptr[i - 1];
        bool same =
            beginning ? strncasecmp(c->key, key, strlen(key)) == 0 : strcasecmp(c->key, key) == 0;

        if (same && strcmp(c->paths, paths) == 0)
            return c;
    }
    return NULL;
}

static void give_cache(struct plugin_host *h, const struct kit_cache *c, bool exact,
                       struct ost_cache_entry *to)
{
    to->exact = exact;
    to->key = c ? kit_keep(h, kit_copy(c->key)) : NULL;
    to->size = c ? c->size : 0;
}

static ost_status cache_restore(struct ost_step *step, const struct ost_cache_query *q,
                                struct ost_cache_entry *ret)
{
    struct plugin_host *h = kit_host(step);
    ost_status r = begin(h, "cache.restore", ask_cache("cache.restore", q));
    CLEANUP(free_ptr) char *paths = lines_of(q->paths);
    const struct kit_cache *c = NULL;

    for (size_t i = 0; !c && q->keys[i]; i++) {
        c = find_cache(h, q->keys[i], paths, false);
        c = c ? c : find_cache(h, q->keys[i], paths, true);
    }
    if (!q->struct_size || !ret || !ret->struct_size || !q->keys[0] || !q->paths[0])
        kit_broken(h, "cache.restore without sizes, a key or a path");
    else if (r == OST_OK)
        give_cache(h, c, c && strcasecmp(c->key, q->keys[0]) == 0, ret);
    kit_leave(h);
    return r;
}

static void add_cache(struct plugin_host *h, const char *key, const char *paths, int64_t size)
{
    struct kit_cache *c = mem_new(sizeof *c);

    *c = (struct kit_cache){kit_copy(key), kit_copy(paths), size};
    vec_push(&h->caches, c);
}

static ost_status cache_save(struct ost_step *step, const struct ost_cache_query *q,
                             struct ost_cache_entry *ret)
{
    struct plugin_host *h = kit_host(step);
    ost_status r = begin(h, "cache.save", ask_cache("cache.save", q));
    CLEANUP(free_ptr) char *paths = lines_of(q->paths);
    struct found found = {.h = h};
    struct err err = ERR_INIT;

    if (!q->struct_size || !q->keys[0] || !q->paths[0])
        kit_broken(h, "cache.save without a size, a key or a path");
    else if (r == OST_OK && find_cache(h, q->keys[0], paths, false))
        r = kit_refuse(h, OST_E_DENIED, "the key is taken");
    else if (r == OST_OK && find(h, q->paths, OST_GLOB_FOLDERS, &found, &err) < 0)
        r = kit_refuse(h, OST_E_INVALID, err.text);
    else if (r == OST_OK && !found.paths.len)
        r = kit_refuse(h, OST_E_NOT_FOUND, "no such files");
    else if (r == OST_OK) {
        add_cache(h, q->keys[0], paths, 1 << 20);
        if (ret)
            give_cache(h, h->caches.ptr[h->caches.len - 1], true, ret);
    }
    vec_deinit(&found.paths);
    kit_leave(h);
    return r;
}

static const struct ost_cache_v1 cache = {sizeof cache, cache_restore, cache_save};

/* ---- artifacts ---- */

static struct kit_artifact *find_artifact(const struct plugin_host *h, const char *name, int64_t id)
{
    VEC_EACH (a, &h->artifacts)
        if (name ? strcmp((*a)->name, name) == 0 : (*a)->id == id)
            return *a;
    return NULL;
}

static void free_artifact(struct kit_artifact *a)
{
    VEC_EACH (file, &a->files) {
        free(file->path);
        free(file->content);
    }
    vec_deinit(&a->files);
    free(a->name);
    free(a->digest);
    free(a->came);
    free(a);
}

static struct kit_artifact *add_artifact(struct plugin_host *h, const char *name, bool raw)
{
    struct kit_artifact *a = mem_new(sizeof *a);
    char digest[65];

    a->id = ++h->last_id;
    snprintf(digest, sizeof digest, "%064llx", (long long)a->id);
    a->name = kit_copy(name);
    a->digest = kit_copy(digest);
    a->came = kit_copy(digest);
    a->raw = raw;
    vec_push(&h->artifacts, a);
    return a;
}

static void add_file(struct kit_artifact *a, const char *path, struct slice content)
{
    vec_push(&a->files,
             (struct kit_file){kit_copy(path), mem_dup(content.ptr, content.len), content.len});
    a->size += (int64_t)content.len;
}

static void give_artifact(struct plugin_host *h, const struct kit_artifact *a, const char *digest,
                          struct ost_artifact *to)
{
    *to = (struct ost_artifact){
        .struct_size = to->struct_size,
        .zip = !a->raw,
        .id = a->id,
        .size = a->size,
        .created = 1767225600 + a->id,
        .name = kit_keep(h, kit_copy(a->name)),
        .digest = kit_keep(h, kit_copy(digest)),
    };
}

static ost_status artifacts_list(struct ost_step *step, const struct ost_artifact *const **items,
                                 size_t *n)
{
    struct plugin_host *h = kit_host(step);
    ost_status r = begin(h, "artifacts.list", kit_copy("artifacts.list"));

    if (r == OST_OK) {
        const struct ost_artifact **list =
            kit_keep(h, mem_new((h->artifacts.len + 1) * sizeof *list));

        for (size_t i = 0; i < h->artifacts.len; i++) {
            struct ost_artifact *one = kit_keep(h, mem_new(sizeof *one));
            const struct kit_artifact *a = h->artifacts.ptr[h->artifacts.len - 1 - i];

            one->struct_size = sizeof *one;
            give_artifact(h, a, a->digest, one);
            list[i] = one;
        }
        *items = list;
        *n = h->artifacts.len;
    }
    kit_leave(h);
    return r;
}

static char *ask_upload(const struct ost_artifact_upload *u)
{
    struct buf line = BUF_INIT(16 << 20);

    buf_printf(&line, "artifacts.upload %s root=%s", u->name, u->root);
    add_list(&line, "files", u->files);
    buf_printf(&line, " days=%d level=%d%s", (int)u->days, (int)u->level,
               u->flags & OST_ARTIFACT_RAW ? " raw" : "");
    return buf_take(&line);
}

static ost_status artifacts_upload(struct ost_step *step, const struct ost_artifact_upload *u,
                                   struct ost_artifact *ret)
{
    struct plugin_host *h = kit_host(step);
    ost_status r = begin(h, "artifacts.upload", ask_upload(u));

    if (!u->struct_size || !ret || !ret->struct_size || !u->files[0])
        kit_broken(h, "artifacts.upload without sizes or a file");
    if (r == OST_OK && find_artifact(h, u->name, 0))
        r = kit_refuse(h, OST_E_DENIED, "an artifact with this name already exists");
    if (r == OST_OK) {
        struct kit_artifact *a = add_artifact(h, u->name, u->flags & OST_ARTIFACT_RAW);

        for (size_t i = 0; r == OST_OK && u->files[i]; i++) {
            CLEANUP(buf_deinit) struct buf content = BUF_INIT(64 << 20);
            const char *name = path_below(u->files[i], u->root);
            struct err err = ERR_INIT;

            if (!name || path_read(AT_FDCWD, u->files[i], &content, &err) < 0)
                r = kit_refuse(h, OST_E_IO, name ? err.text : "a file is not below the root");
            else
                add_file(a, name, buf_slice(&content));
        }
        give_artifact(h, a, a->digest, ret);
    }
    kit_leave(h);
    return r;
}

static ost_status write_files(struct plugin_host *h, const struct kit_artifact *a, const char *dir)
{
    struct err err = ERR_INIT;

    VEC_EACH (file, &a->files) {
        CLEANUP(free_ptr) char *path = path_join(dir, file->path);
        char *slash = strrchr(path, '/');

        *slash = '\0';
        int r = path_mkdirs(AT_FDCWD, path, 0755, &err);
        *slash = '/';
        if (r == ERR_OK)
            r = path_write(AT_FDCWD, path, slice_make(file->content, file->size), 0644, &err);
        if (r < 0)
            return kit_refuse(h, OST_E_IO, err.text);
    }
    return OST_OK;
}

static ost_status artifacts_download(struct ost_step *step, const struct ost_artifact_download *d,
                                     struct ost_artifact *ret)
{
    struct plugin_host *h = kit_host(step);
    struct buf line = BUF_INIT(1 << 16);

    buf_printf(&line, "artifacts.download %lld dir=%s%s", (long long)d->id, d->dir,
               d->flags & OST_ARTIFACT_RAW ? " raw" : "");
    ost_status r = begin(h, "artifacts.download", buf_take(&line));
    const struct kit_artifact *a = find_artifact(h, NULL, d->id);

    if (!d->struct_size || !ret || !ret->struct_size)
        kit_broken(h, "artifacts.download without sizes");
    if (r == OST_OK && !a)
        r = kit_refuse(h, OST_E_NOT_FOUND, "there is no such artifact");
    if (r == OST_OK)
        r = write_files(h, a, d->dir);
    if (r == OST_OK)
        give_artifact(h, a, a->came, ret);
    kit_leave(h);
    return r;
}

static ost_status artifacts_remove(struct ost_step *step, const char *name)
{
    struct plugin_host *h = kit_host(step);
    struct buf line = BUF_INIT(1 << 16);

    buf_printf(&line, "artifacts.remove %s", name);
    ost_status r = begin(h, "artifacts.remove", buf_take(&line));
    struct kit_artifact *a = find_artifact(h, name, 0);

    if (r == OST_OK && !a)
        r = kit_refuse(h, OST_E_NOT_FOUND, "there is no such artifact");
    for (size_t i = 0; r == OST_OK && i < h->artifacts.len; i++)
        if (h->artifacts.ptr[i] == a) {
            free_artifact(a);
            memmove(&h->artifacts.ptr[i], &h->artifacts.ptr[i + 1],
                    (--h->artifacts.len - i) * sizeof(struct kit_artifact *));
        }
    kit_leave(h);
    return r;
}

static const struct ost_artifacts_v1 artifacts = {
    sizeof artifacts, artifacts_list, artifacts_upload, artifacts_download, artifacts_remove};

/* ---- which there are ---- */

const void *kit_service(struct plugin_host *h, const char *id)
{
    const struct {
        const char *id;
        const void *table;
    } services[] = {
        {OST_EXT_FILES, &files}, {OST_EXT_CACHE, &cache}, {OST_EXT_ARTIFACTS, &artifacts}};

    VEC_EACH (name, &h->absent)
        if (strcmp(*name, id) == 0)
            return NULL;
    for (size_t i = 0; i < COUNT_OF(services); i++)
        if (strcmp(services[i].id, id) == 0)
            return services[i].table;
    return NULL;
}

void kit_services_deinit(struct plugin_host *h)
{
    VEC_EACH (c, &h->caches) {
        free((*c)->key);
        free((*c)->paths);
        free(*c);
    }
    VEC_EACH (a, &h->artifacts)
        free_artifact(*a);
    vec_deinit(&h->caches);
    vec_deinit(&h->artifacts);
}

/* ---- the test's side ---- */

void plugin_host_without(struct plugin_host *h, const char *id)
{
    vec_push(&h->absent, kit_copy(id));
}

void plugin_host_on_service(struct plugin_host *h, const char *service, ost_status status,
                            const char *error)
{
    struct buf text = BUF_INIT(1 << 16);

    buf_printf(&text, "%d %s", (int)status, error ? error : "");
    vec_push(&h->refusals, (struct pair){kit_copy(service), buf_take(&text)});
}

void plugin_host_cache(struct plugin_host *h, const char *key, const char *paths, int64_t size)
{
    add_cache(h, key, paths, size);
}

int64_t plugin_host_artifact(struct plugin_host *h, const struct plugin_artifact *given)
{
    struct kit_artifact *a = add_artifact(h, given->name, given->raw);

    for (size_t i = 0; given->files && given->files[i]; i += 2)
        add_file(a, given->files[i], slice_of(given->files[i + 1]));
    if (given->digest) {
        free(a->digest);
        a->digest = kit_copy(given->digest);
    }
    if (given->came) {
        free(a->came);
        a->came = kit_copy(given->came);
    }
    return a->id;
}

size_t plugin_host_asks(const struct plugin_host *h, const char *pattern)
{
    size_t n = 0;

    VEC_EACH (line, &h->asked)
        n += fnmatch(pattern, *line, 0) == 0;
    return n;
}

const char *plugin_host_ask(const struct plugin_host *h, size_t i)
{
    return i < h->asked.len ? h->asked.ptr[i] : NULL;
}

bool plugin_host_has_artifact(const struct plugin_host *h, const char *name)
{
    return find_artifact(h, name, 0);
}

const char *plugin_host_artifact_file(const struct plugin_host *h, const char *name,
                                      const char *file)
{
    const struct kit_artifact *a = find_artifact(h, name, 0);

    if (a)
        VEC_EACH (f, &a->files)
            if (strcmp(f->path, file) == 0)
                return f->content;
    return NULL;
}

bool plugin_host_has_cache(const struct plugin_host *h, const char *key)
{
    VEC_EACH (c, &h->caches)
        if (strcasecmp((*c)->key, key) == 0)
            return true;
    return false;
}
