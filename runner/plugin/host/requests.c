/* What a plugin asks for, frame by frame. Nothing in a frame is believed: texts are checked, sums are
 * held against the limits, and a frame that is malformed ends the phase. */
#include "plugin/host/hosting.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "sandbox/hash.h"

#include <ostler/ext.h>

#include <fcntl.h>

static bool is_utf8(struct slice s)
{
    return utf8_valid(s) == s.len;
}

ost_status requests_code(const struct err *err)
{
    switch (err->code) {
    case ERR_OK:
        return OST_OK;
    case ERR_NOT_FOUND:
        return OST_E_NOT_FOUND;
    case ERR_INVALID:
        return OST_E_INVALID;
    case ERR_LIMIT:
        return OST_E_LIMIT;
    case ERR_DENIED:
        return OST_E_DENIED;
    case ERR_CANCELLED:
        return OST_E_CANCELLED;
    case ERR_TIMEOUT:
        return OST_E_TIMEOUT;
    case ERR_UNSUPPORTED:
        return OST_E_UNSUPPORTED;
    case ERR_SYS:
        return OST_E_IO;
    default:
        return OST_E_FAILED;
    }
}

void requests_status(struct plugin_run *r, uint32_t id, ost_status status, const char *text)
{
    struct err err;
    size_t at;

    wire_begin(&r->to_send, WIRE_STATUS, id, &at);
    wire_put_int(&r->to_send, status);
    wire_put_text(&r->to_send, text);
    if (wire_close(&r->to_send, at, &err) < 0)
        r->to_send.overflow = true;
}

static void answer(struct plugin_run *r, uint32_t id, int code, const struct err *err)
{
    requests_status(r, id, code < 0 ? requests_code(err) : OST_OK, code < 0 ? err->text : "");
}

/* True if the frame was whole; else the phase has been ended. */
static bool whole(struct plugin_run *r, const struct wire_frame *f)
{
    struct err err;

    if (wire_done(f, &err) == ERR_OK)
        return true;
    hosting_break(r, "%s sent a malformed message: %s", r->spec.plugin->id, err.text);
    return false;
}

/* Counts SIZE against what a phase may hand over. */
static bool afford(struct plugin_run *r, size_t size)
{
    if (size > PLUGIN_EFFECTS_MAX - r->effects)
        return false;
    r->effects += size;
    return true;
}

static void answer_limit(struct plugin_run *r, uint32_t id, const char *what, size_t limit)
{
    struct err err;

    answer(r, id, err_set(&err, ERR_LIMIT, "%s: more than %zu bytes", what, limit), &err);
}

/* A value that may be handed on: small enough, UTF-8, within what a phase may hand over. False: it has
 * been answered. */
static bool accept(struct plugin_run *r, uint32_t id, const char *what, size_t name_size,
                   struct slice value)
{
    if (value.len > PLUGIN_VALUE_MAX)
        answer_limit(r, id, what, PLUGIN_VALUE_MAX);
    else if (!is_utf8(value))
        requests_status(r, id, OST_E_INVALID, "the value is not UTF-8");
    else if (!afford(r, name_size + value.len + 64))
        answer_limit(r, id, what, PLUGIN_EFFECTS_MAX);
    else
        return true;
    return false;
}

/* ---- say ---- */

/* Texts for people are mended, not refused: the call has no answer. */
static struct slice mend(struct slice text, struct buf *room)
{
    if (is_utf8(text))
        return text;
    utf8_clean(text, room);
    return buf_slice(room);
}

#define ROOM_INIT BUF_INIT(4 * PLUGIN_LOG_MAX)

static void on_log(struct plugin_run *r, struct wire_frame *f)
{
    CLEANUP(buf_deinit) struct buf room = ROOM_INIT;
    int level = wire_int(f) == OST_DEBUG ? OST_DEBUG : OST_INFO;
    struct slice text = wire_text(f);

    if (whole(r, f))
        r->spec.services->log(r->spec.ctx, level, mend(slice_head(text, PLUGIN_LOG_MAX), &room));
}

static uint32_t line_number(struct wire_frame *f)
{
    int64_t n = wire_int(f);

    return n > 0 && n <= INT32_MAX ? (uint32_t)n : 0;
}

static void on_note(struct plugin_run *r, struct wire_frame *f)
{
    CLEANUP(buf_deinit) struct buf message = ROOM_INIT;
    CLEANUP(buf_deinit) struct buf title = ROOM_INIT;
    CLEANUP(buf_deinit) struct buf file = ROOM_INIT;
    struct buf *const rooms[] = {&message, &title, &file};
    struct plugin_note note = {.level = (int)wire_int(f)};
    const char **const texts[] = {&note.message, &note.title, &note.file};

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct slice text = wire_text(f);

        if (text.len > PLUGIN_LOG_MAX)
            f->bad = true; /* our own stubs cut it */
        *texts[i] = f->bad ? "" : mend(text, rooms[i]).ptr;
    }
    note.line = line_number(f);
    note.end_line = line_number(f);
    note.col = line_number(f);
    note.end_col = line_number(f);
    if (note.level < OST_NOTICE || note.level > OST_ERROR)
        note.level = OST_NOTICE;
    if (whole(r, f) && r->n_notes < PLUGIN_NOTES_MAX) {
        r->n_notes++;
        r->spec.services->annotate(r->spec.ctx, &note);
    } else if (!r->over && r->n_notes == PLUGIN_NOTES_MAX) {
        r->n_notes++;
        r->spec.services->note(r->spec.ctx,
                               "a plugin made too many annotations: the rest is left out");
    }
}

static void on_group(struct plugin_run *r, struct wire_frame *f)
{
    CLEANUP(buf_deinit) struct buf room = ROOM_INIT;
    struct slice title = wire_maybe(f);

    if (whole(r, f))
        r->spec.services->group(
            r->spec.ctx, title.ptr ? mend(slice_head(title, PLUGIN_LOG_MAX), &room).ptr : NULL);
}

static void on_say(struct plugin_run *r, struct wire_frame *f)
{
    struct slice text = wire_text(f);

    if (whole(r, f) && text.len < 1024 && is_utf8(text))
        r->spec.services->note(r->spec.ctx, text.ptr);
}

static void on_mask(struct plugin_run *r, struct wire_frame *f)
{
    struct slice secret = wire_text(f);

    if (!whole(r, f))
        return;
    if (secret.len > PLUGIN_VALUE_MAX || !afford(r, secret.len + 64)) {
        answer_limit(r, f->id, "mask", PLUGIN_VALUE_MAX);
        return;
    }
    r->spec.services->mask(r->spec.ctx, secret);
    requests_status(r, f->id, OST_OK, "");
}

static void on_masked(struct plugin_run *r, struct wire_frame *f)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(4 * PLUGIN_VALUE_MAX);
    struct slice text = wire_text(f);

    if (!whole(r, f))
        return;
    if (r->spec.services->masked)
        r->spec.services->masked(r->spec.ctx, text, &out);
    else
        buf_add(&out, text);
    if (text.len > PLUGIN_VALUE_MAX || out.overflow)
        requests_status(r, f->id, OST_E_LIMIT, "the text to mask is too long");
    else
        requests_status(r, f->id, OST_OK, out.len ? out.ptr : "");
}

/* ---- effects ---- */

static void plan_line(struct plugin_run *r, const char *verb, const char *object,
                      const char *detail)
{
    r->spec.services->plan(r->spec.ctx, verb, object, detail);
}

/* A value in a plan. After a command whose output was asked for, it may be anything. */
static const char *planned(const struct plugin_run *r, struct slice value)
{
    return r->unknown ? "known after run" : value.ptr;
}

static void on_output(struct plugin_run *r, struct wire_frame *f)
{
    struct slice name = wire_text(f), value = wire_text(f);
    struct err err = ERR_INIT;
    int e = ERR_OK;

    if (!whole(r, f))
        return;
    const struct plugin_output *o = plugin_output_find(r->spec.plugin, name.ptr);
    if (!o) {
        hosting_break(r, "%s set the undeclared output '%.100s'", r->spec.plugin->id,
                      is_utf8(name) ? name.ptr : "?");
        return;
    }
    if (!accept(r, f->id, "output", name.len, value))
        return;
    if (r->plan)
        plan_line(r, "output", o->name, planned(r, value));
    else
        e = r->spec.services->output(r->spec.ctx, o->name, value, &err);
    answer(r, f->id, e, &err);
}

typedef int set_fn(void *ctx, const char *name, struct slice value, struct err *err);

static void set_named(struct plugin_run *r, struct wire_frame *f, const char *verb, set_fn *fn)
{
    struct slice name = wire_text(f), value = wire_text(f);
    struct err err = ERR_INIT;
    int e = ERR_OK;

    if (!whole(r, f))
        return;
    if (!name.len || name.len > 4096 || !is_utf8(name) || memchr(name.ptr, '=', name.len) ||
        memchr(name.ptr, '\n', name.len)) {
        requests_status(r, f->id, OST_E_INVALID, "the name is empty, or no name");
        return;
    }
    if (!accept(r, f->id, verb, name.len, value))
        return;
    if (r->plan)
        plan_line(r, verb, name.ptr, planned(r, value));
    else
        e = fn(r->spec.ctx, name.ptr, value, &err);
    answer(r, f->id, e, &err);
}

static void on_env(struct plugin_run *r, struct wire_frame *f)
{
    set_named(r, f, "env", r->spec.services->env);
}

static void on_save(struct plugin_run *r, struct wire_frame *f)
{
    set_named(r, f, "save", r->spec.services->save);
}

static void on_path(struct plugin_run *r, struct wire_frame *f)
{
    struct slice dir = wire_text(f);
    struct err err = ERR_INIT;
    int e = ERR_OK;

    if (!whole(r, f) || !accept(r, f->id, "path", 0, dir))
        return;
    if (!dir.len || dir.len > 4096 || memchr(dir.ptr, '\n', dir.len)) {
        requests_status(r, f->id, OST_E_INVALID, "the folder's name is empty, or no name");
        return;
    }
    if (r->plan)
        plan_line(r, "path", dir.ptr, "");
    else
        e = r->spec.services->path(r->spec.ctx, dir.ptr, &err);
    answer(r, f->id, e, &err);
}

static void on_summary(struct plugin_run *r, struct wire_frame *f)
{
    struct slice markdown = wire_text(f);
    struct err err = ERR_INIT;
    int e = ERR_OK;

    if (!whole(r, f))
        return;
    if (markdown.len > PLUGIN_SUMMARY_MAX - r->summary) {
        answer_limit(r, f->id, "summary", PLUGIN_SUMMARY_MAX);
        return;
    }
    if (!is_utf8(markdown)) {
        requests_status(r, f->id, OST_E_INVALID, "the summary is not UTF-8");
        return;
    }
    r->summary += markdown.len;
    if (!r->plan)
        e = r->spec.services->summary(r->spec.ctx, markdown, &err);
    answer(r, f->id, e, &err);
}

static void on_plan(struct plugin_run *r, struct wire_frame *f)
{
    struct slice verb = wire_text(f), object = wire_text(f), detail = wire_text(f);

    if (!whole(r, f))
        return;
    if (verb.len > PLUGIN_LOG_MAX || object.len > PLUGIN_LOG_MAX || detail.len > PLUGIN_LOG_MAX ||
        !afford(r, verb.len + object.len + detail.len + 64)) {
        answer_limit(r, f->id, "plan", PLUGIN_LOG_MAX);
        return;
    }
    if (!is_utf8(verb) || !is_utf8(object) || !is_utf8(detail)) {
        requests_status(r, f->id, OST_E_INVALID, "the plan's line is not UTF-8");
        return;
    }
    if (r->plan) /* outside a dry run there is no plan to add to */
        plan_line(r, verb.ptr, object.ptr, detail.ptr);
    requests_status(r, f->id, OST_OK, "");
}

/* ---- progress ---- */

/* A line of the transcript: whoever wants it reads it. */
static void on_record(struct plugin_run *r, struct wire_frame *f)
{
    struct slice line = wire_text(f);

    if (whole(r, f) && r->spec.services->record)
        r->spec.services->record(r->spec.ctx, line);
}

static void on_progress_due(void *ctx)
{
    struct plugin_run *r = ctx;
    struct progress *p = &r->progress;

    p->timer = NULL;
    if (!p->waits || r->over)
        return;
    p->waits = false;
    p->timer = loop_timer(r->loop, clock_ms() + PLUGIN_PROGRESS_MS, on_progress_due, r);
    r->spec.services->progress(r->spec.ctx, p->label, p->done, p->total);
}

/* The latest word counts; what came since the last one was said is said when its time has come. */
static void on_progress(struct plugin_run *r, struct wire_frame *f)
{
    CLEANUP(buf_deinit) struct buf room = ROOM_INIT;
    struct slice label = wire_text(f);
    int64_t done = wire_int(f), total = wire_int(f);
    struct progress *p = &r->progress;

    if (!whole(r, f) || r->plan)
        return;
    label = mend(slice_head(label, PLUGIN_LABEL_MAX), &room);
    label = slice_head(label, PLUGIN_LABEL_MAX);
    label = slice_head(
        label, utf8_valid(label)); /* mending may have made it longer, and the cut it invalid */
    memcpy(p->label, label.ptr, label.len);
    p->label[label.len] = '\0';
    p->done = done < 0 ? -1 : done;
    p->total = total < 0 ? -1 : total;
    p->waits = true;
    if (!p->timer)
        on_progress_due(r);
}

/* ---- look-ups ---- */

static void answer_value(struct plugin_run *r, uint32_t id, struct slice value)
{
    struct err err;
    size_t at;

    if (value.ptr && memchr(value.ptr, '\0', value.len)) /* no C string can hold it */
        value = slice_make(value.ptr, strlen(value.ptr));
    wire_begin(&r->to_send, WIRE_VALUE, id, &at);
    wire_put_slice(&r->to_send, value);
    if (wire_close(&r->to_send, at, &err) == ERR_OK)
        return;
    wire_begin(&r->to_send, WIRE_VALUE, id, &at);
    wire_put_text(&r->to_send, NULL);
    if (wire_close(&r->to_send, at, &err) < 0)
        r->to_send.overflow = true;
}

static void on_saved(struct plugin_run *r, struct wire_frame *f)
{
    struct slice name = wire_text(f), value = {0};

    if (whole(r, f) && !r->spec.services->saved(r->spec.ctx, name.ptr, &value))
        value = (struct slice){0};
    if (!r->over)
        answer_value(r, f->id, value);
}

static void on_context(struct plugin_run *r, struct wire_frame *f)
{
    CLEANUP(buf_deinit) struct buf value = BUF_INIT(4 * PLUGIN_VALUE_MAX);
    struct slice name = wire_text(f);

    if (!whole(r, f))
        return;
    bool known = r->spec.services->context(r->spec.ctx, name.ptr, &value);
    answer_value(r, f->id, known && !value.overflow ? buf_slice(&value) : (struct slice){0});
}

/* Here because it takes libcrypto, which a process that is shut in cannot load, and loading it before would
 * cost every plugin what the whole phase does. */
static void on_hash(struct plugin_run *r, struct wire_frame *f)
{
    const struct sandbox *place = r->spec.own_side ? r->spec.own_side : r->spec.sandbox;
    CLEANUP(arena_deinit) struct arena arena = ARENA_INIT;
    CLEANUP(fd_closep) int slash = -1;
    VEC(struct slice) paths = {0};
    struct err err = ERR_INIT;
    struct slice digest;
    int e = ERR_OK;

    for (int64_t n = wire_int(f); n > 0 && !f->bad; n--)
        vec_push(&paths, wire_text(f));
    if (whole(r, f)) {
        if (!place && (slash = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
            e = err_sys(&err, "cannot open '/'");
        if (e == ERR_OK)
            e = hash_paths(place ? sandbox_root(place) : slash, paths.ptr, paths.len, &arena,
                           &digest, &err);
        if (e < 0)
            answer(r, f->id, e, &err);
        else
            requests_status(r, f->id, OST_OK, arena_str(&arena, digest));
    }
    vec_deinit(&paths);
}

static void answer_source(struct plugin_run *r, uint32_t id, const struct plugin_source *found)
{
    json_t *json =
        json_pack("{s:b, s:s, s:s, s:s, s:s}", "shown", found->shown, "folder", found->folder,
                  "origin", found->origin, "ref", found->ref, "commit", found->commit);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

    if (text)
        requests_status(r, id, OST_OK, text);
    else /* jansson takes UTF-8 only */
        requests_status(r, id, OST_E_INVALID, "the name of its folder is not UTF-8");
    free(text);
    json_decref(json);
}

static void on_source(struct plugin_run *r, struct wire_frame *f)
{
    const struct plugin_services *services = r->spec.services;
    struct plugin_source_query query = {.clean = wire_int(f) & OST_SOURCE_CLEAN};
    struct plugin_source found = {0};
    struct err err = ERR_INIT;

    query.repository = wire_text(f).ptr;
    query.ref = wire_text(f).ptr;
    query.path = wire_text(f).ptr;
    if (!whole(r, f))
        return;
    int e = r->dry || !services->source ? err_set(&err, ERR_NOT_FOUND, "there is no source here")
                                        : services->source(r->spec.ctx, &query, &found, &err);
    if (e < 0)
        answer(r, f->id, e, &err);
    else
        answer_source(r, f->id, &found);
}

/* ---- a check ---- */

static void on_call(struct plugin_run *r, struct wire_frame *f)
{
    const struct plugin_services *services = r->spec.services;
    struct slice name = wire_text(f);

    if (!whole(r, f))
        return;
    if (!services->call) {
        hosting_break(r, "%s sent a message that nobody asked for", r->spec.plugin->id);
        return;
    }
    ost_status how = services->call(r->spec.ctx, ++r->n_calls, name.ptr);
    requests_status(r, f->id, how, how < 0 ? "a fault that the check made" : "");
}

static void on_left(struct plugin_run *r, struct wire_frame *f)
{
    CLEANUP(buf_deinit) struct buf room = ROOM_INIT;
    int64_t fd = wire_int(f);
    struct slice what = wire_text(f);

    if (whole(r, f) && r->spec.services->left && fd >= 0 && fd <= INT32_MAX)
        r->spec.services->left(r->spec.ctx, (int)fd, mend(slice_head(what, 4096), &room).ptr);
}

/* ---- ends ---- */

static void on_bug(struct plugin_run *r, struct wire_frame *f)
{
    int64_t what = wire_int(f);
    struct slice name = wire_text(f);

    if (!whole(r, f))
        return;
    const char *shown = is_utf8(name) ? name.ptr : "?";
    if (what == WIRE_BUG_INPUT)
        hosting_break(r, "%s asked for the undeclared input '%.200s'", r->spec.plugin->id, shown);
    else
        hosting_break(r, "%s ran out of memory when it asked for %.200s", r->spec.plugin->id,
                      shown);
}

static void on_tables(struct plugin_run *r, struct wire_frame *f)
{
    struct slice text = wire_text(f);
    json_error_t why;

    if (!whole(r, f) || r->spec.services || r->tables)
        return;
    if (text.len <= PLUGIN_RECORD_MAX)
        r->tables = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &why);
}

static const char *status_name(ost_status status)
{
    static const char *const names[] = {
        [-OST_E_FAILED] = "OST_E_FAILED",
        [-OST_E_INVALID] = "OST_E_INVALID",
        [-OST_E_NOT_FOUND] = "OST_E_NOT_FOUND",
        [-OST_E_DENIED] = "OST_E_DENIED",
        [-OST_E_CANCELLED] = "OST_E_CANCELLED",
        [-OST_E_TIMEOUT] = "OST_E_TIMEOUT",
        [-OST_E_LIMIT] = "OST_E_LIMIT",
        [-OST_E_IO] = "OST_E_IO",
        [-OST_E_UNSUPPORTED] = "OST_E_UNSUPPORTED",
        [-OST_E_EXIT] = "OST_E_EXIT",
    };

    return names[-status];
}

static void on_end(struct plugin_run *r, struct wire_frame *f)
{
    CLEANUP(buf_deinit) struct buf room = ROOM_INIT;
    int64_t how = wire_int(f), status = wire_int(f);
    struct slice text = wire_text(f);
    const struct plugin *p = r->spec.plugin;

    if (!whole(r, f))
        return;
    if (status > 0 || status < OST_E_EXIT) /* a code the reader does not know */
        status = OST_E_FAILED;
    const char *why = mend(slice_head(text, PLUGIN_LOG_MAX), &room).ptr;
    if (how == WIRE_NOT_LOADED)
        hosting_conclude(r, PLUGIN_BROKE, OST_E_FAILED, "%s%s%s cannot be loaded: %s", p->id,
                         p->version ? " " : "", p->version ? p->version : "", why);
    else if (status == OST_OK)
        hosting_conclude(r, PLUGIN_RETURNED, OST_OK, "%s", "");
    else if (*why)
        hosting_conclude(r, PLUGIN_RETURNED, (ost_status)status, "%s", why);
    else
        hosting_conclude(r, PLUGIN_RETURNED, (ost_status)status, "%s %s failed in %s (%s)", p->id,
                         p->version, r->phase_name, status_name((ost_status)status));
}

/* ---- which frame goes where ---- */

typedef void request_fn(struct plugin_run *r, struct wire_frame *f);

static request_fn *const handlers[WIRE_OPS] = {
    [WIRE_LOG] = on_log,          [WIRE_NOTE] = on_note,
    [WIRE_GROUP] = on_group,      [WIRE_SAY] = on_say,
    [WIRE_MASK] = on_mask,        [WIRE_OUTPUT] = on_output,
    [WIRE_ENV] = on_env,          [WIRE_SAVE] = on_save,
    [WIRE_PATH] = on_path,        [WIRE_SUMMARY] = on_summary,
    [WIRE_PLAN] = on_plan,        [WIRE_SAVED] = on_saved,
    [WIRE_CONTEXT] = on_context,  [WIRE_PROGRESS] = on_progress,
    [WIRE_EXEC] = exec_request,   [WIRE_ACK] = exec_acknowledged,
    [WIRE_PART] = transfers_part, [WIRE_TRANSFER] = transfers_request,
    [WIRE_HASH] = on_hash,        [WIRE_SOURCE] = on_source,
    [WIRE_BUG] = on_bug,          [WIRE_TABLES] = on_tables,
    [WIRE_MASKED] = on_masked,    [WIRE_END] = on_end,
    [WIRE_CALL] = on_call,        [WIRE_LEFT] = on_left,
    [WIRE_RECORD] = on_record,
};

/* In describe there is no job to say or do anything to. */
static bool is_allowed(const struct plugin_run *r, enum wire_op op)
{
    return r->spec.services || op == WIRE_TABLES || op == WIRE_END || op == WIRE_SAY;
}

void requests_serve(struct plugin_run *r, struct wire_frame *f)
{
    if (!handlers[f->op] || !is_allowed(r, f->op))
        hosting_break(r, "%s sent a message that a plugin does not send", r->spec.plugin->id);
    else if (r->spec.services || f->op != WIRE_SAY)
        handlers[f->op](r, f);
}
