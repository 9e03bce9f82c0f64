#include "job/container/reach.h"

#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "job/container/job_engine.h"
#include "job/steps.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define DOOR "/__o/run"

struct reach {
    struct run *run;
    char *door; /* the folder that the container is shown, in the job's own; NULL: none */
    int fd;     /* where ostler-init comes to; later, where the container's processes do */
    struct watch *watch;
};

unsigned reach_port(const struct run *run)
{
    static const char ours[] = "http://127.0.0.1:";
    const char *caches = strmap_get(&run->job->runtime, "OSTLER_CACHE_URL");
    const char *url = caches ? caches : strmap_get(&run->job->runtime, "ACTIONS_RESULTS_URL");
    struct err ignored = ERR_INIT; /* no port of ours */
    uint64_t port = 0;

    if (run->services < 0 || !url || strncmp(url, ours, sizeof ours - 1) != 0)
        return 0;
    struct slice rest = slice_of(url + sizeof ours - 1);
    rest.len = strcspn(rest.ptr, "/");
    return num_parse_u64(rest, UINT16_MAX, &port, &ignored) < 0 ? 0 : (unsigned)port;
}

static void note(struct run *run, const struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(8192);

    buf_printf(&text, "artifacts and caches cannot be reached from a container: %s", err->text);
    run_emit(run, json_pack("{s:s, s:o}", "event", "note", "text", event_text_new(text.ptr)));
}

/* ---- connections ---- */

/* One at a time: the socket was somebody else's, and may be made to block. */
static void on_connection(void *ctx, uint32_t events)
{
    struct reach *r = ctx;
    CLEANUP(fd_closep) int fd = accept4(r->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct err ignored = ERR_INIT; /* the front is gone: so are we, soon */

    (void)events;
    if (fd >= 0)
        (void)!fd_send(r->run->services, SLICE("+"), &fd, 1, &ignored);
    else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
        r->watch = watch_free(r->watch); /* it is broken, and would be ready for ever */
}

static int take(struct reach *r, int take_listener, struct err *err)
{
    r->watch = watch_free(r->watch);
    fd_closep(&r->fd);
    r->fd = take_listener;
    if (r->fd < 0)
        return ERR_OK;
    return loop_watch(r->run->loop, r->fd, EPOLLIN, on_connection, r, &r->watch, err);
}

void reach_box(struct run *run)
{
    unsigned port = reach_port(run);
    struct err err = ERR_INIT;
    int listener = -1;

    if (!port || !run->box)
        return;
    run->reach = mem_new(sizeof *run->reach);
    *run->reach = (struct reach){.run = run, .fd = -1};
    if (sandbox_loopback(run->box, port, &listener, &err) < 0 ||
        take(run->reach, listener, &err) < 0)
        note(run, &err);
}

/* ---- an action's container ---- */

static void on_init(void *ctx, uint32_t events)
{
    struct reach *r = ctx;
    struct err err = ERR_INIT;
    int listener = -1;

    (void)events;
    if (sandbox_take_loopback(r->fd, &listener, &err) < 0 || take(r, listener, &err) < 0) {
        r->watch = watch_free(r->watch); /* nobody else is let in */
        note(r->run, &err);
    }
}

int reach_open(struct run *run, struct reach **ret, struct err *err)
{
    struct reach *r = mem_new(sizeof *r);
    struct buf name = BUF_INIT(64);
    CLEANUP(fd_closep) int dir = -1;
    char id[13];

    job_engine_random(id, 12);
    buf_printf(&name, "door-%s", id);
    *r = (struct reach){.run = run, .door = buf_take(&name), .fd = -1};
    int code = ERR_OK;
    if (mkdirat(run->dir, r->door, 0755) < 0 || fchmodat(run->dir, r->door, 0755, 0) < 0)
        code = err_sys(err, "cannot create '%s/%s'", run->job->dir, r->door);
    if (code == ERR_OK)
        code = path_open(run->dir, r->door, O_RDONLY | O_DIRECTORY, 0, &dir, err);
    if (code == ERR_OK)
        code = sandbox_listen(dir, "socket", &r->fd, err);
    if (code == ERR_OK)
        code = loop_watch(run->loop, r->fd, EPOLLIN, on_init, r, &r->watch, err);
    if (code < 0)
        r = reach_free(r);
    *ret = r;
    return code;
}

const char *const *reach_program(const struct reach *r, struct arena *a)
{
    const char *const words[] = {"listen", DOOR "/socket",
                                 arena_printf(a, "%u", reach_port(r->run)), NULL};
    const char **list = arena_array(a, COUNT_OF(words), sizeof *list);

    memcpy(list, words, sizeof words);
    return list;
}

int reach_mounts(const struct reach *r, struct arena *a, const char *const **ret, struct err *err)
{
    CLEANUP(free_ptr) char *init = NULL;
    const char **list = arena_array(a, 3, sizeof *list);

    if (sandbox_init_path(&init, err) < 0)
        return err->code;
    list[0] = arena_printf(a, "%s:%s:ro", init, REACH_INIT);
    list[1] = arena_printf(a, "%s/%s:%s:ro", r->run->job->dir, r->door, DOOR);
    *ret = list;
    return ERR_OK;
}

struct reach *reach_free(struct reach *r)
{
    struct err ignored = ERR_INIT;

    if (!r)
        return NULL;
    watch_free(r->watch);
    fd_closep(&r->fd);
    if (r->door)
        (void)!path_remove(r->run->dir, r->door, &ignored); /* goes with the job's folder then */
    free(r->door);
    free(r);
    return NULL;
}
