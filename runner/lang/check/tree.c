/* What only shows when all that a workflow calls has been read: permissions that shrink on the way, calls too
 * deep or in a circle, too many files. */
#include "lang/workflow/calls.h"
#include "lang/check/rules.h"

static int read_called(void *ctx, const struct call_ref *ref, struct arena *a, struct buf *to,
                       const char **ret_sha, struct err *err)
{
    struct check *c = ctx;
    struct slice text;

    (void)a;
    (void)ret_sha;
    if (!check_local_text(c, ref->path, &text)) /* check_call() has the same words */
        return err_set(err, ERR_NOT_FOUND, "there is no workflow '%s'", ref->path);
    buf_add(to, text);
    return ERR_OK;
}

static void tell(struct check *c, const struct diag *d)
{
    struct arena *a = c->diags->arena;
    struct diag *own;

    if (strcmp(d->file, c->file) == 0) {
        own = check_report(c, CHECK_CALL, d->level, d->line, d->col, arena_str(a, d->message));
        check_hint(own, d->hint ? arena_str(a, slice_of(d->hint)) : NULL);
    } else if (c->options->elsewhere) {
        struct diag there = *d;

        there.rule = check_rules[CHECK_CALL].name;
        c->options->elsewhere(c->options->ctx, &there);
    }
}

void check_tree(struct check *c, struct workflow *w)
{
    const struct calls_options options = {.source = {.read = read_called, .ctx = c},
                                          .own_only = true};
    CLEANUP(diags_deinit) struct diags diags = {.arena = &c->arena};

    if (!c->options->read || c->options->ignore & 1u << CHECK_CALL)
        return;
    (void)!workflow_load_calls(w, &options, &diags); /* the findings say it */
    VEC_EACH (d, &diags.list)
        if (!d->caller) /* with one it is what the called file's own check says */
            tell(c, d);
}
