/* Called workflows: tests/data/calls/NAME.txt. A document is the first workflow, then each called one behind
 * a line "==== FILE" ("path" or "owner/name/path@ref"). A first line "# depth=2 files=3 jobs=9 limited" sets
 * limits and the policy. It becomes the findings as GitHub words them, hints in parentheses, or the tree. */
#include "cases.h"

#include "lang/workflow/calls.h"

#include <criterion/criterion.h>
#include <stdlib.h>

struct files {
    struct slice document;
};

/* The part that is called NAME, "" being the first; ptr NULL: there is none. */
static struct slice part(const struct files *f, const char *name)
{
    static const struct slice mark = SLICE_INIT("==== ");
    struct slice rest = f->document, line;
    const char *begin = *name ? NULL : rest.ptr;

    while (slice_line(&rest, &line)) {
        if (!slice_starts(line, mark))
            continue;
        if (begin)
            return slice_make(begin, (size_t)(line.ptr - begin));
        if (slice_eq(slice_from(line, mark.len), slice_of(name)))
            begin = line.ptr + line.len + 1;
    }
    return begin ? slice_make(begin, (size_t)(f->document.ptr + f->document.len - begin))
                 : (struct slice){0};
}

static int read_part(void *ctx, const struct call_ref *ref, struct arena *a, struct buf *to,
                     const char **ret_sha, struct err *err)
{
    const char *name = ref->repository
                           ? arena_printf(a, "%s/%s@%s", ref->repository, ref->path, ref->ref)
                           : ref->path;
    struct slice text = part(ctx, name);

    if (!text.ptr)
        return err_set(err, ERR_NOT_FOUND, "there is no '%s' here", name);
    if (ref->repository)
        *ret_sha = "0123abc";
    buf_add(to, text);
    return ERR_OK;
}

static size_t number(struct arena *a, struct slice line, const char *name)
{
    ssize_t at = slice_find(line, slice_of(name));

    return at < 0 ? 0
                  : (size_t)strtoul(arena_str(a, slice_from(line, (size_t)at + strlen(name))), NULL,
                                    10);
}

static void print_tree(const struct workflow *w, int indent, struct buf *out)
{
    for (size_t i = 0; i < w->n_jobs; i++) {
        const struct workflow *called = w->jobs[i].called;

        buf_printf(out, "%*s%s", indent, "", w->jobs[i].id);
        if (called)
            buf_printf(out, ": %s of %s at %s, commit %s", called->path,
                       called->repository ? called->repository : "the run",
                       called->ref ? called->ref : "hand", called->sha ? called->sha : "unknown");
        buf_add_str(out, "\n");
        if (called)
            print_tree(called, indent + 2, out);
    }
}

static struct slice read_calls(struct arena *a, struct slice document, struct diags *unused)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(1 << 20);
    CLEANUP(diags_deinit) struct diags diags = {.arena = a};
    CLEANUP(workflow_deinit) struct workflow w;
    struct files files = {document};
    struct slice rest = document, line;

    (void)unused;
    cr_assert(slice_line(&rest, &line));
    struct calls_options options = {
        .source = {.read = read_part, .ctx = &files},
        .repository = "acme/app",
        .policy = slice_find(line, SLICE("limited")) >= 0 ? CALLS_LIMITED_READ : CALLS_WRITE,
        .depth = number(a, line, "depth="),
        .files = number(a, line, "files="),
        .jobs = number(a, line, "jobs="),
    };
    workflow_init(&w);
    int r = workflow_parse(&w, part(&files, ""), "ci.yml", &diags);
    if (r == ERR_OK)
        r = workflow_load_calls(&w, &options, &diags);
    VEC_EACH (d, &diags.list) {
        buf_printf(&out, "%s%s", d->level == DIAG_ERROR ? "" : "warning: ", diag_text(a, d));
        if (d->hint)
            buf_printf(&out, " (%s)", d->hint);
        buf_add_str(&out, "\n");
    }
    if (r == ERR_OK)
        print_tree(&w, 0, &out);
    for (size_t i = 0; r != ERR_OK && i < w.n_jobs; i++)
        cr_expect_null(w.jobs[i].called, "a refused workflow has calls");
    if (out.len)
        out.len--;
    return arena_dup(a, buf_slice(&out));
}

Test(calls, are_read_and_checked)
{
    each_case("calls", "calls", read_calls);
}

Test(calls, may_ask_for_what_their_caller_may)
{
    each_case("calls", "permissions", read_calls);
}
