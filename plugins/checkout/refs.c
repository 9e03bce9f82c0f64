#include "refs.h"
#include "settings.h"

#include <string.h>
#include <strings.h>

static const char all_tags[] = "+refs/tags/*:refs/tags/*";

/* What follows PREFIX in REF, whatever its case; NULL: it does not begin so. */
static const char *behind(const char *ref, const char *prefix)
{
    size_t n = strlen(prefix);

    return strncasecmp(ref, prefix, n) == 0 ? ref + n : NULL;
}

#define ADD(...) strings_add(step, to, ost_fmt(step, __VA_ARGS__))

static void add_commit(struct ost_step *step, const struct wanted *w, bool tags, struct strings *to)
{
    const char *branch = behind(w->ref, "refs/heads/"), *pull = behind(w->ref, "refs/pull/");

    if (branch)
        ADD("+%s:refs/remotes/origin/%s", w->commit, branch);
    else if (pull)
        ADD("+%s:refs/remotes/pull/%s", w->commit, pull);
    else if (behind(w->ref, "refs/tags/") && !HAS_TAGS_AS_THEY_ARE)
        ADD("+%s:%s", w->commit, w->ref);
    else if (!behind(w->ref, "refs/tags/"))
        ADD("%s", w->commit);
    else if (!tags)
        ADD("+%s:%s", w->ref, w->ref);
}

static void add_ref(struct ost_step *step, const struct wanted *w, bool tags, struct strings *to)
{
    const char *branch = behind(w->ref, "refs/heads/"), *pull = behind(w->ref, "refs/pull/");

    if (!behind(w->ref, "refs/")) { /* a branch or a tag: all that begin so */
        ADD("+refs/heads/%s*:refs/remotes/origin/%s*", w->ref, w->ref);
        if (!tags)
            ADD("+refs/tags/%s*:refs/tags/%s*", w->ref, w->ref);
    } else if (branch) {
        ADD("+%s:refs/remotes/origin/%s", w->ref, branch);
    } else if (pull) {
        ADD("+%s:refs/remotes/pull/%s", w->ref, pull);
    } else if (!tags || !behind(w->ref, "refs/tags/")) {
        ADD("+%s:%s", w->ref, w->ref);
    }
}

void refs_to_fetch(struct ost_step *step, const struct wanted *w, bool tags, struct strings *to)
{
    tags = tags && HAS_TAGS_AS_THEY_ARE; /* before that, they came along unasked */
    if (tags)
        strings_add(step, to, all_tags);
    if (*w->commit)
        add_commit(step, w, tags, to);
    else
        add_ref(step, w, tags, to);
}

void refs_of_all(struct ost_step *step, const struct wanted *w, struct strings *to)
{
    const char *pull = behind(w->ref, "refs/pull/");

    strings_add(step, to, "+refs/heads/*:refs/remotes/origin/*");
    strings_add(step, to, all_tags);
    if (pull)
        ADD("+%s:refs/remotes/pull/%s", *w->commit ? w->commit : w->ref, pull);
}

/* ---- what came ---- */

/* Whether ARGS print anything. */
static ost_status lists(const struct git *g, const char *const *args, bool *ret)
{
    struct git_answer a;
    ost_status r = git_ask(g, false, args, &a);

    *ret = r == OST_OK && a.code == 0 && span_trim(a.out).size > 0;
    return r;
}

static ost_status has_branch(const struct git *g, const char *name, bool *ret)
{
    return lists(g, GIT_ARGS("branch", "--list", "--remote", ost_fmt(g->step, "origin/%s", name)),
                 ret);
}

static ost_status has_tag(const struct git *g, const char *name, bool *ret)
{
    return lists(g, GIT_ARGS("tag", "--list", name), ret);
}

ost_status refs_target(const struct git *g, const struct wanted *w, struct target *ret)
{
    struct ost_step *step = g->step;
    const char *branch = behind(w->ref, "refs/heads/"), *pull = behind(w->ref, "refs/pull/");
    bool found = true;
    ost_status r = OST_OK;

    *ret = (struct target){w->ref, ""};
    if (!*w->ref) {
        ret->ref = w->commit;
    } else if (branch) {
        *ret = (struct target){branch, ost_fmt(step, "refs/remotes/origin/%s", branch)};
    } else if (pull) {
        ret->ref = ost_fmt(step, "refs/remotes/pull/%s", pull);
    } else if (behind(w->ref, "refs/")) {
        if (*w->commit && !behind(w->ref, "refs/tags/"))
            ret->ref = w->commit;
    } else {
        r = has_branch(g, w->ref, &found);
        if (found) {
            ret->start = ost_fmt(step, "refs/remotes/origin/%s", w->ref);
        } else if (r == OST_OK) {
            r = has_tag(g, w->ref, &found);
            ret->ref = ost_fmt(step, "refs/tags/%s", w->ref);
        }
    }
    if (r == OST_OK && !found)
        return ost_fail(step, OST_E_NOT_FOUND,
                        "A branch or tag with the name '%s' could not be found", w->ref);
    return r;
}

static ost_status is_at(const struct git *g, const char *name, const char *commit, bool *ret)
{
    struct git_answer a;
    ost_status r = git_ask(g, false, GIT_ARGS("rev-parse", name), &a);

    *ret = r == OST_OK && a.code == 0 && span_is(span_trim(a.out), commit);
    return r;
}

ost_status refs_test(const struct git *g, const struct wanted *w, bool *ret)
{
    struct ost_step *step = g->step;
    const char *branch = behind(w->ref, "refs/heads/"), *tag = behind(w->ref, "refs/tags/");
    ost_status r = OST_OK;

    *ret = true;
    if (!*w->commit)
        return OST_OK;
    if (!*w->ref) {
        struct git_answer a;

        r = git_ask(
            g, false,
            GIT_ARGS("rev-parse", "--verify", "--quiet", ost_fmt(step, "%s^{object}", w->commit)),
            &a);
        *ret = a.code == 0;
    } else if (branch) {
        r = has_branch(g, branch, ret);
        if (r == OST_OK && *ret)
            r = is_at(g, ost_fmt(step, "refs/remotes/origin/%s", branch), w->commit, ret);
    } else if (tag) { /* an annotated one is an object of its own */
        r = has_tag(g, tag, ret);
        if (r == OST_OK && *ret)
            r = is_at(g, ost_fmt(step, "%s%s", w->ref, HAS_TAGS_AS_THEY_ARE ? "^{commit}" : ""),
                      w->commit, ret);
    }
    return r;
}
