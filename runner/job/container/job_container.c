#include "job/container/job_container.h"

#include "base/fd.h"
#include "base/path.h"
#include "io/spawn.h"
#include "job/container/box_hook.h"
#include "job/container/job_engine.h"
#include "job/container/reach.h"
#include "job/container/shared.h"
#include "job/contexts.h"
#include "job/lanes.h"
#include "job/place.h"
#include "job/steps.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define INSIDE_WORK "/__w"
#define INSIDE_TOOLS "/__w/_tool"
#define INSIDE_HOME "/github/home"
#define INSIDE_WORKFLOW "/github/workflow"
#define INSIDE_INIT "/__o/ostler-init"
#define INSIDE_DOOR "/__o/run"

enum { ENTER_MS = 20000, MOUNTS_MAX = 12 };

static const char door[] = "door"; /* the folder with the socket, in the job's own */

bool job_container_wanted(const struct run *run)
{
    const struct token *t = run->job->container;

    return t && t->kind != TOKEN_NULL && !(t->kind == TOKEN_STRING && !slice_trim(t->text).len);
}

/* ---- what it is given ---- */

struct mounts {
    struct arena *arena;
    const char *list[MOUNTS_MAX + 1];
    size_t n;
};

static void mount(struct mounts *m, const char *from, const char *to, const char *how)
{
    if (m->n == MOUNTS_MAX)
        BUG("more than %d mounts", MOUNTS_MAX);
    m->list[m->n++] = arena_printf(m->arena, "%s:%s%s", from, to, how);
}

/* JavaScript actions want a Node, which few images have: this machine's is shown. */
static void mount_node(struct mounts *m)
{
    struct err ignored = ERR_INIT; /* no Node: told by the step that wants it */
    CLEANUP(free_ptr) char *found = NULL;

    if (spawn_find("node", spawn_env_path((const char *const *)environ), &found, &ignored) < 0)
        return;
    CLEANUP(free_ptr) char *real = realpath(found, NULL);
    if (real)
        mount(m, real, JOB_CONTAINER_NODES "/node", ":ro");
}

static int mount_init(struct run *run, struct mounts *m, struct err *err)
{
    CLEANUP(free_ptr) char *init = NULL;
    CLEANUP(fd_closep) int dir = -1;
    int r = sandbox_init_path(&init, err);

    if (r == ERR_OK && (mkdirat(run->dir, door, 0755) < 0 || fchmodat(run->dir, door, 0755, 0) < 0))
        r = err_sys(err, "cannot create '%s/%s'", run->job->dir, door);
    if (r == ERR_OK)
        r = path_open(run->dir, door, O_RDONLY | O_DIRECTORY, 0, &dir, err);
    if (r == ERR_OK)
        r = sandbox_listen(dir, "socket", &run->door, err);
    if (r < 0)
        return r;
    mount(m, init, INSIDE_INIT, ":ro");
    mount(m, arena_printf(m->arena, "%s/%s", run->job->dir, door), INSIDE_DOOR, ":ro");
    return ERR_OK;
}

static bool shows_tools(const struct run *run)
{
    return run->job->tool_cache && access(run->job->tool_cache, R_OK | X_OK) == 0;
}

int job_container_setting(struct run *run, struct arena *a, struct container_setting *ret,
                          struct err *err)
{
    static const char *const program[] = {INSIDE_INIT, INSIDE_DOOR "/socket", NULL};
    const char *home = arena_printf(a, "%s/_github_home", run->temp);
    const char *workflow = arena_printf(a, "%s/_github_workflow", run->temp);
    const char *const open[] = {run->workspace, run->temp, home, run->files_path};
    struct mounts m = {.arena = a};
    int r = ERR_OK;

    for (size_t i = 0; i < COUNT_OF(open) && r == ERR_OK; i++)
        r = shared_open_up(run, open[i], err);
    if (r < 0)
        return r;
    if (job_engine_socket(run))
        mount(&m, job_engine_socket(run), "/var/run/docker.sock", "");
    mount(&m, shared_path(run, a, sandbox_work(run->sandbox)), INSIDE_WORK, "");
    if (shows_tools(run))
        mount(&m, run->job->tool_cache, INSIDE_TOOLS, ":ro");
    mount(&m, shared_path(run, a, home), INSIDE_HOME, "");
    mount(&m, shared_path(run, a, workflow), INSIDE_WORKFLOW, "");
    mount_node(&m);
    if (!box_hook_path()) /* steps get in by other ways there */
        r = mount_init(run, &m, err);
    if (r < 0)
        return r;

    path_map_add(&run->box_map, arena_str(a, slice_of(workflow)), INSIDE_WORKFLOW);
    path_map_add(&run->box_map, arena_str(a, slice_of(home)), INSIDE_HOME);
    path_map_add(&run->box_map, sandbox_work(run->sandbox), INSIDE_WORK);
    const char **mounts = arena_array(a, m.n + 1, sizeof *mounts);
    memcpy(mounts, m.list, m.n * sizeof *mounts);
    ret->mounts = mounts;
    ret->limits = job_engine_limits(run, a);
    ret->program = program;
    ret->workdir = job_container_path(run, a, run->workspace);
    return ERR_OK;
}

/* ---- in and out ---- */

static void on_note(void *ctx, const char *text)
{
    struct run *run = ctx;

    run_emit(run, json_pack("{s:s, s:o}", "event", "note", "text", event_text_new(text)));
}

int job_container_enter(struct run *run, struct err *err)
{
    int r = engine_await(run->engine, run->door, ENTER_MS, err);

    if (r == ERR_OK)
        r = sandbox_attach(run->door, INSIDE_WORK, INSIDE_HOME, run->loop, on_note, run, &run->box,
                           err);
    fd_closep(&run->door);
    run->box_missing = r < 0;
    if (r == ERR_OK)
        reach_box(run);
    return r;
}

void job_container_leave(struct run *run)
{
    struct err ignored = ERR_INIT;

    run->reach = reach_free(run->reach);
    run->box = sandbox_close(run->box, false);
    fd_closep(&run->door);
    (void)!path_remove(run->dir, door, &ignored); /* the job's folder is told to stay otherwise */
}

/* ---- steps ---- */

int job_container_place(const struct step_run *s, struct sandbox **ret, struct err *err)
{
    if (s->run->box_missing)
        return err_set(err, ERR_FAILED,
                       "the job's container is not there: see 'Initialize containers'");
    *ret = s->run->box ? s->run->box : s->run->sandbox;
    return ERR_OK;
}

const char *job_container_path(const struct run *run, struct arena *a, const char *path)
{
    struct slice inside = path_map_in(&run->box_map, a, slice_of(path));

    return inside.ptr == path ? path : arena_str(a, inside);
}

const struct show_folder *job_container_shown(const struct run *run, struct arena *a, size_t *ret_n)
{
    struct show_folder *list = arena_array(a, PATH_MAP_MAX + 1, sizeof *list);
    size_t n = 0;

    for (size_t i = run->box_map.n; i-- > 0;) /* the work folder first: others lie in it */
        list[n++] =
            (struct show_folder){run->box_map.pairs[i].outside, run->box_map.pairs[i].inside};
    if (shows_tools(run) &&
        sandbox_level(run->sandbox) == SANDBOX_HOST) /* else they are in there */
        list[n++] = (struct show_folder){run->job->tool_cache, INSIDE_TOOLS};
    *ret_n = n;
    return list;
}

const char *job_container_search(const struct step_run *s, struct arena *a)
{
    const struct run *run = s->run;
    const struct lane *lane = lane_of(s);
    const char *own = run->box ? spawn_env_path(sandbox_env(run->box)) : NULL;
    const char *path = own ? own : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    if (!run->box)
        return contexts_path(s, a);
    /* what came last is in front; the lane's before the job's */
    for (size_t i = 0; i < run->paths.len; i++)
        path = arena_printf(a, "%s:%s", job_container_path(run, a, run->paths.ptr[i]), path);
    for (size_t i = 0; lane && i < lane->paths.len; i++)
        path = arena_printf(a, "%s:%s", job_container_path(run, a, lane->paths.ptr[i]), path);
    return path;
}

void job_container_environ(struct step_run *s, bool inputs, struct strmap *ret)
{
    struct run *run = s->run;
    CLEANUP(strmap_deinit) struct strmap added = STRMAP_INIT;

    if (!run->box) {
        contexts_environ(s, inputs, ret);
        return;
    }
    for (const char *const *entry = sandbox_env(run->box); *entry; entry++) {
        size_t len = strcspn(*entry, "=");

        if ((*entry)[len])
            strmap_set(ret, slice_make(*entry, len), slice_of(*entry + len + 1));
    }
    contexts_added(s, inputs, &added);
    path_map_env(&run->box_map, &added);
    if (run->paths.len || (lane_of(s) && lane_of(s)->paths.len))
        strmap_set(&added, SLICE("PATH"), slice_of(job_container_search(s, &s->arena)));
    if (!strmap_get(&added, "CI") && !strmap_get(ret, "CI"))
        strmap_set(&added, SLICE("CI"), SLICE("true"));
    strmap_merge(ret, &added);
}
