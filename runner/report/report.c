#include "report/report.h"

#include <errno.h>
#include <unistd.h>

#include "base/num.h"

int report_event(struct report *r, json_t *event, struct slice log, struct err *err)
{
    return r->ops->event(r, event, log, err);
}

void report_resize(struct report *r)
{
    if (r->ops->resize)
        r->ops->resize(r);
}

int64_t report_tick(struct report *r, int64_t now_ms)
{
    return r->ops->tick ? r->ops->tick(r, now_ms) : CLOCK_NEVER;
}

int report_close(struct report *r, struct err *err)
{
    return r ? r->ops->close(r, err) : ERR_OK;
}

/* ---- many at once ---- */

struct all {
    struct report base;
    struct report *list[REPORT_ALL_MAX];
    size_t n;
    struct err lost; /* of the first that was awaited */
};

static struct all *all_of(struct report *r)
{
    return (struct all *)(void *)r;
}

/* Report AT failed because of WHY: without it from now on, and the others say so. */
static void all_drop(struct all *a, size_t at, const struct err *why)
{
    struct err ignored = ERR_INIT;
    json_t *note = json_pack("{s:s, s:s+, s:b}", "event", "note", "text",
                             "going on without a report: ", why->text, "lost", 1);

    if (a->list[at]->awaited && why->sys != EPIPE && a->lost.code == ERR_OK)
        a->lost = *why;
    (void)!report_close(a->list[at], &ignored); /* it has failed already, and why is being said */
    memmove(&a->list[at], &a->list[at + 1], (--a->n - at) * sizeof a->list[0]);
    for (size_t i = 0; note && i < a->n; i++)
        (void)!report_event(a->list[i], note, SLICE(""),
                            &ignored); /* its next event will fail too */
    json_decref(note);
}

static int all_event(struct report *r, json_t *event, struct slice log, struct err *err)
{
    struct all *a = all_of(r);

    for (size_t i = 0; i < a->n;) {
        struct err why = ERR_INIT;

        if (report_event(a->list[i], event, log, &why) == ERR_OK) {
            i++;
            continue;
        }
        all_drop(a, i, &why);
        if (a->n == 0)
            return err_set(err, why.code, "%s", why.text);
    }
    return ERR_OK;
}

static void all_resize(struct report *r)
{
    for (size_t i = 0; i < all_of(r)->n; i++)
        report_resize(all_of(r)->list[i]);
}

static int64_t all_tick(struct report *r, int64_t now_ms)
{
    int64_t next = CLOCK_NEVER;

    for (size_t i = 0; i < all_of(r)->n; i++) {
        int64_t at = report_tick(all_of(r)->list[i], now_ms);

        next = at < next ? at : next;
    }
    return next;
}

/* Closes all; the first error is the one that is returned. */
static int all_close(struct report *r, struct err *err)
{
    struct all *a = all_of(r);
    int result = ERR_OK;

    if (a->lost.code != ERR_OK)
        result = err_set(err, a->lost.code, "not all of it was shown: %s", a->lost.text);

    for (size_t i = 0; i < a->n; i++) {
        struct err why = ERR_INIT;

        if (report_close(a->list[i], &why) != ERR_OK && result == ERR_OK)
            result = err_set(err, why.code, "%s", why.text);
    }
    free(a);
    return result;
}

struct report *report_all_new(struct report *const *reports, size_t n)
{
    static const struct report_ops ops = {all_event, all_resize, all_tick, all_close};
    struct all *a = mem_new(sizeof *a);

    if (n > REPORT_ALL_MAX)
        BUG("%zu reports", n);
    a->base.ops = &ops;
    a->n = n;
    memcpy(a->list, reports, n * sizeof *reports);
    return &a->base;
}

/* ---- where text goes ---- */

static bool is_set(const char *value)
{
    return value && *value;
}

static bool locale_is_utf8(const struct report_env *env)
{
    struct slice name = slice_of(is_set(env->lc_all)     ? env->lc_all
                                 : is_set(env->lc_ctype) ? env->lc_ctype
                                                         : env->lang);
    ssize_t dot = slice_find_char(name, '.');
    struct slice set = slice_from(name, dot < 0 ? name.len : (size_t)dot + 1);

    return slice_eq_nocase(slice_head(set, 5), SLICE("utf-8")) ||
           slice_eq_nocase(slice_head(set, 4), SLICE("utf8"));
}

void report_screen_init(struct report_screen *ret, int fd, const struct report_env *env)
{
    bool terminal = isatty(fd);
    bool dumb = !is_set(env->term) || strcmp(env->term, "dumb") == 0;
    bool force = is_set(env->clicolor_force) && strcmp(env->clicolor_force, "0") != 0;
    bool off = env->clicolor && strcmp(env->clicolor, "0") == 0;

    *ret = (struct report_screen){
        .fd = fd,
        .tty = terminal && !dumb,
        .color = !is_set(env->no_color) && (force || (terminal && !dumb && !off)),
        .utf8 = locale_is_utf8(env),
    };
    if (is_set(env->columns)) {
        struct err ignored = ERR_INIT; /* a COLUMNS that is no number counts as none */
        int64_t n;

        if (num_parse_i64(slice_of(env->columns), 1, 10000, &n, &ignored) == ERR_OK)
            ret->width = (int)n;
    }
}
