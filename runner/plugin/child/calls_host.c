/* The services of ost_host, each a message to the runner. */
#include "plugin/child/calls.h"

#include "base/clock.h"
#include "base/fd.h"
#include "plugin/wire.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

/* A mistake of the plugin itself. The runner ends the phase; a getter could not return anything that is
 * safe to go on with. */
__attribute__((noreturn)) static void bug(struct ost_step *step, enum wire_bug what,
                                          const char *name)
{
    struct buf message = DIALOG_MESSAGE_INIT;
    size_t at;

    wire_begin(&message, WIRE_BUG, 0, &at);
    wire_put_int(&message, what);
    wire_put_slice(&message, slice_head(slice_of(name), 200));
    (void)calls_send(step, &message, at); /* small: it fits */
    _exit(0);
}

/* ---- say ---- */

static void host_annotate(struct ost_step *step, const struct ost_note *theirs)
{
    CLEANUP(buf_deinit) struct buf message = DIALOG_MESSAGE_INIT;
    struct ost_note note = {0};
    const char *texts[3];
    size_t at;

    if (!theirs || theirs->struct_size < sizeof theirs->struct_size)
        return;
    memcpy(&note, theirs, theirs->struct_size < sizeof note ? theirs->struct_size : sizeof note);
    texts[0] = note.message;
    texts[1] = note.title;
    texts[2] = note.file;
    wire_begin(&message, WIRE_NOTE, 0, &at);
    wire_put_int(&message, note.level);
    for (int i = 0; i < 3; i++) {
        struct slice text = slice_of(calls_text(texts[i]));

        wire_put_slice(&message, slice_head(text, calls_piece(text)));
    }
    wire_put_int(&message, note.line);
    wire_put_int(&message, note.end_line);
    wire_put_int(&message, note.col);
    wire_put_int(&message, note.end_col);
    (void)calls_send(step, &message, at); /* within the limit by the cuts above */
}

static void host_log(struct ost_step *step, int32_t level, const char *text)
{
    struct slice rest = slice_of(calls_text(text));

    if (level >= OST_NOTICE) {
        struct ost_note note = {.struct_size = sizeof note, .level = level, .message = rest.ptr};

        host_annotate(step, &note);
        return;
    }
    do {
        CLEANUP(buf_deinit) struct buf message = DIALOG_MESSAGE_INIT;
        size_t at, n = calls_piece(rest);

        wire_begin(&message, WIRE_LOG, 0, &at);
        wire_put_int(&message, level == OST_DEBUG ? OST_DEBUG : OST_INFO);
        wire_put_slice(&message, slice_head(rest, n));
        (void)calls_send(step, &message, at); /* within the limit */
        rest = slice_from(rest, n);
    } while (rest.len);
}

static void host_group(struct ost_step *step, const char *title)
{
    CLEANUP(buf_deinit) struct buf message = DIALOG_MESSAGE_INIT;
    struct slice text = slice_of(title);
    size_t at;

    wire_begin(&message, WIRE_GROUP, 0, &at);
    wire_put_slice(&message, slice_head(text, calls_piece(text)));
    (void)calls_send(step, &message, at); /* within the limit */
}

static ost_status host_mask(struct ost_step *step, const char *secret)
{
    return calls_serve(step, "mask", WIRE_MASK, calls_text(secret), NULL);
}

static ost_status host_fail(struct ost_step *step, ost_status why, const char *text)
{
    calls_fail(step, calls_text(text));
    return why;
}

/* ---- the contract at run time ---- */

static struct slice find_input(struct ost_step *step, const char *name)
{
    struct slice value;

    if (!strmap_find(&calls_start(step)->inputs, slice_of(calls_text(name)), &value))
        bug(step, WIRE_BUG_INPUT, calls_text(name));
    return value;
}

static const char *host_input(struct ost_step *step, const char *name)
{
    return find_input(step, name).ptr; /* lives as long as the process */
}

static size_t host_input_list(struct ost_step *step, const char *name, const char *const **items)
{
    struct slice rest = find_input(step, name), line;
    const char **list;
    size_t n = 0, room = 1;

    for (size_t i = 0; i < rest.len; i++)
        room += rest.ptr[i] == '\n';
    list = mem_new((room + 1) * sizeof *list);
    while (slice_line(&rest, &line)) {
        line = slice_trim(line);
        if (line.len)
            list[n++] = calls_keep(line);
    }
    if (items)
        *items = list;
    return n;
}

/* The service CALL: OP with a name, answered by a text or nothing. */
static const char *ask_value(struct ost_step *step, const char *call, enum wire_op op,
                             const char *name)
{
    CLEANUP(buf_deinit) struct buf message = DIALOG_MESSAGE_INIT;
    const char *value = NULL;
    struct wire_frame f;
    size_t at;

    if (calls_announce(step, call) < 0)
        return NULL;
    struct dialog_waiter w = {.id = dialog_id()};
    dialog_expect(&w);
    wire_begin(&message, op, w.id, &at);
    wire_put_text(&message, calls_text(name));
    if (calls_send(step, &message, at) == OST_OK) {
        dialog_await(&w, &f);
        struct slice text = wire_maybe(&f);
        value = text.ptr ? calls_keep(text) : NULL;
    }
    dialog_forget(&w);
    return value;
}

static const char *host_context(struct ost_step *step, const char *name)
{
    return ask_value(step, "context", WIRE_CONTEXT, name);
}

static const char *host_saved(struct ost_step *step, const char *name)
{
    return ask_value(step, "saved", WIRE_SAVED, name);
}

static ost_status host_output(struct ost_step *step, const char *name, const char *value)
{
    return calls_serve(step, "output", WIRE_OUTPUT, calls_text(name), calls_text(value));
}

static ost_status host_env(struct ost_step *step, const char *name, const char *value)
{
    return calls_serve(step, "env", WIRE_ENV, calls_text(name), calls_text(value));
}

static ost_status host_path(struct ost_step *step, const char *dir)
{
    return calls_serve(step, "path", WIRE_PATH, calls_text(dir), NULL);
}

static ost_status host_summary(struct ost_step *step, const char *markdown)
{
    return calls_serve(step, "summary", WIRE_SUMMARY, calls_text(markdown), NULL);
}

static ost_status host_save(struct ost_step *step, const char *name, const char *value)
{
    return calls_serve(step, "save", WIRE_SAVE, calls_text(name), calls_text(value));
}

/* ---- places and memory ---- */

static const char *host_dir(struct ost_step *step, int32_t which)
{
    const char *const *dirs = calls_start(step)->dirs;

    return which >= 0 && which <= OST_DIR_SELF ? dirs[which] : "";
}

static void *host_alloc(struct ost_step *step, size_t size)
{
    void *p = calloc(1, size ? size : 1);
    char text[48];

    if (!p) {
        snprintf(text, sizeof text, "%zu bytes", size);
        bug(step, WIRE_BUG_MEMORY, text);
    }
    return p;
}

static const char *host_temp(struct ost_step *step, const char *suffix)
{
    struct buf path = BUF_INIT(4096);
    size_t n = strlen(calls_text(suffix));

    if (n > 100 || strchr(calls_text(suffix), '/')) {
        (void)calls_failed(step, OST_E_INVALID,
                           "temp: the suffix is too long, or has a slash in it");
        return NULL;
    }
    if (calls_announce(step, "temp") < 0)
        return NULL;
    buf_printf(&path, "%s/plugin-XXXXXX%s", calls_start(step)->dirs[OST_DIR_TEMP],
               calls_text(suffix));
    int fd = mkostemps(path.ptr, (int)n, O_CLOEXEC);
    if (fd < 0) {
        struct err err;

        (void)err_sys(&err, "cannot create '%s'", path.ptr);
        (void)calls_failed(step, OST_E_IO, err.text);
        buf_deinit(&path);
        return NULL;
    }
    fd_closep(&fd);
    return buf_take(&path); /* phase memory */
}

/* ---- time, plan, growth ---- */

static int32_t host_phase(struct ost_step *step)
{
    return calls_start(step)->phase;
}

static int32_t host_cancelled(struct ost_step *step)
{
    struct pollfd p = {.fd = CHILD_CANCEL, .events = POLLIN};

    (void)step;
    return poll(&p, 1, 0) > 0 && p.revents & POLLIN;
}

static int32_t host_cancel_fd(struct ost_step *step)
{
    (void)step;
    return CHILD_CANCEL;
}

static int64_t host_time_left_ms(struct ost_step *step)
{
    int64_t deadline = calls_start(step)->deadline_ms, left;

    if (deadline == CLOCK_NEVER)
        return INT64_MAX;
    left = deadline - clock_ms();
    return left < 0 ? 0 : left;
}

static ost_status host_plan(struct ost_step *step, const char *verb, const char *object,
                            const char *detail)
{
    CLEANUP(buf_deinit) struct buf message = DIALOG_MESSAGE_INIT;
    ost_status r = calls_announce(step, "plan");
    uint32_t id = dialog_id();
    size_t at;

    if (r < 0)
        return r;
    wire_begin(&message, WIRE_PLAN, id, &at);
    wire_put_text(&message, calls_text(verb));
    wire_put_text(&message, calls_text(object));
    wire_put_text(&message, calls_text(detail));
    return calls_ask(step, &message, at, id, NULL);
}

static const void *host_extension(struct ost_step *step, const char *id)
{
    const struct child_start *start = calls_start(step);
    const struct {
        const char *id;
        const void *table;
        bool there;
    } tables[] = {
        {OST_EXT_FILES, &calls_files, true},
        {OST_EXT_SOURCE, &calls_source, true},
        {OST_EXT_PROGRESS, &calls_progress, true},
        {OST_EXT_MASK, &calls_mask, true},
        {OST_EXT_MIRROR, &calls_mirror, true},
        {OST_EXT_CACHE, &calls_cache, start->services},
        {OST_EXT_ARTIFACTS, &calls_artifacts, start->services},
        {OST_EXT_BLOBS, &calls_blobs, start->services},
        {OST_EXT_HTTP, &calls_http, start->http},
    };

    if (calls_announce(step, "extension") < 0)
        return NULL;
    for (size_t i = 0; id && i < COUNT_OF(tables); i++)
        if (strcmp(tables[i].id, id) == 0)
            return tables[i].there ? tables[i].table : NULL;
    return NULL;
}

const struct ost_host calls_host = {
    .struct_size = sizeof calls_host,
    .abi_minor = OST_ABI_MINOR,
    .log = host_log,
    .annotate = host_annotate,
    .group = host_group,
    .mask = host_mask,
    .fail = host_fail,
    .last_error = calls_last_error,
    .input = host_input,
    .input_list = host_input_list,
    .context = host_context,
    .output = host_output,
    .env = host_env,
    .path = host_path,
    .summary = host_summary,
    .save = host_save,
    .saved = host_saved,
    .dir = host_dir,
    .temp = host_temp,
    .alloc = host_alloc,
    .exec = calls_exec,
    .phase = host_phase,
    .cancelled = host_cancelled,
    .cancel_fd = host_cancel_fd,
    .time_left_ms = host_time_left_ms,
    .plan = host_plan,
    .extension = host_extension,
};
