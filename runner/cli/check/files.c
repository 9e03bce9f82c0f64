#include "cli/check/files.h"

#include "base/fd.h"
#include "base/path.h"
#include "cli/plugin_policy.h"
#include "cli/settings.h"
#include "io/zone.h"
#include "plugin/plugin.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static void checked_clear(struct checked *f)
{
    vec_deinit(&f->callers);
    vec_deinit(&f->elsewhere);
    vec_deinit(&f->scripts);
    diags_deinit(&f->diags);
    arena_deinit(&f->arena);
    buf_deinit(&f->text);
}

void check_run_deinit(struct check_run *r)
{
    VEC_EACH (f, &r->files) {
        checked_clear(*f);
        free(*f);
    }
    vec_deinit(&r->files);
    strmap_deinit(&r->seen);
    strmap_deinit(&r->served);
    strmap_deinit(&r->locks);
    strmap_deinit(&r->stored);
    arena_deinit(&r->arena);
}

/* ---- which files ---- */

static bool is_yaml(const char *name)
{
    return slice_ends(slice_of(name), SLICE(".yml")) || slice_ends(slice_of(name), SLICE(".yaml"));
}

static bool is_manifest(const char *path)
{
    const char *base = path_base(path);

    return strcmp(base, "action.yml") == 0 || strcmp(base, "action.yaml") == 0;
}

/* The top of the repository that FULL, a real path, belongs to: the nearest folder above with .git or
 * .github in it; its length. 0: there is none. */
static size_t root_length(const char *full)
{
    CLEANUP(free_ptr) char *path = mem_dup(full, strlen(full));
    struct stat st;

    for (char *slash; (slash = strrchr(path, '/')) && slash != path;) {
        *slash = '\0';
        CLEANUP(free_ptr) char *git = path_join(path, ".git");
        CLEANUP(free_ptr) char *github = path_join(path, ".github");

        if (stat(git, &st) == 0 || stat(github, &st) == 0)
            return strlen(path);
    }
    return 0;
}

/* Finds out where PATH is; NULL in `full` when it is not. */
static void locate(struct check_run *r, struct checked *f)
{
    CLEANUP(free_ptr) char *full = realpath(f->path, NULL);
    const char *base = path_base(f->path);

    f->prefix = arena_str(&r->arena, slice_make(f->path, (size_t)(base - f->path)));
    if (!full)
        return;
    f->full = arena_str(&r->arena, slice_of(full));
    size_t root = root_length(full);
    struct slice below = slice_from(slice_of(f->full), root + 1), path = slice_of(f->path);
    if (root && slice_ends(path, below)) /* "../.github/workflows/x.yml" */
        f->prefix = arena_str(&r->arena, slice_head(path, path.len - below.len));
    else if (root)
        f->prefix = arena_str(&r->arena, slice_head(slice_of(f->full), root + 1));
}

/* The file that is FULL; NULL: it is not here. */
static struct checked *find_file(const struct check_run *r, const char *full)
{
    struct slice value;
    struct checked *f = NULL;

    if (full && strmap_find(&r->seen, slice_of(full), &value))
        memcpy(&f, value.ptr, sizeof f);
    return f;
}

static int add_file(struct check_run *r, const char *path, bool named, struct err *err)
{
    struct checked f = {.path = arena_str(&r->arena, slice_of(path)),
                        .named = named,
                        .text = BUF_INIT(CHECK_FILE_SIZE_MAX)};

    if (r->files.len == CHECK_FILES_MAX)
        return err_set(err, ERR_LIMIT, "more than %d files", (int)CHECK_FILES_MAX);
    locate(r, &f);
    if (find_file(r, f.full))
        return ERR_OK;
    struct checked *own = mem_new(sizeof *own);
    *own = f;
    vec_push(&r->files, own);
    if (f.full)
        strmap_set(&r->seen, slice_of(f.full), slice_make((const char *)&own, sizeof own));
    return ERR_OK;
}

static int by_path(const void *a, const void *b)
{
    const struct checked *const *x = a, *const *y = b;

    return strcmp((*x)->path, (*y)->path);
}

/* Adds the YAML files of FOLDER (those that are manifests, with MANIFESTS), in order. A folder that is
 * not there has none. */
static int add_folder(struct check_run *r, const char *folder, bool manifests, int depth,
                      struct err *err)
{
    size_t before = r->files.len;
    DIR *dir = opendir(folder);
    int result = ERR_OK;

    if (!dir)
        return ERR_OK;
    for (struct dirent *d; result == ERR_OK && (d = readdir(dir));) {
        CLEANUP(free_ptr)
        char *path = strcmp(folder, ".") == 0 ? mem_dup(d->d_name, strlen(d->d_name))
                                              : path_join(folder, d->d_name);

        if (d->d_name[0] == '.')
            continue;
        if (manifests ? is_manifest(d->d_name) : is_yaml(d->d_name))
            result = add_file(r, path, true, err);
        else if (depth > 0)
            result = add_folder(r, path, manifests, depth - 1, err);
    }
    closedir(dir);
    if (r->files.len > before)
        qsort(r->files.ptr + before, r->files.len - before, sizeof *r->files.ptr, by_path);
    return result;
}

/* The way up from the folder we are in to the top of its repository: "", "../", "../../". */
static const char *way_to_root(struct check_run *r)
{
    const char *up = "";
    struct stat st;

    for (int i = 0; i < 32; i++) {
        if (stat(arena_printf(&r->arena, "%s.git", up), &st) == 0 ||
            stat(arena_printf(&r->arena, "%s.github", up), &st) == 0)
            return up;
        up = arena_printf(&r->arena, "%s../", up);
    }
    return "";
}

static int add_tree(struct check_run *r, const char *root, struct err *err)
{
    enum { ACTIONS_DEPTH = 6 };
    static const char *const homes[] = {".github", ".gitea", ".forgejo"};
    int result = add_folder(r, *root ? root : ".", true, 0, err);

    for (size_t i = 0; i < COUNT_OF(homes) && result == ERR_OK; i++) {
        const char *flows = arena_printf(&r->arena, "%s%s/workflows", root, homes[i]);
        const char *actions = arena_printf(&r->arena, "%s%s/actions", root, homes[i]);

        result = add_folder(r, flows, false, 0, err);
        if (result == ERR_OK)
            result = add_folder(r, actions, true, ACTIONS_DEPTH, err);
    }
    return result;
}

int check_find(struct check_run *r, struct err *err)
{
    int result = add_tree(r, way_to_root(r), err);

    if (result == ERR_OK && !r->files.len)
        return err_set(err, ERR_NOT_FOUND,
                       "there is no .github/workflows/*.yml and no action.yml here: name the files "
                       "to check");
    return result;
}

int check_add(struct check_run *r, const char *path, struct err *err)
{
    size_t before = r->files.len;
    struct stat st;

    if (stat(path, &st) < 0)
        return err_sys(err, "cannot look at '%s'", path);
    if (!S_ISDIR(st.st_mode))
        return add_file(r, path, true, err);
    int result = add_tree(r, arena_printf(&r->arena, "%s/", path), err);
    if (result == ERR_OK && r->files.len == before)
        result = add_folder(r, path, false, 0, err);
    if (result == ERR_OK && r->files.len == before)
        return err_set(err, ERR_NOT_FOUND, "there is no workflow in '%s'", path);
    return result;
}

/* ---- reading ---- */

static int read_text(int dir, const char *path, struct buf *to, struct err *err)
{
    CLEANUP(fd_closep) int fd = -1;
    struct stat st;
    int r = path_open(dir, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &fd, err);

    if (r < 0)
        return r;
    if (fstat(fd, &st) < 0)
        return err_sys(err, "cannot look at '%s'", path);
    if (S_ISDIR(st.st_mode))
        return err_set(err, ERR_INVALID, "'%s' is a folder", path);
    r = fd_read_all(fd, to, err);
    return r < 0 ? err_in(err, "'%s'", path) : r;
}

/* What a check asks for while it looks at one file. */
struct asking {
    struct check_run *run;
    struct checked *file;
    int root; /* the top of its repository; -1: unknown */
};

static bool read_other(void *ctx, const char *path, struct slice *ret)
{
    const struct asking *a = ctx;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(CHECK_FILE_SIZE_MAX);
    struct err ignored = ERR_INIT; /* what can't be read is not there */

    if (a->root < 0 || read_text(a->root, path, &text, &ignored) < 0)
        return false;
    *ret = arena_dup(&a->file->arena, buf_slice(&text));
    return true;
}

static void keep_script(void *ctx, const struct check_script *script)
{
    struct checked *f = ((const struct asking *)ctx)->file;
    struct check_place *lines = arena_array(&f->arena, script->n_lines, sizeof *lines);

    if (strcmp(script->shell, "bash") != 0 && strcmp(script->shell, "sh") != 0)
        return;
    memcpy(lines, script->lines, script->n_lines * sizeof *lines);
    vec_push(&f->scripts, (struct kept_script){
                              arena_dup(&f->arena, script->text),
                              strcmp(script->shell, "sh") == 0 ? "sh" : "bash",
                              lines,
                              script->n_lines,
                          });
}

static bool has_zone(void *ctx, const char *name)
{
    const struct asking *a = ctx;
    struct zone_offset *offsets;
    struct err ignored = ERR_INIT;
    size_t n;
    int r = zone_load(&a->file->arena, name, 0, 1, settings_env("TZ"), &offsets, &n, &ignored);

    return r != ERR_NOT_FOUND; /* where the data is missing, nobody knows */
}

/* The file PATH of the repository that A's file is in; NULL: it is not among ours. */
static struct checked *neighbour(const struct asking *a, const char *path)
{
    const char *mine = arena_printf(&a->file->arena, "%s%s", a->file->prefix, path);
    CLEANUP(free_ptr) char *full = realpath(mine, NULL);
    struct err ignored = ERR_INIT; /* beyond so many files the others are left alone */

    if (full && !find_file(a->run, full) && add_file(a->run, mine, false, &ignored) < 0)
        return NULL;
    return find_file(a->run, full);
}

static void note_call(void *ctx, const char *path, int line, int col)
{
    const struct asking *a = ctx;
    struct checked *called = neighbour(a, path);

    if (called && called != a->file)
        vec_push(&called->callers, (struct check_caller){a->file, line, col});
}

static void note_elsewhere(void *ctx, const struct diag *finding)
{
    const struct asking *a = ctx;
    struct checked *there = neighbour(a, finding->file);
    struct arena *arena = &a->file->arena;
    struct diag d = *finding;

    if (!there)
        return;
    d.message = arena_dup(arena, d.message);
    d.hint = arena_printf(arena, "%s%scalled from %s", d.hint ? d.hint : "", d.hint ? "; " : "",
                          a->file->path);
    vec_push(&there->elsewhere, d);
}

/* Where runs look. What is wrong with a configuration is theirs to say. */
static const char *const *plugin_folders(struct arena *a)
{
    struct config config = {0};
    struct err ignored = ERR_INIT;

    (void)!plugin_policy_load(a, NULL, NULL, &config, &ignored);
    const char *const *folders = settings_plugin_path(a, &config);
    config_deinit(&config);
    return folders;
}

/* The manifest of the plugin that serves USES, from its install record: nothing is loaded. */
static bool is_served(void *ctx, const char *uses, struct slice *ret)
{
    struct check_run *r = ((const struct asking *)ctx)->run;
    struct err ignored = ERR_INIT; /* what can't be used here is not known */
    struct plugin *p;

    if (!r->plugins)
        r->plugins = plugin_folders(&r->arena);
    if (!strmap_find(&r->served, slice_of(uses), ret)) {
        CLEANUP(free_ptr) char *manifest = NULL;

        if (plugin_find(r->plugins, uses, &p, &ignored) == ERR_OK) {
            manifest = plugin_to_yaml(p);
            plugin_free(p);
        }
        *ret = arena_dup(&r->arena, slice_of(manifest));
        strmap_set(&r->served, slice_of(uses), *ret);
    }
    return ret->len > 0;
}

static const char *find_stored(void *ctx, const char *uses, struct slice *ret_manifest)
{
    const struct asking *a = ctx;

    return check_stored(a->run, a->file->prefix, uses, ret_manifest);
}

/* Where the other files of F's repository are found; -1: nowhere. */
static int open_root(const struct checked *f)
{
    return open(*f->prefix ? f->prefix : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int check_one(struct check_run *r, struct checked *f, struct err *err)
{
    CLEANUP(fd_closep) int root = open_root(f);
    struct asking asking = {r, f, root};
    struct check_options options = {
        .ignore = r->ignore,
        .read = read_other,
        .called = note_call,
        .elsewhere = note_elsewhere,
        .served = is_served,
        .stored = find_stored,
        .script = keep_script,
        .zone = has_zone,
        .ctx = &asking,
    };
    int result = read_text(AT_FDCWD, f->path, &f->text, err);

    if (result < 0)
        return result;
    if (is_manifest(f->path))
        check_manifest(buf_slice(&f->text), f->path, &options, &f->diags);
    else
        check_workflow(buf_slice(&f->text), f->path, &options, &f->diags);
    return ERR_OK;
}

static bool is_known(const struct diags *diags, const struct diag *d)
{
    VEC_EACH (one, &diags->list)
        if (one->line == d->line && one->col == d->col && slice_eq(one->message, d->message))
            return true;
    return false;
}

/* Adds what only callers know of F. */
static void add_elsewhere(struct checked *f)
{
    VEC_EACH (d, &f->elsewhere) {
        if (is_known(&f->diags, d))
            continue;
        struct diag *own = diag_add_text(&f->diags, d->level, f->path, d->line, d->col, d->message);

        own->hint = d->hint;
        own->rule = d->rule;
    }
}

int check_all(struct check_run *r, struct err *err)
{
    VEC_EACH (f, &r->files) {
        checked_clear(*f);
        (*f)->diags.arena = &(*f)->arena;
    }
    for (size_t i = 0; i < r->files.len; i++) { /* it grows on the way */
        struct checked *f = r->files.ptr[i];
        int result;

        f->diags.arena = &f->arena;
        result = check_one(r, f, err);
        if (result < 0)
            return result;
    }
    VEC_EACH (f, &r->files)
        add_elsewhere(*f);
    return ERR_OK;
}

/* Errors that were counted but not kept, when there are more findings than are kept. */
static size_t errors_beyond(const struct diags *diags)
{
    size_t kept = 0;

    VEC_EACH (d, &diags->list)
        kept += d->level == DIAG_ERROR;
    return diags_is_full(diags) ? diags->n_errors - kept : 0;
}

void check_count(struct check_run *r)
{
    r->n_errors = r->n_warnings = r->n_infos = r->n_with = 0;
    VEC_EACH (f, &r->files) {
        check_sort(&(*f)->diags);
        r->n_with += (*f)->diags.list.len > 0;
        r->n_errors += errors_beyond(&(*f)->diags);
        VEC_EACH (d, &(*f)->diags.list) {
            r->n_errors += d->level == DIAG_ERROR;
            r->n_warnings += d->level == DIAG_WARNING;
            r->n_infos += d->level == DIAG_INFO;
        }
    }
}
