#include "settings.h"

#include <string.h>
#include <strings.h>

const char *context_text(struct ost_step *step, const char *name)
{
    const char *text = step->host->context(step, name);

    return text ? text : "";
}

/* An input that is there but empty means what the action takes it for. */
static bool flag(struct ost_step *step, const char *name, bool if_empty)
{
    return *step->host->input(step, name) ? ost_input_bool(step, name) : if_empty;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
}

/* ---- the server ---- */

const char *server_origin(struct ost_step *step, const char *url, const char **ret_host)
{
    struct span rest = span_of(url), port = {0};
    bool tls = strncasecmp(url, "https://", 8) == 0;
    size_t scheme = tls ? 8 : strncasecmp(url, "http://", 7) == 0 ? 7 : 0;
    size_t n, host;

    if (!scheme)
        return NULL;
    rest = (struct span){url + scheme, strcspn(url + scheme, "/?#")};
    for (n = rest.size; n > 0; n--)
        if (rest.at[n - 1] == '@') { /* who one is there is no part of where it is */
            rest = (struct span){rest.at + n, rest.size - n};
            break;
        }
    for (host = rest.size; host > 0 && rest.at[host - 1] >= '0' && rest.at[host - 1] <= '9'; host--)
        ;
    if (host > 0 && rest.at[host - 1] == ':')
        port = (struct span){rest.at + host, rest.size - host};
    host = port.at ? host - 1 : rest.size;
    if (host == 0 || strcspn(url, " \t\r\n\"'\\") != strlen(url))
        return NULL;

    char *name = step->host->alloc(step, host + 1);
    for (n = 0; n < host; n++)
        name[n] = lower(rest.at[n]);
    name[host] = '\0';
    *ret_host = name;
    if (port.size == 0 || span_is(port, tls ? "443" : "80"))
        return ost_fmt(step, "http%s://%s", tls ? "s" : "", name);
    return ost_fmt(step, "http%s://%s:%.*s", tls ? "s" : "", name, (int)port.size, port.at);
}

/* As a part of an address. */
static const char *encode(struct ost_step *step, const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!~*'()";
    struct sink k = {.step = step};

    for (; *text; text++)
        if (strchr(plain, *text))
            sink_add(&k, (struct span){text, 1});
        else
            sink_addf(&k, "%%%02X", (unsigned)(unsigned char)*text);
    return sink_text(&k);
}

static ost_status read_server(struct ost_step *step, struct settings *s)
{
    const char *url = step->host->input(step, "github-server-url");

    if (!*url)
        url = context_text(step, "github.server_url");
    if (!*url)
        url = "https://github.com";
    s->server = server_origin(step, url, &s->host);
    if (!s->server)
        return ost_fail(step, OST_E_INVALID,
                        "'%s' is no server: write github-server-url as https://HOST", url);
    const char *owner = encode(step, s->owner), *name = encode(step, s->name);
    s->url = *s->ssh_key ? ost_fmt(step, "%s@%s:%s/%s.git", s->ssh_user, s->host, owner, name)
                         : ost_fmt(step, "%s/%s/%s", s->server, owner, name);
    return OST_OK;
}

/* ---- repository, folder, ref ---- */

static ost_status read_repository(struct ost_step *step, struct settings *s)
{
    const char *mine = context_text(step, "github.repository");
    const char *text = step->host->input(step, "repository");
    const char *slash;

    text = *text ? text : mine;
    slash = strchr(text, '/');
    if (!slash || slash == text || !slash[1] || strchr(slash + 1, '/'))
        return ost_fail(step, OST_E_INVALID,
                        "Invalid repository '%s'. Expected format {owner}/{repo}.", text);
    s->owner = span_dup(step, (struct span){text, (size_t)(slash - text)});
    s->name = slash + 1;
    s->own = strcasecmp(text, mine) == 0;
    return OST_OK;
}

static ost_status read_folder(struct ost_step *step, struct settings *s)
{
    const char *path = step->host->input(step, "path");

    s->workspace = rel_clean(step, step->host->dir(step, OST_DIR_WORKSPACE));
    s->temp = step->host->dir(step, OST_DIR_TEMP);
    s->folder = rel_clean(step, rel_join(step, s->workspace, path));
    if (!rel_below(s->workspace, s->folder))
        return ost_fail(step, OST_E_DENIED, "Repository path '%s' is not under '%s'", s->folder,
                        s->workspace);
    return OST_OK;
}

static bool is_commit(const char *text)
{
    size_t n = strlen(text);

    return (n == 40 || (HAS_OBJECT_FORMAT && n == 64)) &&
           strspn(text, "0123456789abcdefABCDEF") == n;
}

static ost_status read_ref(struct ost_step *step, struct settings *s)
{
    s->given = step->host->input(step, "ref");
    s->ref = s->given;
    s->commit = "";
    if (s->ref[0] == '-' || strpbrk(s->ref, "\r\n"))
        return ost_fail(step, OST_E_INVALID,
                        "'%s' is no ref: no branch, tag or commit has such a name", s->ref);
    if (*s->ref) {
        if (is_commit(s->ref)) {
            s->commit = s->ref;
            s->ref = "";
        }
    } else if (s->own) {
        s->ref = context_text(step, "github.ref");
        s->commit = context_text(step, "github.sha");
        /* Some events have it unqualified: that of a pull request that was merged. */
        if (*s->ref && *s->commit && strncmp(s->ref, "refs/", 5) != 0)
            s->ref = ost_fmt(step, "refs/heads/%s", s->ref);
    }
    return OST_OK;
}

/* ---- all of it ---- */

static int64_t read_depth(struct ost_step *step)
{
    const char *text = step->host->input(step, "fetch-depth");
    struct span digits = span_of(text);
    uint32_t n;

    if (!*text)
        return 1;
    return span_eat_number(&digits, &n) ? n : 0; /* below 0 is all, too */
}

static enum submodules read_submodules(struct ost_step *step)
{
    switch (lower(step->host->input(step, "submodules")[0])) {
    case 't':
        return SUBMODULES_OWN;
    case 'r':
        return SUBMODULES_ALL;
    default:
        return SUBMODULES_NONE;
    }
}

static void read_rest(struct ost_step *step, struct settings *s)
{
    s->clean = flag(step, "clean", true);
    s->tags = flag(step, "fetch-tags", false);
    s->lfs = flag(step, "lfs", false);
    s->persist = flag(step, "persist-credentials", false);
    s->safe_directory = flag(step, "set-safe-directory", true);
    s->cone = flag(step, "sparse-checkout-cone-mode", true);
    s->strict = flag(step, "ssh-strict", true);
    s->depth = read_depth(step);
    s->submodules = read_submodules(step);
    s->n_sparse = step->host->input_list(step, "sparse-checkout", &s->sparse);
    s->token = step->host->input(step, "token");
    s->ssh_key = step->host->input(step, "ssh-key");
    s->known_hosts = step->host->input(step, "ssh-known-hosts");
    s->progress = true;
    s->filter = "";
    s->ssh_user = "";
    if (HAS_FILTER) {
        s->progress = flag(step, "show-progress", true);
        s->filter = step->host->input(step, "filter");
        s->ssh_user = step->host->input(step, "ssh-user");
    }
    if (!*s->ssh_user)
        s->ssh_user = "git";
    s->organization = context_text(step, "github.event.repository.owner.id");
    if (strspn(s->organization, "0123456789") != strlen(s->organization))
        s->organization = "";
}

ost_status settings_read(struct ost_step *step, struct settings *ret)
{
    *ret = (struct settings){0};
    read_rest(step, ret);
    ost_status r = read_repository(step, ret);

    if (r == OST_OK)
        r = read_server(step, ret);
    if (r == OST_OK)
        r = read_folder(step, ret);
    if (r == OST_OK)
        r = read_ref(step, ret);
    return r == OST_OK ? guard_forks(step, ret) : r;
}

/* ---- forks ---- */

static bool is_number(const char *text)
{
    return *text && strspn(text, "0123456789") == strlen(text);
}

/* "refs/pull/12/head", "refs/pull/12/merge" */
static bool is_pull_ref(const char *ref)
{
    struct span rest = span_of(ref);
    uint32_t n;

    return span_eat(&rest, "refs/pull/") && span_eat_number(&rest, &n) &&
           (span_is(rest, "/head") || span_is(rest, "/merge"));
}

static bool is_commit_of(struct ost_step *step, const char *commit, const char *const *names)
{
    for (; *commit && *names; names++)
        if (strcasecmp(context_text(step, *names), commit) == 0)
            return true;
    return false;
}

ost_status guard_forks(struct ost_step *step, const struct settings *s)
{
    static const char *const pull[] = {"github.event.pull_request.head.sha",
                                       "github.event.pull_request.merge_commit_sha", NULL};
    static const char *const run[] = {"github.event.workflow_run.head_commit.id",
                                      "github.event.workflow_run.head_sha", NULL};
    static const char *const run_target[] = {"github.event.workflow_run.head_commit.id", NULL};
    const char *event = context_text(step, "github.event_name");
    const char *base = context_text(step, "github.event.repository.id"), *head, *from, *inner;
    const char *const *commits = pull;

    if ((s->own && !*s->given) || flag(step, "allow-unsafe-pr-checkout", false))
        return OST_OK; /* what the event itself names is trusted */
    if (strcmp(event, "pull_request_target") == 0) {
        head = context_text(step, "github.event.pull_request.head.repo.id");
        from = context_text(step, "github.event.pull_request.head.repo.full_name");
    } else if (strcmp(event, "workflow_run") == 0) {
        inner = context_text(step, "github.event.workflow_run.event");
        if (strncmp(inner, "pull_request", 12) != 0)
            return OST_OK;
        head = context_text(step, "github.event.workflow_run.head_repository.id");
        from = context_text(step, "github.event.workflow_run.head_repository.full_name");
        /* Of pull_request_target, head_sha is that of the base. */
        commits = strcmp(inner, "pull_request_target") == 0 ? run_target : run;
    } else {
        return OST_OK;
    }
    if (!is_number(base) || !is_number(head) || strcmp(base, head) == 0)
        return OST_OK;
    if (strcasecmp(from, ost_fmt(step, "%s/%s", s->owner, s->name)) != 0 && !is_pull_ref(s->ref) &&
        !is_commit_of(step, s->commit, commits))
        return OST_OK;
    return ost_fail(step, OST_E_DENIED,
                    "Refusing to check out fork pull request code from a '%s' workflow. This "
                    "workflow runs with "
                    "the base repository's GITHUB_TOKEN, secrets, default-branch cache scope, and "
                    "runner access: "
                    "code of a fork would have them, too. Review the risks at "
                    "https://gh.io/securely-using-pull_request_target, and set "
                    "'allow-unsafe-pr-checkout: true' "
                    "on the actions/checkout step if they are wanted",
                    event);
}
