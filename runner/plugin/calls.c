/* The services of ost_host, seen from the plugin: each call becomes a message to the runner.
 *
 * Any thread may call. Whoever waits for an answer while nobody reads becomes the reader; it hands what
 * is not its own to the others and passes the job on when its own has come. */
#include "plugin/calls.h"

#include "base/clock.h"
#include "base/fd.h"
#include "plugin/host.h"
#include "plugin/recorder.h"
#include "plugin/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

struct waiter { /* on the stack of the thread that waits */
    struct waiter *next;
    uint32_t id;
    char *frame; /* its answer, head included; malloc */
    size_t size;
};

struct step {
    struct ost_step pub; /* what the plugin sees; first */
    const struct child_start *start;

    pthread_mutex_t sending; /* frames leave whole */

    pthread_mutex_t lock; /* all that follows */
    pthread_cond_t news;
    bool reading; /* somebody is */
    struct waiter *waiters;
    uint32_t last_id;
    const char *fail_text;  /* NULL: fail() was not called */
    const char *last_error; /* "" at first */
};

static struct step the_step = {.sending = PTHREAD_MUTEX_INITIALIZER,
                               .lock = PTHREAD_MUTEX_INITIALIZER,
                               .news = PTHREAD_COND_INITIALIZER,
                               .last_error = ""};

static struct step *step_of(struct ost_step *s)
{
    return (struct step *)s;
}

/* ---- bytes ---- */

/* The runner is gone, or what it says is not ours to understand: there is nobody to work for. */
static void hang_up(void)
{
    _exit(70);
}

static void send_all(struct slice bytes)
{
    while (bytes.len) {
        ssize_t n = send(CHILD_SOCKET, bytes.ptr, bytes.len, MSG_NOSIGNAL);

        if (n < 0 && errno != EINTR)
            hang_up();
        if (n > 0)
            bytes = slice_from(bytes, (size_t)n);
    }
}

static void receive_all(char *to, size_t size)
{
    while (size) {
        ssize_t n = recv(CHILD_SOCKET, to, size, 0);

        if (n == 0 || (n < 0 && errno != EINTR))
            hang_up();
        if (n > 0) {
            to += n;
            size -= (size_t)n;
        }
    }
}

/* The next frame, head included; malloc. */
static char *receive_frame(size_t *ret_size)
{
    struct wire_head head;

    receive_all((char *)&head, sizeof head);
    if (head.size > WIRE_FRAME_MAX)
        hang_up();
    char *frame = mem_new(sizeof head + head.size);
    memcpy(frame, &head, sizeof head);
    receive_all(frame + sizeof head, head.size);
    *ret_size = sizeof head + head.size;
    return frame;
}

/* Phase memory is the process's memory: it ends with the phase, so nothing is ever given back. */
static char *keep(struct slice s)
{
    return mem_dup(s.ptr, s.len);
}

/* ---- messages ---- */

#define MESSAGE_INIT BUF_INIT(WIRE_FRAME_MAX + 64)

static void post(struct step *s, struct buf *frame)
{
    pthread_mutex_lock(&s->sending);
    send_all(buf_slice(frame));
    pthread_mutex_unlock(&s->sending);
}

static ost_status failed(struct step *s, ost_status why, const char *text)
{
    pthread_mutex_lock(&s->lock);
    s->last_error = keep(slice_of(text));
    pthread_mutex_unlock(&s->lock);
    return why;
}

/* Closes the frame in MESSAGE and sends it. */
static ost_status send_message(struct step *s, struct buf *message, size_t at)
{
    struct err err;

    if (wire_close(message, at, &err) < 0)
        return failed(s, OST_E_LIMIT, err.text);
    post(s, message);
    return OST_OK;
}

static uint32_t new_id(struct step *s)
{
    pthread_mutex_lock(&s->lock);
    uint32_t id = ++s->last_id ? s->last_id : ++s->last_id; /* 0 means that nobody waits */
    pthread_mutex_unlock(&s->lock);
    return id;
}

/* A waiter must be known before its request leaves: another thread may read the answer at once. */
static void expect(struct step *s, struct waiter *w)
{
    pthread_mutex_lock(&s->lock);
    w->next = s->waiters;
    s->waiters = w;
    pthread_mutex_unlock(&s->lock);
}

static void hand_out(struct step *s, char *frame, size_t size)
{
    struct wire_head head;

    memcpy(&head, frame, sizeof head);
    for (struct waiter *w = s->waiters; w; w = w->next) {
        if (w->id == head.id && !w->frame) {
            w->frame = frame;
            w->size = size;
            return;
        }
    }
    free(frame); /* of a call that was given up */
}

/* Waits for W's next answer: what it points to lives until W->frame is freed. */
static void await(struct step *s, struct waiter *w, struct wire_frame *ret)
{
    struct err err;

    pthread_mutex_lock(&s->lock);
    while (!w->frame) {
        if (s->reading) {
            pthread_cond_wait(&s->news, &s->lock);
            continue;
        }
        size_t size;

        s->reading = true;
        pthread_mutex_unlock(&s->lock);
        char *frame = receive_frame(&size);
        pthread_mutex_lock(&s->lock);
        s->reading = false;
        hand_out(s, frame, size);
        pthread_cond_broadcast(&s->news);
    }
    pthread_mutex_unlock(&s->lock);
    struct slice rest = slice_make(w->frame, w->size);
    if (wire_next(&rest, ret, &err) != 1)
        hang_up();
}

static void next_answer(struct waiter *w)
{
    free(w->frame);
    w->frame = NULL;
}

static void forget(struct step *s, struct waiter *w)
{
    pthread_mutex_lock(&s->lock);
    for (struct waiter **at = &s->waiters; *at; at = &(*at)->next) {
        if (*at == w) {
            *at = w->next;
            break;
        }
    }
    pthread_mutex_unlock(&s->lock);
    next_answer(w);
}

static bool is_cancelled(void)
{
    struct pollfd p = {.fd = CHILD_CANCEL, .events = POLLIN};

    return poll(&p, 1, 0) > 0 && p.revents & POLLIN;
}

/* A mistake of the plugin itself. The runner ends the phase; a getter could not return anything that is
 * safe to go on with. */
__attribute__((noreturn)) static void bug(struct step *s, enum wire_bug what, const char *name)
{
    struct buf message = MESSAGE_INIT;
    size_t at;

    wire_begin(&message, WIRE_BUG, 0, &at);
    wire_put_int(&message, what);
    wire_put_slice(&message, slice_head(slice_of(name), 200));
    (void)send_message(s, &message, at); /* small: it fits */
    _exit(0);
}

static const char *text_or(const char *text, const char *fallback)
{
    return text ? text : fallback;
}

/* ---- calls that are answered by a status, and a text with it ---- */

static ost_status ask_text(struct step *s, struct buf *message, size_t at, uint32_t id,
                           const char **ret)
{
    struct waiter w = {.id = id};
    struct wire_frame f;

    expect(s, &w);
    ost_status r = send_message(s, message, at);
    if (r == OST_OK) {
        await(s, &w, &f);
        r = (ost_status)wire_int(&f);
        struct slice text = wire_text(&f);
        if (r < 0)
            (void)failed(s, r, text.ptr);
        else if (ret)
            *ret = keep(text);
    }
    forget(s, &w);
    return r;
}

static ost_status ask_status(struct step *s, struct buf *message, size_t at, uint32_t id)
{
    return ask_text(s, message, at, id, NULL);
}

/* OP with one or two texts. */
static ost_status ask_plain(struct ost_step *step, enum wire_op op, const char *first,
                            const char *second)
{
    CLEANUP(buf_deinit) struct buf message = MESSAGE_INIT;
    struct step *s = step_of(step);
    uint32_t id = new_id(s);
    size_t at;

    wire_begin(&message, op, id, &at);
    wire_put_text(&message, first);
    if (second)
        wire_put_text(&message, second);
    return ask_status(s, &message, at, id);
}

ost_status calls_announce(struct ost_step *step, const char *name)
{
    return step_of(step)->start->watched ? ask_plain(step, WIRE_CALL, name, NULL) : OST_OK;
}

/* The service NAME, which is OP with one or two texts. */
static ost_status ask(struct ost_step *step, const char *name, enum wire_op op, const char *first,
                      const char *second)
{
    ost_status r = calls_announce(step, name);

    return r < 0 ? r : ask_plain(step, op, first, second);
}

/* ---- say ---- */

/* Cuts TEXT before the limit, at a line's end where there is one, never inside a character. */
static size_t piece_of(struct slice text)
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

static void host_annotate(struct ost_step *step, const struct ost_note *theirs)
{
    CLEANUP(buf_deinit) struct buf message = MESSAGE_INIT;
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
        struct slice text = slice_of(text_or(texts[i], ""));

        wire_put_slice(&message, slice_head(text, piece_of(text)));
    }
    wire_put_int(&message, note.line);
    wire_put_int(&message, note.end_line);
    wire_put_int(&message, note.col);
    wire_put_int(&message, note.end_col);
    (void)send_message(step_of(step), &message, at); /* within the limit by the cuts above */
}

static void host_log(struct ost_step *step, int32_t level, const char *text)
{
    struct slice rest = slice_of(text_or(text, ""));

    if (level >= OST_NOTICE) {
        struct ost_note note = {.struct_size = sizeof note, .level = level, .message = rest.ptr};

        host_annotate(step, &note);
        return;
    }
    do {
        CLEANUP(buf_deinit) struct buf message = MESSAGE_INIT;
        size_t at, n = piece_of(rest);

        wire_begin(&message, WIRE_LOG, 0, &at);
        wire_put_int(&message, level == OST_DEBUG ? OST_DEBUG : OST_INFO);
        wire_put_slice(&message, slice_head(rest, n));
        (void)send_message(step_of(step), &message, at); /* within the limit */
        rest = slice_from(rest, n);
    } while (rest.len);
}

static void host_group(struct ost_step *step, const char *title)
{
    CLEANUP(buf_deinit) struct buf message = MESSAGE_INIT;
    struct slice text = slice_of(title);
    size_t at;

    wire_begin(&message, WIRE_GROUP, 0, &at);
    wire_put_slice(&message, slice_head(text, piece_of(text)));
    (void)send_message(step_of(step), &message, at); /* within the limit */
}

static ost_status host_mask(struct ost_step *step, const char *secret)
{
    return ask(step, "mask", WIRE_MASK, text_or(secret, ""), NULL);
}

static ost_status host_fail(struct ost_step *step, ost_status why, const char *text)
{
    struct step *s = step_of(step);
    const char *copy = keep(slice_of(text_or(text, "")));

    pthread_mutex_lock(&s->lock);
    s->fail_text = copy;
    pthread_mutex_unlock(&s->lock);
    return why;
}

static const char *host_last_error(struct ost_step *step)
{
    struct step *s = step_of(step);

    pthread_mutex_lock(&s->lock);
    const char *text = s->last_error;
    pthread_mutex_unlock(&s->lock);
    return text;
}

/* ---- the contract at run time ---- */

static struct slice find_input(struct ost_step *step, const char *name)
{
    struct step *s = step_of(step);
    struct slice value;

    if (!strmap_find(&s->start->inputs, slice_of(text_or(name, "")), &value))
        bug(s, WIRE_BUG_INPUT, text_or(name, ""));
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
            list[n++] = keep(line);
    }
    if (items)
        *items = list;
    return n;
}

/* The service CALL: OP with a name, answered by a text or nothing. */
static const char *ask_value(struct ost_step *step, const char *call, enum wire_op op,
                             const char *name)
{
    CLEANUP(buf_deinit) struct buf message = MESSAGE_INIT;
    struct step *s = step_of(step);
    const char *value = NULL;
    struct wire_frame f;
    size_t at;

    if (calls_announce(step, call) < 0)
        return NULL;
    struct waiter w = {.id = new_id(s)};
    expect(s, &w);
    wire_begin(&message, op, w.id, &at);
    wire_put_text(&message, text_or(name, ""));
    if (send_message(s, &message, at) == OST_OK) {
        await(s, &w, &f);
        struct slice text = wire_maybe(&f);
        value = text.ptr ? keep(text) : NULL;
    }
    forget(s, &w);
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
    return ask(step, "output", WIRE_OUTPUT, text_or(name, ""), text_or(value, ""));
}

static ost_status host_env(struct ost_step *step, const char *name, const char *value)
{
    return ask(step, "env", WIRE_ENV, text_or(name, ""), text_or(value, ""));
}

static ost_status host_path(struct ost_step *step, const char *dir)
{
    return ask(step, "path", WIRE_PATH, text_or(dir, ""), NULL);
}

static ost_status host_summary(struct ost_step *step, const char *markdown)
{
    return ask(step, "summary", WIRE_SUMMARY, text_or(markdown, ""), NULL);
}

static ost_status host_save(struct ost_step *step, const char *name, const char *value)
{
    return ask(step, "save", WIRE_SAVE, text_or(name, ""), text_or(value, ""));
}

/* ---- places and memory ---- */

static const char *host_dir(struct ost_step *step, int32_t which)
{
    const char *const *dirs = step_of(step)->start->dirs;

    return which >= 0 && which <= OST_DIR_SELF ? dirs[which] : "";
}

static void *host_alloc(struct ost_step *step, size_t size)
{
    void *p = calloc(1, size ? size : 1);
    char text[48];

    if (!p) {
        snprintf(text, sizeof text, "%zu bytes", size);
        bug(step_of(step), WIRE_BUG_MEMORY, text);
    }
    return p;
}

static const char *host_temp(struct ost_step *step, const char *suffix)
{
    struct step *s = step_of(step);
    struct buf path = BUF_INIT(4096);
    size_t n = strlen(text_or(suffix, ""));

    if (n > 100 || strchr(text_or(suffix, ""), '/')) {
        (void)failed(s, OST_E_INVALID, "temp: the suffix is too long, or has a slash in it");
        return NULL;
    }
    if (calls_announce(step, "temp") < 0)
        return NULL;
    buf_printf(&path, "%s/plugin-XXXXXX%s", s->start->dirs[OST_DIR_TEMP], text_or(suffix, ""));
    int fd = mkostemps(path.ptr, (int)n, O_CLOEXEC);
    if (fd < 0) {
        struct err err;

        (void)err_sys(&err, "cannot create '%s'", path.ptr);
        (void)failed(s, OST_E_IO, err.text);
        buf_deinit(&path);
        return NULL;
    }
    fd_closep(&fd);
    return buf_take(&path); /* phase memory */
}

/* ---- act ---- */

static void put_list(struct buf *message, const char *const *list)
{
    int64_t n = 0;

    while (list && list[n])
        n++;
    wire_put_int(message, n);
    for (int64_t i = 0; i < n; i++)
        wire_put_text(message, list[i]);
}

static void put_exec(struct buf *message, const struct ost_exec *x)
{
    wire_put_int(message, x->flags);
    wire_put_int(message, x->timeout_ms);
    wire_put_int(message, x->on_output != NULL);
    put_list(message, x->argv);
    put_list(message, x->env);
    wire_put_text(message, x->cwd);
    wire_put_int(message, x->input != NULL);
    wire_put_bytes(message, slice_make(x->input, x->input ? x->input_size : 0));
}

static void acknowledge(struct step *s, uint32_t id, ost_status how)
{
    CLEANUP(buf_deinit) struct buf message = MESSAGE_INIT;
    size_t at;

    wire_begin(&message, WIRE_ACK, id, &at);
    wire_put_int(&message, how);
    (void)send_message(s, &message, at); /* within the limit */
}

/* Fills in no more of theirs than they have. */
static void give_result(const struct ost_exec_result *ours, struct ost_exec_result *theirs)
{
    uint32_t size = theirs->struct_size;

    memcpy(theirs, ours, size < sizeof *ours ? size : sizeof *ours);
    theirs->struct_size = size;
}

static ost_status take_exited(struct step *s, struct wire_frame *f, struct ost_exec_result *res)
{
    struct ost_exec_result got = {.struct_size = sizeof got};
    ost_status r = (ost_status)wire_int(f);
    struct slice text = wire_text(f);

    got.exit_code = (int32_t)wire_int(f);
    got.signal = (int32_t)wire_int(f);
    struct slice out = wire_bytes(f);
    if (out.len && out.ptr[out.len - 1] == '\n')
        out.len--;
    got.out = out.len ? keep(out) : "";
    got.out_size = out.len;
    if (res && res->struct_size >= sizeof res->struct_size)
        give_result(&got, res);
    return r < 0 ? failed(s, r, text.ptr) : r;
}

/* Hands output to the callback until the command has ended. A callback that refused is not asked again;
 * the runner stops the command and answers with its status. */
static ost_status follow(struct step *s, struct waiter *w, const struct ost_exec *x,
                         struct ost_exec_result *res)
{
    struct wire_frame f;
    ost_status how = OST_OK;

    for (;;) {
        await(s, w, &f);
        if (f.op != WIRE_DATA)
            return take_exited(s, &f, res);
        int32_t fd = (int32_t)wire_int(&f);
        struct slice data = wire_bytes(&f);
        if (how >= 0 && x->on_output)
            how = x->on_output(x->ctx, fd, data.ptr, data.len);
        next_answer(w);
        acknowledge(s, w->id, how < 0 ? how : OST_OK);
    }
}

static ost_status host_exec(struct ost_step *step, const struct ost_exec *theirs,
                            struct ost_exec_result *res)
{
    const uint32_t known = OST_EXEC_CHECK | OST_EXEC_QUIET | OST_EXEC_CAPTURE | OST_EXEC_COMMANDS;
    const size_t least = offsetof(struct ost_exec, argv) + sizeof theirs->argv;
    CLEANUP(buf_deinit) struct buf message = MESSAGE_INIT;
    struct step *s = step_of(step);
    struct ost_exec x = {0};
    size_t at;

    if (!theirs || theirs->struct_size < least)
        return failed(s, OST_E_INVALID, "exec: the description has no struct_size");
    memcpy(&x, theirs, theirs->struct_size < sizeof x ? theirs->struct_size : sizeof x);
    if (x.flags & ~known)
        return failed(s, OST_E_UNSUPPORTED, "exec: this host does not know all of the flags");
    if (!x.argv || !x.argv[0] || !x.argv[0][0])
        return failed(s, OST_E_INVALID, "exec: argv names no program");
    if (x.input_size > PLUGIN_COMMAND_MAX)
        return failed(s, OST_E_LIMIT, "exec: the input is too large; pass a file");
    ost_status r = calls_announce(step, "exec");
    if (r < 0)
        return r;

    struct waiter w = {.id = new_id(s)};
    expect(s, &w);
    wire_begin(&message, WIRE_EXEC, w.id, &at);
    put_exec(&message, &x);
    r = send_message(s, &message, at);
    if (r == OST_OK)
        r = follow(s, &w, &x, res);
    forget(s, &w);
    return r;
}

/* ---- time, plan, growth ---- */

static int32_t host_phase(struct ost_step *step)
{
    return step_of(step)->start->phase;
}

static int32_t host_cancelled(struct ost_step *step)
{
    (void)step;
    return is_cancelled();
}

static int32_t host_cancel_fd(struct ost_step *step)
{
    (void)step;
    return CHILD_CANCEL;
}

static int64_t host_time_left_ms(struct ost_step *step)
{
    int64_t deadline = step_of(step)->start->deadline_ms, left;

    if (deadline == CLOCK_NEVER)
        return INT64_MAX;
    left = deadline - clock_ms();
    return left < 0 ? 0 : left;
}

static ost_status host_plan(struct ost_step *step, const char *verb, const char *object,
                            const char *detail)
{
    CLEANUP(buf_deinit) struct buf message = MESSAGE_INIT;
    struct step *s = step_of(step);
    ost_status r = calls_announce(step, "plan");
    uint32_t id = new_id(s);
    size_t at;

    if (r < 0)
        return r;
    wire_begin(&message, WIRE_PLAN, id, &at);
    wire_put_text(&message, text_or(verb, ""));
    wire_put_text(&message, text_or(object, ""));
    wire_put_text(&message, text_or(detail, ""));
    return ask_status(s, &message, at, id);
}

void calls_tell_progress(struct ost_step *step, const char *label, int64_t done, int64_t total)
{
    CLEANUP(buf_deinit) struct buf message = MESSAGE_INIT;
    struct slice text = slice_of(label);
    size_t at;

    wire_begin(&message, WIRE_PROGRESS, 0, &at);
    wire_put_slice(&message, slice_head(text, piece_of(text)));
    wire_put_int(&message, done);
    wire_put_int(&message, total);
    (void)send_message(step_of(step), &message, at); /* within the limit */
}

ost_status calls_hash(struct ost_step *step, const char *const *paths, size_t n, const char **ret)
{
    CLEANUP(buf_deinit) struct buf message = MESSAGE_INIT;
    struct step *s = step_of(step);
    uint32_t id = new_id(s);
    size_t at;

    wire_begin(&message, WIRE_HASH, id, &at);
    wire_put_int(&message, (int64_t)n);
    for (size_t i = 0; i < n; i++)
        wire_put_text(&message, paths[i]);
    return ask_text(s, &message, at, id, ret);
}

enum { PART_SIZE = 1 << 20 };

/* In parts, since a list of files may be longer than a frame. */
ost_status calls_transfer(struct ost_step *step, const char *op, json_t *take_ask, json_t **ret)
{
    CLEANUP(free_ptr) char *text = take_ask ? json_dumps(take_ask, JSON_COMPACT) : NULL;
    struct step *s = step_of(step);
    uint32_t id = new_id(s);
    struct slice rest = slice_of(text);
    const char *answer = NULL;
    size_t at;

    json_decref(take_ask);
    ost_status r = calls_announce(step, op);
    if (r < 0)
        return r;
    if (!text)
        return failed(s, OST_E_INVALID, "a text that is not UTF-8");
    if (rest.len > PLUGIN_TRANSFER_MAX)
        return failed(s, OST_E_LIMIT, "the list of files is longer than 32 MiB");
    for (; rest.len > PART_SIZE; rest = slice_from(rest, PART_SIZE)) {
        CLEANUP(buf_deinit) struct buf part = MESSAGE_INIT;

        wire_begin(&part, WIRE_PART, id, &at);
        wire_put_bytes(&part, slice_head(rest, PART_SIZE));
        (void)send_message(s, &part, at); /* within the limit */
    }
    CLEANUP(buf_deinit) struct buf message = MESSAGE_INIT;
    wire_begin(&message, WIRE_TRANSFER, id, &at);
    wire_put_text(&message, op);
    wire_put_bytes(&message, rest);
    r = ask_text(s, &message, at, id, &answer);
    if (r < 0)
        return r;
    *ret = json_loads(answer, 0, NULL);
    return json_is_object(*ret) ? OST_OK : failed(s, OST_E_IO, "a malformed answer");
}

ost_status calls_find_source(struct ost_step *step, const struct ost_source_query *query,
                             const char **ret)
{
    CLEANUP(buf_deinit) struct buf message = MESSAGE_INIT;
    struct step *s = step_of(step);
    ost_status r = calls_announce(step, "source.find");
    uint32_t id = new_id(s);
    size_t at;

    if (r < 0)
        return r;
    wire_begin(&message, WIRE_SOURCE, id, &at);
    wire_put_int(&message, query->flags);
    wire_put_text(&message, text_or(query->repository, ""));
    wire_put_text(&message, text_or(query->ref, ""));
    wire_put_text(&message, text_or(query->path, ""));
    return ask_text(s, &message, at, id, ret);
}

static ost_status mask_apply_text(struct ost_step *step, const char *text, const char **ret)
{
    CLEANUP(buf_deinit) struct buf message = MESSAGE_INIT;
    struct step *s = step_of(step);
    ost_status r = calls_announce(step, "mask.apply");
    uint32_t id = new_id(s);
    size_t at;

    if (r < 0)
        return r;
    wire_begin(&message, WIRE_MASKED, id, &at);
    wire_put_text(&message, text_or(text, ""));
    return ask_text(s, &message, at, id, ret);
}

const struct ost_mask_v1 calls_mask = {
    .struct_size = sizeof calls_mask,
    .apply = mask_apply_text,
};

static const void *host_extension(struct ost_step *step, const char *id)
{
    const struct child_start *start = step_of(step)->start;
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
    .last_error = host_last_error,
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
    .exec = host_exec,
    .phase = host_phase,
    .cancelled = host_cancelled,
    .cancel_fd = host_cancel_fd,
    .time_left_ms = host_time_left_ms,
    .plan = host_plan,
    .extension = host_extension,
};

/* ---- beginning and end ---- */

static void read_start(struct wire_frame *f, struct child_start *ret)
{
    ret->mode = (enum child_mode)wire_int(f);
    ret->phase = (int)wire_int(f);
    ret->name = keep(wire_text(f));
    ret->has_place = wire_int(f);
    ret->network = wire_int(f);
    ret->strict = wire_int(f);
    ret->services = wire_int(f);
    ret->http = wire_int(f);
    ret->plan = wire_int(f);
    ret->watched = wire_int(f);
    ret->record = wire_int(f);
    ret->protocol = (enum plugin_protocol)wire_int(f);
    ret->contract = keep(wire_text(f));
    ret->deadline_ms = wire_int(f);
    ret->cwd = keep(wire_text(f));
    for (size_t i = 0; i < COUNT_OF(ret->dirs); i++)
        ret->dirs[i] = keep(wire_text(f));
    int64_t n = wire_int(f);
    if (n > CHILD_WRITABLE_MAX)
        hang_up();
    for (int64_t i = 0; i < n; i++)
        ret->writable[i] = keep(wire_text(f));
    n = wire_int(f);
    if (n < 0 || n > CHILD_SHOWN_MAX)
        hang_up();
    for (ret->n_shown = 0; ret->n_shown < (size_t)n; ret->n_shown++) {
        ret->shown[ret->n_shown].from = keep(wire_text(f));
        ret->shown[ret->n_shown].to = keep(wire_text(f));
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
    CLEANUP(free_ptr) char *frame = receive_frame(&size);
    struct slice rest = slice_make(frame, size);

    if (wire_next(&rest, &f, &err) != 1 || f.op != WIRE_START || wire_int(&f) != WIRE_VERSION)
        hang_up();
    read_start(&f, ret);
    if (wire_done(&f, &err) < 0)
        hang_up();
}

const struct child_start *calls_start(struct ost_step *step)
{
    return step_of(step)->start;
}

ost_status calls_failed(struct ost_step *step, ost_status why, const char *text)
{
    return failed(step_of(step), why, text);
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
    CLEANUP(buf_deinit) struct buf message = MESSAGE_INIT;
    size_t at;

    wire_begin(&message, op, 0, &at);
    wire_put_text(&message, text);
    (void)send_message(&the_step, &message,
                       at); /* the contract's limits are far below the frame's */
}

void calls_record(struct slice line)
{
    CLEANUP(buf_deinit) struct buf message = MESSAGE_INIT;
    struct err err;
    size_t at;

    wire_begin(&message, WIRE_RECORD, 0, &at);
    wire_put_slice(&message, line);
    if (wire_close(&message, at, &err) == ERR_OK) /* a line is shorter than a frame */
        post(&the_step, &message);
}

void calls_say(void *ctx, const char *text)
{
    (void)ctx;
    send_text(WIRE_SAY, text);
}

void calls_left(int fd, const char *what)
{
    CLEANUP(buf_deinit) struct buf message = MESSAGE_INIT;
    size_t at;

    wire_begin(&message, WIRE_LEFT, 0, &at);
    wire_put_int(&message, fd);
    wire_put_text(&message, what);
    (void)send_message(&the_step, &message, at); /* a path: it fits */
}

void calls_tables(const char *json)
{
    send_text(WIRE_TABLES, json);
}

void calls_end(bool loaded, int32_t status, const char *text)
{
    CLEANUP(buf_deinit) struct buf message = MESSAGE_INIT;
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
    struct slice all = slice_of(text_or(text, ""));
    wire_put_slice(&message, slice_head(all, piece_of(all)));
    (void)send_message(s, &message, at); /* within the limit */
}
