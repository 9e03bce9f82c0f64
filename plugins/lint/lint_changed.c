#include "lint_changed.h"

#include "lint_run.h"

#include <stdlib.h>
#include <string.h>

/* ---- reading a diff ---- */

static struct changed_file *file_add(struct ost_step *step, struct changes *to, const char *path)
{
    if (to->n == to->room) {
        size_t room = to->room ? to->room * 2 : 16;
        struct changed_file *list = step->host->alloc(step, room * sizeof *list);

        if (to->n > 0)
            memcpy(list, to->list, to->n * sizeof *list);
        to->list = list;
        to->room = room;
    }
    to->list[to->n] = (struct changed_file){.path = path};
    return &to->list[to->n++];
}

static void lines_add(struct ost_step *step, struct changed_file *f, uint32_t first, uint32_t count)
{
    if (f->n == f->room) {
        size_t room = f->room ? f->room * 2 : 8;
        struct line_range *lines = step->host->alloc(step, room * sizeof *lines);

        if (f->n > 0)
            memcpy(lines, f->lines, f->n * sizeof *lines);
        f->lines = lines;
        f->room = room;
    }
    f->lines[f->n++] =
        (struct line_range){first, count > UINT32_MAX - first ? UINT32_MAX : first + count - 1};
}

/* A name that git put in quotes: \", \\, \t, \303. */
static struct span unquote(struct ost_step *step, struct span s)
{
    static const char names[] = "abtnvfr\"\\", values[] = "\a\b\t\n\v\f\r\"\\";
    char *text;
    size_t n = 0;

    if (!span_eat(&s, "\""))
        return s;
    if (span_ends(s, "\""))
        s.size--;
    text = step->host->alloc(step, s.size + 1);
    for (size_t i = 0; i < s.size; i++) {
        const char *which;

        if (s.at[i] != '\\' || i + 1 == s.size) {
            text[n++] = s.at[i];
            continue;
        }
        i++;
        which = s.at[i] ? strchr(names, s.at[i]) : NULL;
        if (which) {
            text[n++] = values[which - names];
        } else {
            unsigned byte = 0;

            for (int digits = 0; digits < 3 && i < s.size && s.at[i] >= '0' && s.at[i] <= '7';
                 digits++)
                byte = byte * 8 + (unsigned)(s.at[i++] - '0');
            i--; /* the loop steps over the last digit */
            text[n++] = (char)byte;
        }
    }
    return (struct span){text, n};
}

/* "+++ b/src/a.c", "+++ "b/a\tb.c"", "+++ /dev/null". A name with blanks is followed by a tab. */
static const char *new_name(struct ost_step *step, struct span line, const char *prefix)
{
    struct span name;

    span_eat(&line, "+++ ");
    if (span_eat_until(&line, '\t', &name))
        line = name;
    line = unquote(step, line);
    if (!span_eat(&line, "b/"))
        return NULL; /* it is gone */
    return rel_clean(step, rel_join(step, prefix, span_dup(step, line)));
}

/* "@@ -12,3 +12,4 @@ ...": the lines of the old and of the new file. */
static bool read_hunk(struct span line, uint32_t *n_old, uint32_t *first, uint32_t *n_new)
{
    uint32_t old;

    *n_old = *n_new = 1;
    if (!span_eat(&line, "@@ -") || !span_eat_number(&line, &old))
        return false;
    if (span_eat(&line, ",") && !span_eat_number(&line, n_old))
        return false;
    if (!span_eat(&line, " +") || !span_eat_number(&line, first))
        return false;
    return !span_eat(&line, ",") || span_eat_number(&line, n_new);
}

void changes_read(struct ost_step *step, struct span diff, const char *prefix, struct changes *to)
{
    struct changed_file *file = NULL;
    uint64_t body = 0; /* lines of the hunk still to come: a line "+++ x" may be one of them */
    struct span line;

    while (span_line(&diff, &line)) {
        uint32_t n_old, first, n_new;

        if (body > 0 && line.size > 0 && (line.at[0] == '-' || line.at[0] == '+')) {
            body--;
        } else if (span_starts(line, "diff --git ")) {
            file = NULL;
        } else if (span_starts(line, "+++ ")) {
            const char *name = new_name(step, line, prefix);

            file = name ? file_add(step, to, name) : NULL;
        } else if (read_hunk(line, &n_old, &first, &n_new)) {
            body = (uint64_t)n_old + n_new;
            if (file && n_new > 0)
                lines_add(step, file, first, n_new);
        }
    }
}

bool changes_touch(const struct changes *c, const struct finding *f)
{
    uint32_t last = f->end_line > f->line ? f->end_line : f->line;

    if (!*f->file)
        return true;
    for (size_t i = 0; i < c->n; i++) {
        const struct changed_file *file = &c->list[i];

        if (strcmp(file->path, f->file) != 0)
            continue;
        if (file->whole || f->line == 0)
            return true;
        for (size_t k = 0; k < file->n; k++)
            if (file->lines[k].first <= last && file->lines[k].last >= f->line)
                return true;
    }
    return false;
}

/* ---- asking git ---- */

struct git {
    struct ost_step *step;
    const char *cwd;
    struct output out, err; /* of the latest command */
    int32_t code;
};

/* Runs git with ARGS. The workspace belongs to the job, whoever owns its files:
 * git would refuse to look at it otherwise. Names come unquoted as far as git can. */
static ost_status git_run(struct git *g, const char *const *args)
{
    struct strings argv = {0};
    ost_status r;

    g->out = g->err = (struct output){0};
    for (const char *const *head =
             OST_ARGV("git", "-c", "safe.directory=*", "-c", "core.quotePath=false");
         *head; head++)
        strings_add(g->step, &argv, *head);
    for (; *args; args++)
        strings_add(g->step, &argv, *args);
    r = run_quietly(g->step, strings_list(&argv), g->cwd, &g->out, &g->err, &g->code);
    if (g->out.overflow)
        return ost_fail(g->step, OST_E_LIMIT,
                        "the changes are larger than %d MiB: lint without 'changed-only'",
                        OUTPUT_MAX >> 20);
    if (r == OST_E_NOT_FOUND)
        return ost_fail(g->step, r, "'changed-only' needs git, and there is no git in this job");
    if (r < 0 && r != OST_E_CANCELLED)
        return ost_fail(g->step, r, "cannot run git: %s", g->step->host->last_error(g->step));
    return r;
}

#define GIT(g, ...) git_run((g), OST_ARGV(__VA_ARGS__))

static const char *git_text(struct git *g)
{
    return span_dup(g->step, span_trim((struct span){g->out.data, g->out.size}));
}

static const char *context(struct ost_step *step, const char *name)
{
    const char *value = step->host->context(step, name);

    return value ? value : "";
}

static bool is_zeros(const char *id)
{
    return strspn(id, "0") == strlen(id);
}

/* The names under which the base may be known here, best first. Only one base is ever meant: falling
 * back on another would find nothing changed, and all would look well. */
static struct strings base_names(struct ost_step *step, const char *base)
{
    struct strings names = {0};
    const char *target = context(step, "github.base_ref");
    const char *before = context(step, "github.event.before");
    const char *branch = context(step, "github.event.repository.default_branch");

    if (*base) {
        strings_add(step, &names, base);
        if (strncmp(base, "refs/heads/", 11) == 0)
            base += 11;
        strings_add(step, &names, ost_fmt(step, "origin/%s", base));
    } else if (*target) {
        strings_add(step, &names, ost_fmt(step, "origin/%s", target));
        strings_add(step, &names, target);
        if (*context(step, "github.event.pull_request.base.sha"))
            strings_add(step, &names, context(step, "github.event.pull_request.base.sha"));
    } else if (*before && !is_zeros(before)) {
        strings_add(step, &names, before);
    } else if (*branch) {
        strings_add(step, &names, ost_fmt(step, "origin/%s", branch));
        strings_add(step, &names, branch);
    } else {
        strings_add(step, &names, "origin/HEAD");
    }
    return names;
}

#define CURE "let actions/checkout fetch the history ('fetch-depth: 0'), or name another 'base'"

/* The commit that the base is at. */
static ost_status find_base(struct git *g, const char *base, const char **ret)
{
    struct strings names = base_names(g->step, base);

    for (size_t i = 0; i < names.n; i++) {
        ost_status r;

        if (names.list[i][0] == '-')
            continue; /* no name of a commit begins like an option */
        r = GIT(g, "rev-parse", "--verify", "--quiet",
                ost_fmt(g->step, "%s^{commit}", names.list[i]));
        if (r < 0)
            return r;
        if (g->code == 0) {
            *ret = git_text(g);
            ost_log(g->step, OST_INFO, "only what changed since '%s' counts", names.list[i]);
            return OST_OK;
        }
    }
    return ost_fail(g->step, OST_E_NOT_FOUND, "this checkout does not know the base '%s': " CURE,
                    names.list[0]);
}

/* Where the working tree left the commit BASE. */
static ost_status find_fork(struct git *g, const char *base, const char **ret)
{
    ost_status r = GIT(g, "merge-base", base, "HEAD");
    bool shallow;

    if (r < 0)
        return r;
    if (g->code == 0) {
        *ret = git_text(g);
        return OST_OK;
    }
    r = GIT(g, "rev-parse", "--is-shallow-repository");
    if (r < 0)
        return r;
    shallow = strcmp(git_text(g), "true") == 0;
    return ost_fail(g->step, OST_E_NOT_FOUND, "%s the base %.12s: " CURE,
                    shallow ? "this checkout is shallow and does not reach back to where it left"
                            : "this checkout has no history in common with",
                    base);
}

/* New files, which no diff shows: names that end with NUL bytes. */
static void add_untracked(struct git *g, const char *prefix, struct changes *to)
{
    struct span rest = {g->out.data, g->out.size}, name;

    while (span_eat_until(&rest, '\0', &name))
        file_add(g->step, to,
                 rel_clean(g->step, rel_join(g->step, prefix, span_dup(g->step, name))))
            ->whole = true;
}

/* Puts G where names are asked for: in the workspace, be that all of a repository or a part of one, else
 * at the top of the repository that DIR, one of its folders, lies in. *RET is that place. */
static ost_status find_repository(struct git *g, const char *workspace, const char *dir,
                                  const char **ret)
{
    ost_status r;

    *ret = "";
    g->cwd = workspace;
    r = GIT(g, "rev-parse", "--show-cdup");
    if (r < 0 || g->code == 0)
        return r;
    g->cwd = rel_clean(g->step, rel_join(g->step, workspace, *dir ? dir : "."));
    r = GIT(g, "rev-parse", "--show-cdup");
    if (r < 0)
        return r;
    if (g->code != 0)
        return ost_fail(
            g->step, OST_E_INVALID,
            "'changed-only' needs a git repository, and '%s' is in none: add a step with "
            "actions/checkout before this one",
            *dir ? dir : ".");
    *ret = rel_clean(g->step, rel_join(g->step, dir, git_text(g)));
    g->cwd = rel_join(g->step, workspace, *ret);
    return OST_OK;
}

static ost_status load(struct git *g, const char *workspace, const char *dir, const char *base,
                       struct changes *ret)
{
    const char *fork = NULL, *prefix;
    ost_status r = find_repository(g, workspace, dir, &prefix);

    if (r == OST_OK)
        r = find_base(g, base, &base);
    if (r == OST_OK)
        r = find_fork(g, base, &fork);
    if (r == OST_OK)
        r = GIT(g, "diff", "--no-color", "--no-ext-diff", "--no-textconv", "--unified=0",
                "--relative", "--find-renames", "--src-prefix=a/", "--dst-prefix=b/", fork, "--");
    if (r == OST_OK && g->code != 0)
        r = ost_fail(g->step, OST_E_FAILED, "git diff failed: %s",
                     span_dup(g->step, span_trim((struct span){g->err.data, g->err.size})));
    if (r == OST_OK)
        changes_read(g->step, (struct span){g->out.data, g->out.size}, prefix, ret);
    if (r == OST_OK)
        r = GIT(g, "ls-files", "--others", "--exclude-standard", "-z");
    if (r == OST_OK && g->code == 0)
        add_untracked(g, prefix, ret);
    return r;
}

ost_status changes_load(struct ost_step *step, const char *workspace, const char *dir,
                        const char *base, struct changes *ret)
{
    struct git g = {.step = step};

    return load(&g, workspace, dir, base, ret);
}
