/* What the services have in common, and how a phase begins and ends. */
#include "plugin/child/calls.h"

#include "plugin/wire.h"
#include "plugin/child/recorder.h"

#include <pthread.h>

struct step {
    struct ost_step pub; /* what the plugin sees; first */
    const struct child_start *start;

    pthread_mutex_t lock;   /* all that follows */
    const char *fail_text;  /* NULL: fail() was not called */
    const char *last_error; /* "" at first */
};

static struct step the_step = {.lock = PTHREAD_MUTEX_INITIALIZER, .last_error = ""};

static struct step *step_of(struct ost_step *s)
{
    return (struct step *)s;
}

const struct child_start *calls_start(struct ost_step *step)
{
    return step_of(step)->start;
}

char *calls_keep(struct slice s)
{
    return mem_dup(s.ptr, s.len);
}

/* ---- errors ---- */

ost_status calls_failed(struct ost_step *step, ost_status why, const char *text)
{
    struct step *s = step_of(step);

    pthread_mutex_lock(&s->lock);
    s->last_error = calls_keep(slice_of(text));
    pthread_mutex_unlock(&s->lock);
    return why;
}

const char *calls_last_error(struct ost_step *step)
{
    struct step *s = step_of(step);

    pthread_mutex_lock(&s->lock);
    const char *text = s->last_error;
    pthread_mutex_unlock(&s->lock);
    return text;
}

void calls_fail(struct ost_step *step, const char *text)
{
    struct step *s = step_of(step);
    const char *copy = calls_keep(slice_of(text));

    pthread_mutex_lock(&s->lock);
    s->fail_text = copy;
    pthread_mutex_unlock(&s->lock);
}

/* ---- messages ---- */

size_t calls_piece(struct slice text)
{
    size_t n = text.len;

    if (n <= PLUGIN_LOG_MAX)
        return n;
    for (n = PLUGIN_LOG_MAX; n > PLUGIN_LOG_MAX / 2; n--)
        if (text.ptr[n - 1] == '\n')
            return n;
    for (n = PLUGIN_LOG_MAX; n > 1 && ((unsigned char)text.ptr[n] & 0xc0) == 0x80; n--)
        ;
    return n;
}

ost_status calls_send(struct ost_step *step, struct buf *message, size_t at)
{
    struct err err;

    return dialog_send(message, at, &err) < 0 ? calls_failed(step, OST_E_LIMIT, err.text) : OST_OK;
}

ost_status calls_ask(struct ost_step *step, struct buf *message, size_t at, uint32_t id,
                     const char **ret)
{
    struct dialog_waiter w = {.id = id};
    struct wire_frame f;

    dialog_expect(&w);
    ost_status r = calls_send(step, message, at);
    if (r == OST_OK) {
        dialog_await(&w, &f);
        r = (ost_status)wire_int(&f);
        struct slice text = wire_text(&f);
        if (r < 0)
            (void)calls_failed(step, r, text.ptr);
        else if (ret)
            *ret = calls_keep(text);
    }
    dialog_forget(&w);
    return r;
}

/* OP with one or two texts. */
static ost_status ask_plain(struct ost_step *step, enum wire_op op, const char *first,
                            const char *second)
{
    CLEANUP(buf_deinit) struct buf message = DIALOG_MESSAGE_INIT;
    uint32_t id = dialog_id();
    size_t at;

    wire_begin(&message, op, id, &at);
    wire_put_text(&message, first);
    if (second)
        wire_put_text(&message, second);
    return calls_ask(step, &message, at, id, NULL);
}

ost_status calls_announce(struct ost_step *step, const char *name)
{
    return calls_start(step)->watched ? ask_plain(step, WIRE_CALL, name, NULL) : OST_OK;
}

ost_status calls_serve(struct ost_step *step, const char *name, enum wire_op op, const char *first,
                       const char *second)
{
    ost_status r = calls_announce(step, name);

    return r < 0 ? r : ask_plain(step, op, first, second);
}

json_t *calls_texts(const char *const *list)
{
    json_t *array = json_array();

    for (; list && *list; list++) {
        if (json_array_append_new(array, json_string(*list)) < 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

enum { PART_SIZE = 1 << 20 };

/* In parts, since a list of files may be longer than a frame. */
ost_status calls_transfer(struct ost_step *step, const char *op, json_t *take_ask, json_t **ret)
{
    CLEANUP(free_ptr) char *text = take_ask ? json_dumps(take_ask, JSON_COMPACT) : NULL;
    uint32_t id = dialog_id();
    struct slice rest = slice_of(text);
    const char *answer = NULL;
    size_t at;

    json_decref(take_ask);
    ost_status r = calls_announce(step, op);
    if (r < 0)
        return r;
    if (!text)
        return calls_failed(step, OST_E_INVALID, "a text that is not UTF-8");
    if (rest.len > PLUGIN_TRANSFER_MAX)
        return calls_failed(step, OST_E_LIMIT, "the list of files is longer than 32 MiB");
    for (; rest.len > PART_SIZE; rest = slice_from(rest, PART_SIZE)) {
        CLEANUP(buf_deinit) struct buf part = DIALOG_MESSAGE_INIT;

        wire_begin(&part, WIRE_PART, id, &at);
        wire_put_bytes(&part, slice_head(rest, PART_SIZE));
        (void)calls_send(step, &part, at); /* within the limit */
    }
    CLEANUP(buf_deinit) struct buf message = DIALOG_MESSAGE_INIT;
    wire_begin(&message, WIRE_TRANSFER, id, &at);
    wire_put_text(&message, op);
    wire_put_bytes(&message, rest);
    r = calls_ask(step, &message, at, id, &answer);
    if (r < 0)
        return r;
    *ret = json_loads(answer, 0, NULL);
    return json_is_object(*ret) ? OST_OK : calls_failed(step, OST_E_IO, "a malformed answer");
}

/* ---- beginning and end ---- */

static void read_start(struct wire_frame *f, struct child_start *ret)
{
    ret->mode = (enum child_mode)wire_int(f);
    ret->phase = (int)wire_int(f);
    ret->name = calls_keep(wire_text(f));
    ret->has_place = wire_int(f);
    ret->network = wire_int(f);
    ret->strict = wire_int(f);
    ret->services = wire_int(f);
    ret->http = wire_int(f);
    ret->plan = wire_int(f);
    ret->watched = wire_int(f);
    ret->record = wire_int(f);
    ret->protocol = (enum plugin_protocol)wire_int(f);
    ret->contract = calls_keep(wire_text(f));
    ret->deadline_ms = wire_int(f);
    ret->cwd = calls_keep(wire_text(f));
    for (size_t i = 0; i < COUNT_OF(ret->dirs); i++)
        ret->dirs[i] = calls_keep(wire_text(f));
    int64_t n = wire_int(f);
    if (n > CHILD_WRITABLE_MAX)
        dialog_hang_up();
    for (int64_t i = 0; i < n; i++)
        ret->writable[i] = calls_keep(wire_text(f));
    n = wire_int(f);
    if (n < 0 || n > CHILD_SHOWN_MAX)
        dialog_hang_up();
    for (ret->n_shown = 0; ret->n_shown < (size_t)n; ret->n_shown++) {
        ret->shown[ret->n_shown].from = calls_keep(wire_text(f));
        ret->shown[ret->n_shown].to = calls_keep(wire_text(f));
    }
    ret->inputs = (struct strmap)STRMAP_INIT_NOCASE;
    for (n = wire_int(f); n > 0 && !f->bad; n--) {
        struct slice name = wire_text(f);

        strmap_set(&ret->inputs, name, wire_text(f));
    }
}

void calls_open(struct child_start *ret)
{
    struct wire_frame f;
    struct err err;
    size_t size;
    CLEANUP(free_ptr) char *frame = dialog_receive(&size);
    struct slice rest = slice_make(frame, size);

    if (wire_next(&rest, &f, &err) != 1 || f.op != WIRE_START || wire_int(&f) != WIRE_VERSION)
        dialog_hang_up();
    read_start(&f, ret);
    if (wire_done(&f, &err) < 0)
        dialog_hang_up();
}

struct ost_step *calls_step(const struct child_start *start)
{
    the_step.pub.host = &calls_host;
    the_step.start = start;
    if (start->record)
        recorder_begin(&the_step.pub);
    return &the_step.pub;
}

static void send_text(enum wire_op op, const char *text)
{
    CLEANUP(buf_deinit) struct buf message = DIALOG_MESSAGE_INIT;
    size_t at;

    wire_begin(&message, op, 0, &at);
    wire_put_text(&message, text);
    (void)calls_send(&the_step.pub, &message,
                     at); /* the contract's limits are far below the frame's */
}

void calls_record(struct slice line)
{
    CLEANUP(buf_deinit) struct buf message = DIALOG_MESSAGE_INIT;
    struct err err;
    size_t at;

    wire_begin(&message, WIRE_RECORD, 0, &at);
    wire_put_slice(&message, line);
    (void)!dialog_send(&message, at, &err); /* a line is shorter than a frame */
}

void calls_say(void *ctx, const char *text)
{
    (void)ctx;
    send_text(WIRE_SAY, text);
}

void calls_left(int fd, const char *what)
{
    CLEANUP(buf_deinit) struct buf message = DIALOG_MESSAGE_INIT;
    size_t at;

    wire_begin(&message, WIRE_LEFT, 0, &at);
    wire_put_int(&message, fd);
    wire_put_text(&message, what);
    (void)calls_send(&the_step.pub, &message, at); /* a path: it fits */
}

void calls_tables(const char *json)
{
    send_text(WIRE_TABLES, json);
}

void calls_end(bool loaded, int32_t status, const char *text)
{
    CLEANUP(buf_deinit) struct buf message = DIALOG_MESSAGE_INIT;
    struct step *s = &the_step;
    size_t at;

    if (s->start && s->start->record)
        recorder_end(status);
    pthread_mutex_lock(&s->lock);
    if (!text && status < 0)
        text = s->fail_text && *s->fail_text ? s->fail_text : s->last_error;
    pthread_mutex_unlock(&s->lock);
    wire_begin(&message, WIRE_END, 0, &at);
    wire_put_int(&message, loaded ? WIRE_RETURNED : WIRE_NOT_LOADED);
    wire_put_int(&message, status);
    struct slice all = slice_of(calls_text(text));
    wire_put_slice(&message, slice_head(all, calls_piece(all)));
    (void)calls_send(&s->pub, &message, at); /* within the limit */
}
