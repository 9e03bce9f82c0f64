#include "git.h"

#include <poll.h>
#include <string.h>
#include <sys/random.h>

enum { WORDS_MAX = 64, SAID_MAX = 4096 };

ost_status git_exec(const struct git *g, struct ost_exec exec, struct ost_exec_result *ret)
{
    struct ost_step *step = g->step;
    struct strings env = {0};

    strings_add(step, &env, "GIT_TERMINAL_PROMPT=0");
    strings_add(step, &env, "GCM_INTERACTIVE=Never");
    if (!g->lfs)
        strings_add(step, &env, "GIT_LFS_SKIP_SMUDGE=1");
    if (g->agent)
        strings_add(step, &env, ost_fmt(step, "GIT_HTTP_USER_AGENT=%s", g->agent));
    if (g->home)
        strings_add(step, &env, ost_fmt(step, "HOME=%s", g->home));
    if (g->ssh)
        strings_add(step, &env, ost_fmt(step, "GIT_SSH_COMMAND=%s", g->ssh));
    if (g->setting) { /* in the environment, as arguments are for all to read */
        strings_add(step, &env, "GIT_CONFIG_COUNT=1");
        strings_add(step, &env, ost_fmt(step, "GIT_CONFIG_KEY_0=%s", g->setting));
        strings_add(step, &env, ost_fmt(step, "GIT_CONFIG_VALUE_0=%s", g->value));
    }
    exec.struct_size = sizeof exec;
    exec.env = strings_list(&env);
    exec.cwd = g->dir;
    return step->host->exec(step, &exec, ret);
}

static const char *const *with_program(const struct git *g, const char *const *args)
{
    struct strings words = {0};

    strings_add(g->step, &words, g->program);
    for (; *args; args++)
        strings_add(g->step, &words, *args);
    return strings_list(&words);
}

static ost_status call(const struct git *g, struct ost_exec exec, const char *const *args,
                       struct git_answer *ret)
{
    struct ost_exec_result res = OST_RESULT;

    exec.argv = with_program(g, args);
    ost_status r = git_exec(g, exec, &res);
    *ret = (struct git_answer){r < 0 ? -1 : res.exit_code, {res.out ? res.out : "", res.out_size}};
    return r;
}

/* As the action says it. */
static ost_status failed(const struct git *g, int32_t code)
{
    return ost_fail(g->step, OST_E_FAILED, "The process '%s' failed with exit code %d", g->program,
                    code);
}

/* Records why git did not even run; a cancel needs no words. */
static ost_status not_run(const struct git *g, ost_status why)
{
    if (why == OST_E_CANCELLED)
        return why;
    return ost_fail(g->step, why, "cannot run git: %s", g->step->host->last_error(g->step));
}

ost_status git_run(const struct git *g, const char *const *args)
{
    struct git_answer a;
    ost_status r = call(g, (struct ost_exec){0}, args, &a);

    if (r < 0)
        return not_run(g, r);
    return a.code == 0 ? OST_OK : failed(g, a.code);
}

ost_status git_ask(const struct git *g, bool quiet, const char *const *args, struct git_answer *ret)
{
    return call(g, (struct ost_exec){.flags = OST_EXEC_CAPTURE | (quiet ? OST_EXEC_QUIET : 0)},
                args, ret);
}

bool git_try(const struct git *g, bool quiet, const char *const *args)
{
    const struct ost_exec exec = {.flags = quiet ? OST_EXEC_QUIET : 0};
    struct git_answer a;

    return call(g, exec, args, &a) == OST_OK && a.code == 0;
}

/* ---- servers ---- */

struct said { /* the end of what git said on stderr */
    char text[SAID_MAX];
    size_t size;
};

static ost_status on_output(void *ctx, int32_t fd, const char *data, size_t size)
{
    struct said *s = ctx;

    if (fd != 2)
        return OST_OK;
    if (size > SAID_MAX - 1) {
        data += size - (SAID_MAX - 1);
        size = SAID_MAX - 1;
    }
    if (s->size + size > SAID_MAX - 1) {
        size_t drop = s->size + size - (SAID_MAX - 1);

        memmove(s->text, s->text + drop, s->size - drop);
        s->size -= drop;
    }
    memcpy(s->text + s->size, data, size);
    s->size += size;
    return OST_OK;
}

/* A refusal stays one, however often we ask; all else may pass: a server that is busy, a replica that does not
 * have the commit yet. */
static const char *refusal(const struct git *g, const struct said *s)
{
    static const char wanted[] =
        "the server wants a token: give a `token`, or the run a GITHUB_TOKEN";
    static const char *const rows[][2] = {
        {"Authentication failed for", "the server refused the token"},
        {"The requested URL returned error: 401", "the server refused the token"},
        {"The requested URL returned error: 403", "the token may not read it"},
        {"Permission denied (publickey", "the server refused the SSH key"},
        {"Host key verification failed",
         "the server's host key is not known: give `ssh-known-hosts`"},
    };
    struct span text = {s->text, s->size};

    if (span_find(text, "could not read Username for") != SIZE_MAX)
        return g->token ? "the server refused the token" : wanted;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (span_find(text, rows[i][0]) != SIZE_MAX)
            return rows[i][1];
    if (span_find(text, "repository '") != SIZE_MAX && span_find(text, "' not found") != SIZE_MAX)
        return "the server has no such repository, or does not show it to this token";
    return NULL;
}

/* Waits, or is cancelled. */
static ost_status wait_a_while(struct ost_step *step)
{
    struct pollfd fd = {.fd = step->host->cancel_fd(step), .events = POLLIN};
    uint16_t chance = 0;
    uint32_t ms = CHECKOUT_RETRY_MS;

    (void)!getrandom(&chance, sizeof chance, 0); /* without chance the shortest wait will do */
    ms += (uint32_t)((uint64_t)CHECKOUT_RETRY_MS * chance / UINT16_MAX);
    ost_log(step, OST_INFO, "Waiting %u seconds before trying again", ms / 1000);
    (void)!poll(&fd, 1, (int)ms);
    return step->host->cancelled(step) ? OST_E_CANCELLED : OST_OK;
}

ost_status git_run_again(const struct git *g, const char *const *args, struct git_answer *ret)
{
    struct said *said = g->step->host->alloc(g->step, sizeof *said);
    struct git_answer ignored;
    const char *why;

    ret = ret ? ret : &ignored;
    for (int n = 1;; n++) {
        const struct ost_exec exec = {
            .flags = ret == &ignored ? 0 : OST_EXEC_CAPTURE, .on_output = on_output, .ctx = said};

        said->size = 0;
        ost_status r = call(g, exec, args, ret);
        if (r < 0)
            return not_run(g, r);
        if (ret->code == 0)
            return OST_OK;
        why = refusal(g, said);
        if (why)
            return ost_fail(g->step, OST_E_DENIED, "%s", why);
        if (n == GIT_TRIES) {
            r = failed(g, ret->code);
            return ret->code == 1 && said->size == 0 ? OST_E_NOT_FOUND : r;
        }
        ost_log(g->step, OST_INFO, "The process '%s' failed with exit code %d", g->program,
                ret->code);
        r = wait_a_while(g->step);
        if (r < 0)
            return r;
    }
}

/* ---- which git ---- */

bool git_is(const struct git *g, uint32_t major, uint32_t minor)
{
    return g->major > major || (g->major == major && g->minor >= minor);
}

/* "git version 2.39.5 (Apple Git-154)". */
static bool read_version(struct span text, struct git *g, const char **ret)
{
    struct span rest = text;

    if (!span_eat(&rest, "git version "))
        return false;
    struct span from = rest;
    if (!span_eat_number(&rest, &g->major) || !span_eat(&rest, ".") ||
        !span_eat_number(&rest, &g->minor))
        return false;
    while (rest.size && ((rest.at[0] >= '0' && rest.at[0] <= '9') || rest.at[0] == '.'))
        rest = (struct span){rest.at + 1, rest.size - 1};
    *ret = span_dup(g->step, (struct span){from.at, from.size - rest.size});
    return true;
}

ost_status git_find(struct ost_step *step, const char *dir, struct git *ret)
{
    struct ost_exec_result res = OST_RESULT;
    struct git_answer a;
    const char *version;

    *ret = (struct git){.step = step};
    ost_status r = ost_exec(step, &res, .flags = OST_EXEC_QUIET | OST_EXEC_CAPTURE,
                            .argv = OST_ARGV("sh", "-c", "command -v git"));
    if (r < 0)
        return r;
    if (res.exit_code != 0 || !*res.out)
        return OST_E_NOT_FOUND;
    ret->program = res.out;
    ret->dir = dir;
    r = git_ask(ret, false, GIT_ARGS("version"), &a);
    if (r < 0)
        return r;
    if (a.code != 0 || !read_version(a.out, ret, &version) || !git_is(ret, 2, 18))
        return OST_E_NOT_FOUND;
    ret->agent = ost_fmt(step, "git/%s (github-actions-checkout)", version);
    return OST_OK;
}
