/* The groups of `concurrency`: whose turn it is (workflow-language.md 8.3). */
#include "queue/local/state.h"

#include "lang/utf.h"

static bool same_group(const struct claim *a, const struct claim *b)
{
    return a->group.name && b->group.name &&
           utf_eq_nocase(slice_of(a->group.name), slice_of(b->group.name));
}

/* "job 'build (18)'", "workflow 'ci'"; a called workflow by the name of its call. */
static const char *who(struct local *l, const struct claim *c)
{
    if (c->config)
        return arena_printf(&l->arena, "job '%s'", c->config->name);
    if (c->flow->call)
        return arena_printf(&l->arena, "the workflow that '%s' calls", c->flow->call->name);
    return arena_printf(&l->arena, "workflow '%s'", c->flow->workflow->name);
}

/* The key that a reader of events knows C by; NULL: only jobs with a worker have one. */
static const char *key_of(const struct claim *c)
{
    return c->config && !c->config->node->inner ? c->config->key : NULL;
}

static struct claim *holder(struct local *l, const struct claim *of)
{
    VEC_EACH (c, &l->line)
        if (*c != of && (*c)->state == CLAIM_HOLDS && same_group(*c, of))
            return *c;
    return NULL;
}

/* What C is part of: a job's workflow, a called workflow's call. */
static const struct claim *outside(const struct claim *c)
{
    if (c->config)
        return &c->config->node->flow->claim;
    return c->flow->call ? &c->flow->call->claim : NULL;
}

/* Of one that waits: that there is a holder is what it waits for. */
static const char *who_holds(struct local *l, const struct claim *of)
{
    const struct claim *h = holder(l, of);

    if (!h)
        BUG("the concurrency group '%s' is waited for, and free", of->group.name);
    return who(l, h);
}

static bool is_part_of(const struct claim *c, const struct claim *whole)
{
    while (c && c != whole)
        c = outside(c);
    return c != NULL;
}

/* ---- told ---- */

static int tell(struct local *l, const struct claim *c, const char *said, struct err *err)
{
    const char *job = key_of(c);

    return tell_note(l, job, job ? said : arena_printf(&l->arena, "%s: %s", who(l, c), said), err);
}

/* The one in front of C in another run; NULL: there is none. */
static const char *stranger(struct local *l, const struct claim *c)
{
    return c->ticket ? ticket_waits_for(c->ticket, &l->arena) : NULL;
}

static int tell_waits(struct local *l, const struct claim *c, const char *for_whom, struct err *err)
{
    return tell(l, c,
                arena_printf(&l->arena, "waits for the concurrency group '%s', which %s holds",
                             c->group.name, for_whom),
                err);
}

/* ---- given up ---- */

static void next_turn(struct local *l, const struct claim *left)
{
    if (holder(l, left))
        return;
    VEC_EACH (c, &l->line) {
        if (!same_group(*c, left))
            continue;
        if (!stranger(l, *c))
            (*c)->state = CLAIM_HOLDS;
        return;
    }
}

void claim_leave(struct local *l, struct claim *c)
{
    if (c->state == CLAIM_NONE)
        return;
    c->state = CLAIM_NONE;
    c->ticket = ticket_free(c->ticket);
    l->moved = true;
    for (size_t i = 0; i < l->line.len; i++) {
        if (l->line.ptr[i] != c)
            continue;
        vec_remove(&l->line, i);
        next_turn(l, c);
        return;
    }
}

static int cancel(struct local *l, struct claim *c, const char *why, struct err *err)
{
    l->moved = true;
    return c->config ? config_cancel(l, c->config, why, err) : flow_cancel(l, c->flow, why, err);
}

/* C makes room. What runs is told; what is queued says it as it ends. */
static int yield(struct local *l, struct claim *c, const char *why, struct err *err)
{
    c->yields = true;
    if (c->state == CLAIM_HOLDS && !(c->config && c->config->state == CONFIG_QUEUED) &&
        tell(l, c, arena_printf(&l->arena, "is cancelled: %s", why), err) != ERR_OK)
        return err->code;
    return cancel(l, c, why, err);
}

static int yield_to(struct local *l, struct claim *c, const struct claim *newer, struct err *err)
{
    return yield(l, c,
                 arena_printf(&l->arena, "%s came to the concurrency group '%s' %s", who(l, newer),
                              newer->group.name,
                              c->state == CLAIM_HOLDS ? "with `cancel-in-progress`"
                                                      : "later, and only one may wait"),
                 err);
}

/* ---- asked for ---- */

static struct claim *in_the_way(struct local *l, const struct claim *of, enum claim_state state)
{
    VEC_EACH (c, &l->line)
        if ((*c)->state == state && !(*c)->yields && same_group(*c, of))
            return *c;
    return NULL;
}

/* Those in line that C does not go along with. One that runs keeps its place until it is over. */
static int make_room(struct local *l, struct claim *c, struct err *err)
{
    struct claim *other;

    while (!c->group.queues && (other = in_the_way(l, c, CLAIM_WAITS)))
        if (yield_to(l, other, c, err) != ERR_OK)
            return err->code;
    while (c->group.cancels && (other = in_the_way(l, c, CLAIM_HOLDS)))
        if (yield_to(l, other, c, err) != ERR_OK)
            return err->code;
    return ERR_OK;
}

/* Among the claims of other runs. Where that cannot be, this run goes on by itself. */
static int get_in_line(struct local *l, struct claim *c, struct err *err)
{
    struct err why = ERR_INIT;

    if (!l->groups || ticket_take(l->groups, &c->group,
                                  arena_printf(&l->arena, "%s of run %s", who(l, c), l->how.run_id),
                                  &c->ticket, &why) == ERR_OK)
        return ERR_OK;
    return tell(l, c, arena_printf(&l->arena, "does not wait for other runs: %s", why.text), err);
}

/* Of this run: who holds the group of OF, or waits for another run to let go of it. NULL: nobody. */
static struct claim *first_in_line(struct local *l, const struct claim *of)
{
    struct claim *h = holder(l, of);

    for (size_t i = 0; i < l->line.len && !h; i++)
        if (same_group(l->line.ptr[i], of))
            h = l->line.ptr[i];
    return h;
}

int claim_enter(struct local *l, struct claim *c, struct err *err)
{
    struct claim *h;

    l->moved = true;
    c->state = CLAIM_HOLDS;
    if (!c->group.name)
        return ERR_OK;
    h = holder(l, c);
    c->state = CLAIM_WAITS;
    if (h && is_part_of(c, h))
        return cancel(l, c,
                      arena_printf(&l->arena,
                                   "deadlock: it wants the concurrency group '%s', which %s holds, "
                                   "and it is a part of that",
                                   c->group.name, who(l, h)),
                      err);
    if (make_room(l, c, err) != ERR_OK || get_in_line(l, c, err) != ERR_OK)
        return err->code;
    h = first_in_line(l, c);
    const char *in_front = h ? who(l, h) : stranger(l, c);
    if (!in_front)
        c->state = CLAIM_HOLDS;
    vec_push(&l->line, c);
    return in_front ? tell_waits(l, c, in_front, err) : ERR_OK;
}

/* One that is cancelled takes others with it, so the line is looked at from the front again. */
static struct claim *asked_to_yield(struct local *l, const char **ret_why)
{
    VEC_EACH (c, &l->line)
        if (!(*c)->yields && (*c)->ticket &&
            (*ret_why = ticket_yields((*c)->ticket, &l->arena)) != NULL)
            return *c;
    return NULL;
}

int claims_review(struct local *l, struct err *err)
{
    const char *why;

    for (struct claim *c; (c = asked_to_yield(l, &why));)
        if (yield(l, c, why, err) != ERR_OK)
            return err->code;
    VEC_EACH (c, &l->line) {
        if ((*c)->state != CLAIM_WAITS || first_in_line(l, *c) != *c || stranger(l, *c))
            continue;
        (*c)->state = CLAIM_HOLDS;
        l->moved = true;
    }
    return ERR_OK;
}

int claims_untangle(struct local *l, struct err *err)
{
    VEC_EACH (c, &l->line)
        if ((*c)->state == CLAIM_WAITS && first_in_line(l, *c) == *c)
            return ERR_OK; /* for another run, which goes on */
    for (size_t i = l->line.len; i-- > 0;) {
        struct claim *c = l->line.ptr[i];

        if (c->state != CLAIM_WAITS)
            continue;
        return cancel(
            l, c,
            arena_printf(&l->arena,
                         "deadlock: it waits for the concurrency group '%s', and %s, which "
                         "holds it, waits in turn",
                         c->group.name, who_holds(l, c)),
            err);
    }
    return ERR_OK;
}
