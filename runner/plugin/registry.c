/* The search path: folders OWNER/NAME[/PATH]/VERSION below its roots, read record by record. */
#include "plugin/plugin.h"

#include "base/fd.h"
#include "base/path.h"
#include "plugin/rules.h"
#include "plugin/version.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

enum { DEPTH_MAX = 8 }; /* parts of an id, and the version */

static void closedirp(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

static int open_root(const char *root)
{
    return open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static DIR *open_folder(int root, const char *folder)
{
    struct err ignored;
    int fd;

    if (path_open(root, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &fd, &ignored) < 0)
        return NULL;
    DIR *dir = fdopendir(fd);
    if (!dir)
        fd_closep(&fd);
    return dir;
}

/* ---- one record ---- */

/* Is the record where its own words say it belongs? Folders are lower case: ids ignore case. */
static int check_place(const struct plugin *p, const char *folder, struct err *err)
{
    CLEANUP(buf_deinit) struct buf want = BUF_INIT(512);

    buf_printf(&want, "%s/%s", p->id, p->version);
    if (!slice_eq_nocase(buf_slice(&want), slice_of(folder)))
        return err_set(err, ERR_INVALID, "it says that it is '%s %s'", p->id, p->version);
    if (!p->sha256 || !p->object)
        return err_set(err, ERR_INVALID, "it names no object and SHA-256");
    return ERR_OK;
}

static int read_record(int root_fd, const char *path, const char *folder, struct plugin **ret,
                       struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(PLUGIN_RECORD_MAX);
    json_error_t why;
    int r = path_read(root_fd, path, &text, err);

    if (r < 0)
        return r;
    json_t *json = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &why);
    if (!json)
        return err_set(err, ERR_INVALID, "line %d: %.120s", why.line, why.text);
    r = plugin_from_json(json, ret, err);
    json_decref(json);
    if (r < 0)
        return r;
    r = check_place(*ret, folder, err);
    if (r < 0)
        *ret = plugin_free(*ret);
    return r;
}

static int load(int root_fd, const char *root, const char *folder, struct plugin **ret,
                struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(folder, "install.json");
    struct plugin *p = NULL;
    int r = read_record(root_fd, path, folder, &p, err);

    if (r < 0)
        return err_in(err, "install record '%s/%s' (install the plugin again)", root, path);
    p->root = arena_str(&p->arena, slice_of(root));
    p->folder = arena_str(&p->arena, slice_of(folder));
    *ret = p;
    return ERR_OK;
}

/* ---- one reference ---- */

struct candidate {
    struct version version; /* borrows from name */
    char *name;             /* of the folder */
};

struct candidates {
    VEC(struct candidate) list;
};

static void candidates_deinit(struct candidates *c)
{
    VEC_EACH (one, &c->list)
        free(one->name);
    vec_deinit(&c->list);
}

static int newest_first(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    return version_cmp(&y->version, &x->version);
}

/* The versions below FOLDER, newest first. */
static void candidates_find(int root, const char *folder, struct candidates *ret)
{
    CLEANUP(closedirp) DIR *dir = open_folder(root, folder);
    struct dirent *entry;

    while (dir && ret->list.len < PLUGIN_VERSIONS_MAX && (entry = readdir(dir))) {
        struct candidate c = {.name = mem_dup(entry->d_name, strlen(entry->d_name))};

        if (version_parse(slice_of(c.name), &c.version))
            vec_push(&ret->list, c);
        else
            free(c.name);
    }
    if (ret->list.len)
        qsort(ret->list.ptr, ret->list.len, sizeof *ret->list.ptr, newest_first);
}

static bool serves_commit(const struct plugin *p, struct slice commit)
{
    for (const char *const *c = p->serves; *c; c++)
        if (slice_eq_nocase(slice_of(*c), commit))
            return true;
    return false;
}

/* What is asked for: a version, a commit, or (empty) the newest there is. */
struct wanted {
    struct slice id, ref;
    enum ref_kind kind;
    char *folder; /* the id in lower case */
};

static void wanted_deinit(struct wanted *w)
{
    free(w->folder);
}

/* True if the version alone says no. */
static bool rules_out(const struct wanted *w, const struct version *v)
{
    if (!w->ref.len)
        return v->pre.len > 0;
    return w->kind == REF_VERSION && !ref_fits(w->ref, v);
}

/* Looks in one root: 1 and *RET, 0, or an error. SEEN gets what is installed there of the same id. */
static int look_in(const char *root, const struct wanted *w, struct plugin **ret, struct buf *seen,
                   struct err *err)
{
    CLEANUP(fd_closep) int fd = open_root(root);
    CLEANUP(candidates_deinit) struct candidates found = {0};

    if (fd < 0) /* roots need not exist */
        return 0;
    candidates_find(fd, w->folder, &found);
    VEC_EACH (c, &found.list) {
        CLEANUP(free_ptr) char *folder = path_join(w->folder, c->name);
        struct plugin *p = NULL;

        buf_printf(seen, "%s%s", seen->len ? ", " : "", c->name);
        if (rules_out(w, &c->version))
            continue;
        int r = load(fd, root, folder, &p, err);
        if (r < 0)
            return r;
        if (w->kind != REF_COMMIT || serves_commit(p, w->ref)) {
            *ret = p;
            return 1;
        }
        plugin_free(p);
    }
    return 0;
}

static int find(const char *const *roots, struct wanted *w, struct plugin **ret, struct err *err)
{
    CLEANUP(buf_deinit) struct buf seen = BUF_INIT(100);

    w->folder = mem_dup(w->id.ptr, w->id.len);
    for (char *c = w->folder; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    for (; *roots; roots++) {
        int r = look_in(*roots, w, ret, &seen, err);

        if (r)
            return r < 0 ? r : ERR_OK;
    }
    if (!seen.len)
        return err_set(err, ERR_NOT_FOUND, "no plugin '%.*s' is installed", SLICE_ARG(w->id));
    return err_set(err, ERR_NOT_FOUND, "no installed plugin '%.*s' serves '%.*s' (installed: %s)",
                   SLICE_ARG(w->id), SLICE_ARG(slice_head(w->ref, 64)), seen.ptr);
}

int plugin_find(const char *const *roots, const char *uses, struct plugin **ret, struct err *err)
{
    CLEANUP(wanted_deinit) struct wanted w = {0};
    struct slice text = slice_of(uses);
    ssize_t at = slice_find_char(text, '@');

    w.id = slice_head(text, at < 0 ? 0 : (size_t)at);
    w.ref = slice_from(text, at < 0 ? text.len : (size_t)at + 1);
    w.kind = ref_kind(w.ref);
    if (!rules_is_id(w.id) || w.kind == REF_OTHER)
        return err_set(err, ERR_NOT_FOUND, "'%.120s' is not a reference that plugins serve", uses);
    return find(roots, &w, ret, err);
}

const char *const plugin_preferences[] = {"installed", "never", "only", NULL};

const char *plugin_preference(const struct strmap *rules, const char *uses)
{
    struct slice text = slice_of(uses), said;
    ssize_t at = slice_find_char(text, '@');

    if (!rules)
        return "installed";
    if (strmap_find(rules, slice_head(text, at < 0 ? text.len : (size_t)at), &said) ||
        strmap_find(rules, SLICE("*"), &said))
        return said.ptr;
    return "installed";
}

bool plugin_is_preference(const char *text)
{
    for (const char *const *p = plugin_preferences; *p; p++)
        if (strcmp(text, *p) == 0)
            return true;
    return false;
}

int plugin_find_id(const char *const *roots, const char *id, struct plugin **ret, struct err *err)
{
    CLEANUP(wanted_deinit) struct wanted w = {.id = slice_of(id)};

    if (strchr(id, '@'))
        return plugin_find(roots, id, ret, err);
    if (!rules_is_id(w.id))
        return err_set(err, ERR_INVALID, "'%.120s' is not the id of a plugin ('owner/name')", id);
    return find(roots, &w, ret, err);
}

/* ---- all of them ---- */

struct walk {
    int root_fd;
    const char *root;
    struct plugin_list *out;
    plugin_bad_fn *bad;
    void *ctx;
};

static void walk_folder(const struct walk *w, const char *folder, int depth);

static void walk_entry(const struct walk *w, const char *path, int depth)
{
    CLEANUP(free_ptr) char *record = path_join(path, "install.json");
    struct plugin *p;
    struct err err = ERR_INIT;

    if (faccessat(w->root_fd, record, F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
        walk_folder(w, path, depth + 1);
        return;
    }
    if (load(w->root_fd, w->root, path, &p, &err) == ERR_OK)
        vec_push(&w->out->list, p);
    else if (w->bad)
        w->bad(w->ctx, &err);
}

static void walk_folder(const struct walk *w, const char *folder, int depth)
{
    CLEANUP(closedirp) DIR *dir = depth < DEPTH_MAX ? open_folder(w->root_fd, folder) : NULL;
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        CLEANUP(free_ptr) char *path = NULL;

        if (entry->d_name[0] == '.' || (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN))
            continue;
        path = strcmp(folder, ".") == 0 ? mem_dup(entry->d_name, strlen(entry->d_name))
                                        : path_join(folder, entry->d_name);
        walk_entry(w, path, depth);
    }
}

static int by_id_newest_first(const void *a, const void *b)
{
    const struct plugin *x = *(struct plugin *const *)a, *y = *(struct plugin *const *)b;
    struct version v, w;
    int r = slice_cmp(slice_of(x->id), slice_of(y->id));

    if (r || !version_parse(slice_of(x->version), &v) || !version_parse(slice_of(y->version), &w))
        return r;
    return version_cmp(&w, &v);
}

void plugin_list_load(const char *const *roots, struct plugin_list *ret, plugin_bad_fn *bad,
                      void *ctx)
{
    for (; *roots; roots++) {
        CLEANUP(fd_closep) int fd = open_root(*roots);
        size_t from = ret->list.len;
        struct walk w = {.root_fd = fd, .root = *roots, .out = ret, .bad = bad, .ctx = ctx};

        if (fd < 0)
            continue;
        walk_folder(&w, ".", 0);
        if (ret->list.len > from)
            qsort(ret->list.ptr + from, ret->list.len - from, sizeof *ret->list.ptr,
                  by_id_newest_first);
    }
}

void plugin_list_deinit(struct plugin_list *l)
{
    VEC_EACH (p, &l->list)
        plugin_free(*p);
    vec_deinit(&l->list);
}
