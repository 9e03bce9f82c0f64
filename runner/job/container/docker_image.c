#include "job/container/docker_image.h"

#include "base/path.h"
#include "job/container/job_engine.h"
#include "job/notice.h"

enum { REMOVE_MS = 60000 };

static const char scheme[] = "docker://";

static const char *without_scheme(const char *text)
{
    return strncmp(text, scheme, sizeof scheme - 1) == 0 ? text + sizeof scheme - 1 : NULL;
}

bool docker_is(const struct instance *i)
{
    if (i->plugin || !i->def->uses)
        return false;
    return without_scheme(i->def->uses) || (i->action && i->action->kind == ACTION_DOCKER);
}

const char *docker_image_named(const struct instance *i)
{
    return i->action ? without_scheme(i->action->image) : without_scheme(i->def->uses);
}

int docker_image_build_args(struct run *run, struct instance *i, const char *dir, struct arena *a,
                            const char *const **ret, struct err *err)
{
    CLEANUP(free_ptr) char *joined = path_join(dir, i->action->image);
    CLEANUP(free_ptr) char *file = path_normal(joined);
    CLEANUP(free_ptr) char *context = mem_dup(file, (size_t)(path_base(file) - file));
    struct buf tag = BUF_INIT(128);
    char id[33];

    if (!path_below(file, dir))
        return err_set(err, ERR_DENIED, "the Dockerfile '%s' is not in the action's folder",
                       i->action->image);
    job_engine_random(id, 32);
    buf_printf(&tag, "ostler-action:%s", id);
    free(i->image);
    i->image = buf_take(&tag);
    vec_push(&run->built, mem_dup(i->image, strlen(i->image)));

    const char *args[] = {"build",
                          "-t",
                          i->image,
                          "-f",
                          arena_str(a, slice_of(file)),
                          arena_str(a, slice_of(context)),
                          NULL};
    const char **list = arena_array(a, COUNT_OF(args), sizeof *list);
    memcpy(list, args, sizeof args);
    *ret = list;
    return ERR_OK;
}

/* ---- before the steps ---- */

static int pull(struct run *run, struct log *log, const char *image, struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct container_def def = {.image = image, .options = ""};
    struct engine *e = NULL;
    int r = job_engine_get(run, &e, err);

    if (r < 0)
        return r;
    job_engine_tell(e, log);
    r = job_engine_provide(run, e, log, &def, &a, err);
    job_engine_tell(e, NULL);
    return r;
}

static int build(struct run *run, struct log *log, struct instance *i, struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    const char *const *args = NULL;
    struct engine *e = NULL;
    int r = job_engine_get(run, &e, err);

    if (r == ERR_OK)
        r = docker_image_build_args(run, i, i->action_source, &a, &args, err);
    if (r < 0)
        return r;
    job_engine_tell(e, log);
    r = job_engine_try(e, log, &(struct engine_command){.args = args}, err);
    job_engine_tell(e, NULL);
    return r;
}

static void prepare_one(struct run *run, struct instance *i)
{
    CLEANUP(buf_deinit) struct buf name = BUF_INIT(4096);
    const char *image = docker_image_named(i);
    struct err err = ERR_INIT;
    struct notice n;

    buf_printf(&name, "%s %s", image ? "Pull" : "Build", image ? image : i->def->uses);
    notice_begin(&n, run, name.ptr, "setup");
    int r = image ? pull(run, n.log, image, &err) : build(run, n.log, i, &err);
    if (r == ERR_CANCELLED && run->place_lost && !run->cancelled)
        r = err_set(&err, ERR_FAILED, "ostler-init was killed: the job's place is gone");
    if (r < 0)
        log_issue(n.log, ANNOTATION_ERROR, "%s", err.text);
    notice_end(&n, r == ERR_CANCELLED ? RESULT_CANCELLED : r < 0 ? RESULT_FAILURE : RESULT_SUCCESS);
}

/* True if another step had the image of I pulled. */
static bool is_there(const struct run *run, const struct instance *i)
{
    for (const struct frame *f = run->frames; f; f = f->next) {
        for (size_t k = 0; k < f->n_instances; k++) {
            const struct instance *other = &f->instances[k];

            if (other->image_ready && docker_image_named(other) &&
                strcmp(docker_image_named(other), docker_image_named(i)) == 0)
                return true;
        }
    }
    return false;
}

static void prepare_frame(struct run *run, struct frame *f)
{
    for (size_t k = 0; k < f->n_instances; k++) {
        struct instance *i = &f->instances[k];

        if (i->inner)
            prepare_frame(run, i->inner);
        if (!docker_is(i) || run->status > RESULT_SUCCESS || run->cancelled)
            continue;
        if (!docker_image_named(i) || !is_there(run, i))
            prepare_one(run, i);
        i->image_ready = true;
    }
}

void docker_images_prepare(struct run *run)
{
    prepare_frame(run, run->root);
}

void docker_images_remove(struct run *run)
{
    VEC_EACH (tag, &run->built) {
        struct engine_command rmi = {
            .args =
                (const char *const[]){"rmi", "--no-prune", *tag, NULL}, /* its layers are a cache */
            .quiet = true,
            .limit_ms = REMOVE_MS};
        struct err ignored = ERR_INIT; /* a build that failed has left none */

        engine_resume(run->engine);
        (void)!engine_must(run->engine, &rmi, &ignored);
        free(*tag);
    }
    vec_deinit(&run->built);
}
