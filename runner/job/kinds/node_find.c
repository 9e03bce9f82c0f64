#include "job/kinds/node_find.h"

#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "io/spawn.h"
#include "job/contexts.h"
#include "job/steps.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

enum { ANSWER_MAX = 64, MAJOR_MAX = 10000, CACHED_MAX = 10000 };

struct version {
    int64_t part[3];
};

struct node {
    const char *path; /* NULL: there is none */
    int64_t major;
};

struct node_find {
    struct step_run *step;
    int wanted;
    node_found_fn *fn;
    void *ctx;

    const char *asked; /* its version is being asked for */
    struct sandbox_child *child;
    int answer; /* what it says comes here */
};

int node_wanted(struct step_run *s, const char *using)
{
    CLEANUP(strmap_deinit) struct strmap env = STRMAP_INIT;

    if (slice_eq_nocase(slice_of(using), SLICE("node24")))
        return 24;
    contexts_environ(s, false, &env);
    const char *force = strmap_get(&env, "FORCE_JAVASCRIPT_ACTIONS_TO_NODE24");
    return force && slice_eq_nocase(slice_of(force), SLICE("true")) ? 24 : 20;
}

/* ---- the tool cache: versions are names there ---- */

static bool read_version(const char *name, struct version *ret)
{
    struct slice rest = slice_of(name), part;
    struct err ignored = ERR_INIT; /* some other file */

    for (size_t i = 0; i < COUNT_OF(ret->part); i++)
        if (!slice_split(&rest, '.', &part) ||
            num_parse_i64(part, 0, INT32_MAX, &ret->part[i], &ignored) < 0)
            return false;
    return rest.ptr == NULL;
}

/* Whether A serves better than B where MAJOR is wanted: that one, else the next above it, else the newest below it; of
 * one major the newest. */
static bool serves_better(const struct version *a, const struct version *b, int64_t major)
{
    bool fits = a->part[0] >= major, other_fits = b->part[0] >= major;

    if (fits != other_fits)
        return fits;
    if (a->part[0] != b->part[0])
        return fits == (a->part[0] < b->part[0]);
    for (size_t i = 1; i < COUNT_OF(a->part); i++)
        if (a->part[i] != b->part[i])
            return a->part[i] > b->part[i];
    return false;
}

static bool is_file(int root, const char *path)
{
    CLEANUP(fd_closep) int fd = -1;
    struct err ignored = ERR_INIT;

    return path_open_in(root, path, O_RDONLY | O_NONBLOCK, 0, &fd, &ignored) == ERR_OK;
}

static struct node in_tool_cache(const struct node_find *f)
{
    const struct run *run = f->step->run;
    struct arena *a = &f->step->arena;
    const char *folder = arena_printf(a, "%s/node", run->tools);
    const char *arch = strcmp(job_arch(), "ARM64") == 0 ? "arm64" : "x64";
    struct version best = {0};
    struct node found = {0};
    int fd, root = sandbox_root(run->sandbox);
    struct err ignored = ERR_INIT; /* no such cache */

    if (path_open_in(root, folder, O_RDONLY | O_DIRECTORY, 0, &fd, &ignored) < 0)
        return found;
    DIR *list = fdopendir(fd);
    if (!list)
        close(fd);
    int left = CACHED_MAX;
    for (struct dirent *e; list && left-- && (e = readdir(list));) {
        struct version v;

        if (!read_version(e->d_name, &v) || (found.path && !serves_better(&v, &best, f->wanted)))
            continue;
        const char *path = arena_printf(a, "%s/%s/%s/bin/node", folder, e->d_name, arch);
        if (!is_file(root, arena_printf(a, "%s/%s/%s.complete", folder, e->d_name, arch)) ||
            !is_file(root, path))
            continue;
        best = v;
        found = (struct node){path, v.part[0]};
    }
    if (list)
        closedir(list);
    return found;
}

/* ---- those on a PATH: they have to be asked ---- */

static void go(struct node_find *f);

static void note_major(struct node_find *f, const char *path, int64_t major)
{
    strmap_set(&f->step->run->nodes, slice_of(path),
               slice_of(arena_printf(&f->step->arena, "%lld", (long long)major)));
}

/* "v20.11.1"; 0 for anything else. */
static int64_t read_answer(int fd)
{
    CLEANUP(buf_deinit) struct buf said = BUF_INIT(ANSWER_MAX);
    struct err ignored = ERR_INIT;
    int64_t major = 0;

    if (fd_read_some(fd, &said, ANSWER_MAX) <= 1 || said.ptr[0] != 'v')
        return 0;
    struct slice text = slice_from(buf_slice(&said), 1);
    ssize_t dot = slice_find_char(text, '.');
    if (num_parse_i64(slice_head(text, dot < 0 ? 0 : (size_t)dot), 1, MAJOR_MAX, &major, &ignored) <
        0)
        return 0;
    return major;
}

static void on_exit_of_node(void *ctx, struct sandbox_exit how)
{
    struct node_find *f = ctx;

    f->child = NULL;
    note_major(f, f->asked, how.code == 0 ? read_answer(f->answer) : 0);
    f->asked = NULL;
    fd_closep(&f->answer);
    go(f);
}

static int ask(struct node_find *f, const char *path, struct err *err)
{
    CLEANUP(fd_closep) int out = -1;
    const char *const argv[] = {path, "--version", NULL};
    struct sandbox_command cmd = {
        .argv = argv, .env = (const char *const *)environ, .cwd = "/", .in = -1, .err = -1};
    int r = fd_pipe(&f->answer, &out, err);

    if (r < 0)
        return r;
    cmd.out = out;
    f->asked = path;
    return sandbox_start(f->step->run->sandbox, &cmd, on_exit_of_node, f, &f->child, err);
}

/* The major of the Node at PATH, 0: it is none that works. False: it is being asked. */
static bool major_of(struct node_find *f, const char *path, int64_t *ret)
{
    struct err ignored = ERR_INIT; /* what cannot be started is no Node that works */
    struct slice known;

    while (!strmap_find(&f->step->run->nodes, slice_of(path), &known)) {
        if (ask(f, path, &ignored) == ERR_OK)
            return false;
        fd_closep(&f->answer);
        note_major(f, path, 0);
    }
    return num_parse_i64(known, 0, MAJOR_MAX, ret, &ignored) == ERR_OK;
}

/* The `node` in SEARCH. False: it is being asked what it is. */
static bool on_path(struct node_find *f, const char *search, struct node *ret)
{
    CLEANUP(free_ptr) char *path = NULL;
    struct err ignored = ERR_INIT;

    *ret = (struct node){0};
    if (!search || sandbox_which(f->step->run->sandbox, "node", search, &path, &ignored) < 0)
        return true;
    ret->path = arena_str(&f->step->arena, slice_of(path));
    if (!major_of(f, ret->path, &ret->major))
        return false;
    if (ret->major == 0)
        ret->path = NULL;
    return true;
}

/* ---- the choice ---- */

static void say_older(struct node_find *f, const struct node *n)
{
    const char *text =
        arena_printf(&f->step->arena,
                     "'%s' asks for Node %d or later and runs with Node %lld ('%s'), the newest "
                     "that is here: name another with --node",
                     f->step->def->uses, f->wanted, (long long)n->major, n->path);

    run_emit(f->step->run, json_pack("{s:s, s:o}", "event", "note", "text", event_text_new(text)));
}

/* False: a Node is being asked what it is. *RET has no path when there is none at all. */
static bool choose(struct node_find *f, struct node *ret)
{
    struct step_run *s = f->step;
    struct node cached, own, here, *all[] = {&cached, &own, &here};

    if (s->run->job->node) {
        *ret = (struct node){.path = s->run->job->node};
        return major_of(f, ret->path, &ret->major);
    }
    cached = in_tool_cache(f);
    *ret = cached;
    if (cached.path && cached.major == f->wanted)
        return true;
    if (!on_path(f, spawn_env_path((const char *const *)environ), &own))
        return false;
    *ret = own;
    if (own.path && own.major >= f->wanted)
        return true;
    *ret = cached;
    if (cached.path && cached.major >= f->wanted)
        return true;
    if (!on_path(f, contexts_path(s, &s->arena), &here))
        return false;
    *ret = here;
    if (here.path && here.major >= f->wanted)
        return true;
    for (size_t i = 0; i < COUNT_OF(all); i++)
        if (all[i]->path && (!ret->path || all[i]->major > ret->major))
            *ret = *all[i];
    return true;
}

/* False: not decided yet. */
static bool decide(struct node_find *f, const char **ret, struct err *err)
{
    const char *uses = f->step->def->uses, *told = f->step->run->job->node;
    struct node n = {0};

    if (!choose(f, &n))
        return false;
    *ret = NULL;
    if (told && n.major == 0)
        (void)err_set(err, ERR_NOT_FOUND,
                      "'%s' is a JavaScript action, and --node '%s' is no Node that works", uses,
                      told);
    else if (!n.path)
        (void)err_set(err, ERR_NOT_FOUND,
                      "'%s' is a JavaScript action, which wants Node %d, and there is no 'node' on "
                      "the PATH or in the "
                      "tool cache: install Node.js, or name one with --node",
                      uses, f->wanted);
    else
        *ret = n.path;
    if (*ret && n.major < f->wanted)
        say_older(f, &n);
    return true;
}

static void go(struct node_find *f)
{
    struct err err = ERR_INIT;
    const char *path;

    if (decide(f, &path, &err))
        f->fn(f->ctx, path, &err);
}

int node_find(struct step_run *s, int major, node_found_fn *fn, void *ctx, const char **ret_path,
              struct node_find **ret, struct err *err)
{
    struct node_find *f = mem_new(sizeof *f);

    *f = (struct node_find){.step = s, .wanted = major, .fn = fn, .ctx = ctx, .answer = -1};
    *ret_path = NULL;
    if (!decide(f, ret_path, err)) {
        *ret = f;
        return ERR_OK;
    }
    *ret = node_find_free(f);
    return *ret_path ? ERR_OK : err->code;
}

struct node_find *node_find_free(struct node_find *f)
{
    if (!f)
        return NULL;
    sandbox_child_free(f->child);
    fd_closep(&f->answer);
    free(f);
    return NULL;
}
