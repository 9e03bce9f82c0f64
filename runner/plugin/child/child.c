/* ostler plugin-child: one phase of one plugin, then gone. */
#include "plugin/child/child.h"

#include "base/fd.h"
#include "sandbox/confine.h"
#include "plugin/child/crash.h"
#include "plugin/child/envs.h"
#include "plugin/child/object.h"
#include "plugin/child/program.h"
#include "plugin/wire.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

static int give_up(const struct err *err)
{
    calls_end(false, OST_E_FAILED, err->text);
    return 1;
}

static int start_program(const struct child_start *start, struct err *err)
{
    return start->protocol == PLUGIN_LINES ? program_start(start, err) : ERR_OK;
}

/* *RET_FDS: the folder of our descriptors, the caller's to close. */
static int load(const struct child_start *start, const struct ost_plugin **ret, int *ret_fds,
                struct err *err)
{
    int place[SANDBOX_NS_KINDS];
    struct confine_spec spec = {
        .place = start->has_place ? place : NULL,
        .writable = start->writable,
        .shown = start->shown,
        .n_shown = start->n_shown,
        .network = start->network,
        .strict = start->strict,
    };

    for (int i = 0; i < SANDBOX_NS_KINDS; i++)
        place[i] = CHILD_PLACE + i;
    bool object = start->protocol == PLUGIN_OBJECT;
    int r = object ? object_prepare(CHILD_OBJECT, start->name, err) : ERR_OK;
    if (r < 0 || (r = start_program(start, err)) < 0 || (r = confine_limits(false, err)) < 0 ||
        (r = confine(&spec, calls_say, NULL, ret_fds, err)) < 0)
        return r;
    for (int i = 0; start->has_place && i < SANDBOX_NS_KINDS; i++)
        fd_closep(&place[i]); /* no way back in */
    if (object)
        return object_load(*ret_fds, CHILD_OBJECT, start->name, ret, err);
    *ret = start->protocol == PLUGIN_LINES ? &program_plugin : &envs_plugin;
    return ERR_OK;
}

/* No plugin is loaded for it, only the libraries that it needs. */
static int strangers(const struct child_start *start, struct err *err)
{
    json_t *names = NULL;
    int r = object_prepare(CHILD_OBJECT, start->name, err);

    if (r < 0 || (r = object_strangers(CHILD_OBJECT, start->name, &names, err)) < 0)
        return give_up(err);
    CLEANUP(free_ptr) char *text = json_dumps(names, JSON_COMPACT);
    calls_tables(text);
    calls_end(true, OST_OK, NULL);
    return 0;
}

static int describe(const struct ost_plugin *plugin)
{
    struct err err = ERR_INIT;
    json_t *json = NULL;

    if (object_contract(plugin, &json, &err) < 0)
        return give_up(&err);
    CLEANUP(free_ptr) char *text = json_dumps(json, JSON_COMPACT);
    calls_tables(text);
    calls_end(true, OST_OK, NULL);
    return 0;
}

static ost_phase *phase_of(const struct ost_plugin *t, int phase)
{
    switch (phase) {
    case OST_PHASE_PLAN:
        return t->plan;
    case OST_PHASE_PRE:
        return t->pre;
    case OST_PHASE_POST:
        return t->post;
    default:
        return t->main;
    }
}

enum { WATCHED_MAX = 1024 }; /* descriptors: confine_limits() allows no more */

static void note_open(bool open[WATCHED_MAX])
{
    for (int fd = 0; fd < WATCHED_MAX; fd++)
        open[fd] = fcntl(fd, F_GETFD) >= 0;
}

/* Tells what is open and was not BEFORE. What libraries keep of /dev (random, null) is nobody's leak. */
static void tell_left(int fds, const bool before[WATCHED_MAX])
{
    bool now[WATCHED_MAX];

    note_open(now);
    for (int fd = 0; fd < WATCHED_MAX; fd++) {
        char name[16], what[256];

        if (!now[fd] || before[fd])
            continue;
        snprintf(name, sizeof name, "%d", fd);
        ssize_t n = readlinkat(fds, name, what, sizeof what - 1);
        what[n > 0 ? n : 0] = '\0';
        if (strncmp(what, "/dev/", 5) != 0)
            calls_left(fd, what);
    }
}

static int run(const struct child_start *start, const struct ost_plugin *plugin, int fds)
{
    bool before[WATCHED_MAX];
    struct ost_plugin tables;
    struct err err = ERR_INIT;

    if (object_tables(plugin, &tables, &err) < 0)
        return give_up(&err);
    ost_phase *phase = phase_of(&tables, start->phase);
    if (!phase) {
        (void)err_set(&err, ERR_INVALID, "'%s' has another contract than its record", start->name);
        return give_up(&err);
    }
    if (start->watched)
        note_open(before);
    ost_status status = phase(calls_step(start));
    fflush(NULL); /* what the plugin printed and stdio still holds */
    if (start->watched)
        tell_left(fds, before);
    if (status > 0) {
        (void)err_set(&err, ERR_INVALID, "returned the unknown status %d", (int)status);
        calls_end(true, OST_E_FAILED, err.text);
        return 0;
    }
    calls_end(true, status, NULL);
    return 0;
}

/* A plugin called exit(): nobody else's clean-up runs here. */
static void leave(int status, void *ctx)
{
    (void)ctx;
    fflush(NULL);
    _exit(status);
}

int plugin_child_main(int argc, char **argv)
{
    static struct child_start start; /* the plugin may hold on to its texts from any thread */
    const struct ost_plugin *plugin;
    struct err err = ERR_INIT;
    int r, fds = -1;

    (void)argc;
    (void)argv;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return 1;
    calls_open(&start); /* ends us if the runner went before that took hold */
    crash_arm(CHILD_CRASH, __builtin_frame_address(0));
    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* lines arrive when they are printed, crash or not */
    (void)on_exit(leave, NULL);
    if (start.mode == CHILD_STRANGERS)
        _exit(strangers(&start, &err));
    if (load(&start, &plugin, &fds, &err) < 0)
        _exit(give_up(&err));
    if (!start.watched)
        fd_closep(&fds);
    if (start.mode == CHILD_DESCRIBE)
        r = describe(plugin);
    else if (*start.cwd && chdir(start.cwd) < 0) {
        (void)err_sys(&err, "cannot enter '%s'", start.cwd);
        r = give_up(&err);
    } else
        r = run(&start, plugin, fds);
    _exit(r); /* no destructors: threads of the plugin may still run */
}
