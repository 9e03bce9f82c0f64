#include "queue/github/report/feed.h"

#include "base/clock.h"
#include "base/random.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "io/websocket.h"
#include "queue/github/report/records.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    FIRST_MS = 250,
    LATER_MS = 500,
    QUICK_ROUNDS = 240,
    AGAIN_MS = 100,
    LAST_MS = 2000,
    TRIES = 3,                /* to connect, one after the other */
    REST_MS = 10 * 60 * 1000, /* then none for that long */
    LIVED_MS = 10000,         /* a connection that lasted: failures before it do not count */
    LOOK_AHEAD = 500,         /* lines among which those of one step are gathered */
};

struct line {
    const char *id;
    int64_t nr;
    char *text;
};

struct feed {
    struct feed_spec spec;
    char *url, *token, *agent;
    VEC(struct line) lines;

    struct websocket *socket; /* NULL: there is none now */
    bool open, ever_open;
    int64_t opened_ms, rest_until_ms;
    unsigned tries;      /* that failed one after the other */
    struct timer *again; /* connects */
    struct timer *round; /* sends */
    struct timer *last;  /* gives up */
    struct timer *gone;  /* a websocket that could not even be begun */
    unsigned rounds;
    bool begun, finishing, over;
};

static void connect_it(struct feed *f);

/* ---- the websocket ---- */

/* It is on its way, or will be tried again. */
static bool may_open(const struct feed *f)
{
    return f->socket || f->again || f->gone;
}

static void plan_round(struct feed *f);

static void on_again(void *ctx)
{
    struct feed *f = ctx;

    f->again = NULL;
    connect_it(f);
}

static void end(struct feed *f)
{
    f->over = true;
    f->last = timer_free(f->last);
    f->round = timer_free(f->round);
    f->spec.progress(f->spec.ctx);
}

/* One that never opened beside the timeline is not tried again: that way is open. */
static void on_lost(void *ctx, const struct err *err)
{
    struct feed *f = ctx;

    (void)err; /* live lines are a courtesy: nobody is troubled with that */
    f->socket = websocket_free(f->socket);
    if (f->open && clock_ms() - f->opened_ms >= LIVED_MS)
        f->tries = 0;
    f->open = false;
    f->tries++;
    if (f->over)
        return;
    if (f->finishing && !f->spec.post) {
        end(f);
        return;
    }
    if (!f->finishing && f->tries < TRIES && (f->ever_open || !f->spec.post))
        f->again = loop_timer(f->spec.loop,
                              clock_ms() + random_between(f->spec.again_ms, 5 * f->spec.again_ms),
                              on_again, f);
    else
        f->rest_until_ms = f->spec.post ? CLOCK_NEVER : clock_ms() + REST_MS;
    plan_round(f);
}

static void on_gone(void *ctx)
{
    struct feed *f = ctx;
    struct err ignored = ERR_INIT;

    f->gone = NULL;
    on_lost(f, &ignored);
}

static void on_open(void *ctx)
{
    struct feed *f = ctx;

    f->open = f->ever_open = true;
    f->opened_ms = clock_ms();
    plan_round(f);
}

static void connect_it(struct feed *f)
{
    const struct websocket_client client = {.open = on_open, .lost = on_lost, .ctx = f};
    CLEANUP(buf_deinit) struct buf authorization = BUF_INIT(64 << 10);
    char agent[512];
    const char *headers[] = {NULL, agent, NULL};
    struct err ignored = ERR_INIT;

    buf_printf(&authorization, "Authorization: Bearer %s", f->token);
    headers[0] = authorization.ptr;
    snprintf(agent, sizeof agent, "User-Agent: %s", f->agent ? f->agent : "ostler");
    if (websocket_new(f->spec.http, f->spec.loop, f->url, headers, &client, &f->socket, &ignored) <
        0)
        f->gone = loop_timer(f->spec.loop, clock_ms(), on_gone, f);
    explicit_bzero(authorization.ptr, authorization.len);
}

/* ---- what waits ---- */

static void drop(struct feed *f, size_t at)
{
    free(f->lines.ptr[at].text);
    vec_remove(&f->lines, at);
}

static void drop_all(struct feed *f)
{
    VEC_EACH (l, &f->lines)
        free(l->text);
    f->lines.len = 0;
}

static char *shown(struct slice line)
{
    CLEANUP(buf_deinit) struct buf clean = BUF_INIT(16 * FEED_LINE_MAX);
    struct buf text = BUF_INIT(5 * FEED_LINE_MAX);

    utf8_clean(slice_head(line, 4 * FEED_LINE_MAX + 4), &clean);
    size_t n = records_cut(buf_slice(&clean), FEED_LINE_MAX);
    buf_add(&text, slice_head(buf_slice(&clean), n));
    if (n < clean.len || line.len > 4 * FEED_LINE_MAX + 4)
        buf_add_str(&text, "...");
    return buf_take(&text);
}

void feed_add(struct feed *f, const char *id, int64_t nr, struct slice text, bool continued)
{
    struct slice line;

    if (f->url && !f->begun)
        connect_it(f);
    f->begun = true;
    for (; slice_line(&text, &line); nr++, continued = false)
        if (line.len && !continued && f->lines.len < FEED_WAITING_MAX)
            vec_push(&f->lines, (struct line){id, nr, shown(line)});
    plan_round(f);
}

/* The next lines of one step, as a message; they are no longer waiting. */
static json_t *take_message(struct feed *f)
{
    const char *id = f->lines.ptr[0].id;
    int64_t nr = f->lines.ptr[0].nr;
    json_t *lines = json_array();
    size_t bytes = 0, at = 0;

    for (size_t seen = 0; at < f->lines.len && seen < LOOK_AHEAD; seen++) {
        const struct line *l = &f->lines.ptr[at];
        size_t n = strlen(l->text);

        if (strcmp(l->id, id) != 0) {
            at++;
            continue;
        }
        if (json_array_size(lines) == FEED_MESSAGE_LINES || bytes + n > FEED_MESSAGE_MAX)
            break;
        json_array_append_new(lines, json_string(l->text));
        bytes += n;
        drop(f, at);
    }
    return json_pack("{s:I, s:o, s:s, s:I}", "count", (json_int_t)json_array_size(lines), "value",
                     lines, "stepId", id, "startLine", (json_int_t)nr);
}

/* ---- what goes ---- */

/* Takes MESSAGE over. A message is at most six times the bytes of its lines: with nothing waiting, there is room. */
static void send_message(struct feed *f, json_t *message)
{
    CLEANUP(free_ptr) char *text = json_dumps(message, JSON_COMPACT);

    json_decref(message);
    (void)websocket_send(f->socket, slice_of(text));
}

/* What may go now goes. */
static void send_some(struct feed *f)
{
    for (size_t sent = 0; f->lines.len && sent < LOOK_AHEAD / FEED_MESSAGE_LINES; sent++) {
        if (f->open && websocket_waiting(f->socket) > 0)
            return; /* it is slower than we are */
        if (f->open)
            send_message(f, take_message(f));
        else if (may_open(f) || (f->spec.post && !f->spec.can_post(f->spec.ctx)))
            return;
        else if (f->spec.post)
            f->spec.post(f->spec.ctx, take_message(f));
        else
            drop_all(f);
    }
}

static bool all_went(const struct feed *f)
{
    return !f->lines.len && (f->open ? !websocket_waiting(f->socket)
                                     : !f->spec.post || f->spec.can_post(f->spec.ctx));
}

static void on_round(void *ctx)
{
    struct feed *f = ctx;

    f->round = NULL;
    f->rounds++;
    if (!may_open(f) && f->url && f->begun && clock_ms() >= f->rest_until_ms) {
        f->tries = 0;
        connect_it(f);
    }
    send_some(f);
    if (f->finishing && all_went(f)) {
        if (f->open)
            websocket_close(f->socket); /* and nobody waits for its farewell */
        end(f);
        return;
    }
    plan_round(f);
}

static void plan_round(struct feed *f)
{
    int64_t wait = f->rounds < QUICK_ROUNDS ? f->spec.first_ms : f->spec.later_ms;

    if (f->finishing)
        wait = 10; /* at the end as fast as it goes */
    if (!f->round && !f->over && (f->lines.len || f->finishing))
        f->round = loop_timer(f->spec.loop, clock_ms() + wait, on_round, f);
}

static void on_last(void *ctx)
{
    struct feed *f = ctx;

    f->last = NULL;
    end(f);
}

/* Of each step the last lines stay: who looks on wants to see the end. */
static void thin_out(struct feed *f)
{
    for (size_t i = f->lines.len; i-- > 0;) {
        size_t behind = 0;

        for (size_t k = i + 1; k < f->lines.len; k++)
            behind += strcmp(f->lines.ptr[k].id, f->lines.ptr[i].id) == 0;
        if (behind >= FEED_LAST_LINES)
            drop(f, i);
    }
}

void feed_finish(struct feed *f)
{
    f->finishing = true;
    thin_out(f);
    f->last = loop_timer(f->spec.loop, clock_ms() + f->spec.last_ms, on_last, f);
    f->round = timer_free(f->round);
    plan_round(f);
}

bool feed_idle(const struct feed *f)
{
    return f->over;
}

/* ---- the whole ---- */

static char *copy_of(const char *text)
{
    return text && *text ? mem_dup(text, strlen(text)) : NULL;
}

struct feed *feed_new(const struct feed_spec *spec)
{
    struct feed *f = mem_new(sizeof *f);

    f->spec = *spec;
    f->spec.first_ms = spec->first_ms ? spec->first_ms : FIRST_MS;
    f->spec.later_ms = spec->later_ms ? spec->later_ms : LATER_MS;
    f->spec.again_ms = spec->again_ms ? spec->again_ms : AGAIN_MS;
    f->spec.last_ms = spec->last_ms ? spec->last_ms : LAST_MS;
    f->url = copy_of(spec->url);
    f->token = copy_of(spec->token);
    f->agent = copy_of(spec->agent);
    return f;
}

struct feed *feed_free(struct feed *f)
{
    if (!f)
        return NULL;
    timer_free(f->again);
    timer_free(f->round);
    timer_free(f->last);
    timer_free(f->gone);
    websocket_free(f->socket);
    drop_all(f);
    vec_deinit(&f->lines);
    if (f->token)
        explicit_bzero(f->token, strlen(f->token));
    free(f->token);
    free(f->url);
    free(f->agent);
    free(f);
    return NULL;
}
