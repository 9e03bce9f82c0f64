#include "plugin/child/envs.h"

#include "base/fd.h"
#include "base/vec.h"
#include "plugin/child/calls.h"

#include <ctype.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SETTING_MAX = PLUGIN_VALUE_MAX + 1024, OUTPUT_MAX = PLUGIN_VALUE_MAX };

struct variables { /* phase memory: never freed */
    VEC(const char *) list;
};

/* ---- settings ---- */

void envs_setting(struct buf *to, const char *name, int type, struct slice value)
{
    struct slice line;
    bool first = true;

    buf_add_str(to, "PLUGIN_");
    for (; *name; name++)
        buf_add_char(to, *name == '-' ? '_' : (char)toupper((unsigned char)*name));
    buf_add_char(to, '=');
    if (type != OST_LIST) {
        buf_add(to, value);
        return;
    }
    while (slice_line(&value, &line)) {
        line = slice_trim(line);
        if (!line.len)
            continue;
        if (!first)
            buf_add_char(to, ',');
        first = false;
        buf_add(to, line);
    }
}

static int type_of(const char *name)
{
    for (int type = 0; plugin_type_name(type); type++)
        if (name && strcmp(name, plugin_type_name(type)) == 0)
            return type;
    return OST_STRING;
}

/* What is not set has no variable, as there. */
static void add_settings(struct variables *to, const struct child_start *start,
                         const json_t *contract)
{
    const json_t *in;
    size_t i;

    json_array_foreach (json_object_get(contract, "inputs"), i, in) {
        const char *name = json_string_value(json_object_get(in, "name"));
        struct buf text = BUF_INIT(SETTING_MAX);
        struct slice value;

        if (!name || !strmap_find(&start->inputs, slice_of(name), &value) || !value.len)
            continue;
        envs_setting(&text, name, type_of(json_string_value(json_object_get(in, "type"))), value);
        vec_push(&to->list, buf_take(&text));
    }
}

/* ---- what is built ---- */

static void add(struct ost_step *s, struct variables *to, const char *name, const char *value)
{
    if (value && *value)
        vec_push(&to->list, ost_fmt(s, "%s=%s", name, value));
}

/* One value under the names that both systems have for it. */
static void add_both(struct ost_step *s, struct variables *to, const char *value,
                     const char *const *names)
{
    for (; *names; names++)
        add(s, to, *names, value);
}

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void add_repository(struct ost_step *s, struct variables *to, const char *server)
{
    const char *repository = s->host->context(s, "github.repository");
    const char *slash = repository ? strchr(repository, '/') : NULL;

    if (!slash)
        return;
    const char *owner = ost_fmt(s, "%.*s", (int)(slash - repository), repository);
    add_both(s, to, repository, NAMES("CI_REPO", "DRONE_REPO"));
    add_both(s, to, owner, NAMES("CI_REPO_OWNER", "DRONE_REPO_OWNER", "DRONE_REPO_NAMESPACE"));
    add_both(s, to, slash + 1, NAMES("CI_REPO_NAME", "DRONE_REPO_NAME"));
    add_both(s, to, s->host->context(s, "github.event.repository.default_branch"),
             NAMES("CI_REPO_DEFAULT_BRANCH", "DRONE_REPO_BRANCH"));
    if (!server)
        return;
    add_both(s, to, ost_fmt(s, "%s/%s", server, repository),
             NAMES("CI_REPO_URL", "DRONE_REPO_LINK"));
    add_both(s, to, ost_fmt(s, "%s/%s.git", server, repository),
             NAMES("CI_REPO_CLONE_URL", "DRONE_GIT_HTTP_URL", "DRONE_REMOTE_URL"));
    add_both(s, to, "git", NAMES("CI_REPO_SCM", "DRONE_REPO_SCM"));
}

static void add_commit(struct ost_step *s, struct variables *to, const char *event)
{
    const char *ref = s->host->context(s, "github.ref"), *base = NULL, *number = NULL;
    const char *name = s->host->context(s, "github.ref_name");
    bool tag = ref && strncmp(ref, "refs/tags/", 10) == 0;
    const char *message = s->host->context(s, "github.event.head_commit.message");

    if (strcmp(event, "pull_request") == 0) {
        base = s->host->context(s, "github.base_ref");
        number = s->host->context(s, "github.event.number");
        message = s->host->context(s, "github.event.pull_request.title");
        add(s, to, "CI_COMMIT_SOURCE_BRANCH", s->host->context(s, "github.head_ref"));
        add(s, to, "DRONE_SOURCE_BRANCH", s->host->context(s, "github.head_ref"));
        add_both(s, to, base, NAMES("CI_COMMIT_TARGET_BRANCH", "DRONE_TARGET_BRANCH"));
        add_both(s, to, number, NAMES("CI_COMMIT_PULL_REQUEST", "DRONE_PULL_REQUEST"));
        add(s, to, "DRONE_PULL_REQUEST_TITLE", message);
    }
    add_both(s, to, s->host->context(s, "github.sha"),
             NAMES("CI_COMMIT_SHA", "DRONE_COMMIT_SHA", "DRONE_COMMIT", "DRONE_COMMIT_AFTER"));
    add_both(s, to, s->host->context(s, "github.event.before"),
             NAMES("CI_PREV_COMMIT_SHA", "DRONE_COMMIT_BEFORE"));
    add_both(s, to, ref, NAMES("CI_COMMIT_REF", "DRONE_COMMIT_REF"));
    add_both(s, to, message, NAMES("CI_COMMIT_MESSAGE", "DRONE_COMMIT_MESSAGE"));
    add_both(s, to, s->host->context(s, "github.actor"),
             NAMES("CI_COMMIT_AUTHOR", "DRONE_COMMIT_AUTHOR"));
    add_both(s, to, s->host->context(s, "github.event.head_commit.author.email"),
             NAMES("CI_COMMIT_AUTHOR_EMAIL", "DRONE_COMMIT_AUTHOR_EMAIL"));
    if (tag)
        add_both(s, to, name, NAMES("CI_COMMIT_TAG", "DRONE_TAG"));
    else
        add_both(s, to, base ? base : name,
                 NAMES("CI_COMMIT_BRANCH", "DRONE_BRANCH", "DRONE_COMMIT_BRANCH"));
}

/* Their words for what happened. */
static const char *event_of(struct ost_step *s)
{
    const char *event = s->host->context(s, "github.event_name");
    const char *ref = s->host->context(s, "github.ref");

    if (!event)
        return "push";
    if (strcmp(event, "push") == 0 && ref && strncmp(ref, "refs/tags/", 10) == 0)
        return "tag";
    if (strncmp(event, "pull_request", 12) == 0)
        return "pull_request";
    if (strcmp(event, "schedule") == 0)
        return "cron";
    return strcmp(event, "workflow_dispatch") == 0 ? "manual" : event;
}

static void add_build(struct ost_step *s, struct variables *to)
{
    const char *server = s->host->context(s, "github.server_url");
    const char *repository = s->host->context(s, "github.repository");
    const char *run = s->host->context(s, "github.run_id");
    const char *status = s->host->context(s, "job.status"), *event = event_of(s);

    add(s, to, "CI", "true");
    add(s, to, "DRONE", "true");
    add(s, to, "CI_SYSTEM_NAME", "woodpecker"); /* libraries of such plugins look for that */
    add_both(s, to, s->host->dir(s, OST_DIR_WORKSPACE), NAMES("CI_WORKSPACE", "DRONE_WORKSPACE"));
    add_both(s, to, s->host->context(s, "github.run_number"),
             NAMES("CI_PIPELINE_NUMBER", "CI_BUILD_NUMBER", "DRONE_BUILD_NUMBER"));
    add_both(s, to, event, NAMES("CI_PIPELINE_EVENT", "CI_BUILD_EVENT", "DRONE_BUILD_EVENT"));
    add_both(
        s, to, status,
        NAMES("CI_PIPELINE_STATUS", "CI_BUILD_STATUS", "DRONE_BUILD_STATUS", "DRONE_JOB_STATUS"));
    add_both(s, to, s->host->context(s, "github.workflow"),
             NAMES("CI_WORKFLOW_NAME", "DRONE_STAGE_NAME"));
    if (server && repository && run)
        add_both(s, to, ost_fmt(s, "%s/%s/actions/runs/%s", server, repository, run),
                 NAMES("CI_PIPELINE_URL", "CI_BUILD_LINK", "DRONE_BUILD_LINK"));
    add_repository(s, to, server);
    add_commit(s, to, event);
}

/* ---- the program, as a file that the job can run ---- */

static const char *put_program(struct ost_step *s)
{
    const char *path = s->host->temp(s, ost_fmt(s, "-%.60s", calls_start(s)->name));
    CLEANUP(fd_closep) int fd = path ? open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    off_t at = 0;
    ssize_t n = 1;

    while (fd >= 0 && n > 0)
        n = sendfile(fd, CHILD_OBJECT, &at, 1 << 20);
    if (fd < 0 || n < 0 || fchmod(fd, 0755) < 0) {
        struct err err;

        (void)err_sys(&err, "cannot make the program a file of the job");
        (void)s->host->fail(s, OST_E_IO, err.text);
        return NULL;
    }
    return path;
}

/* ---- outputs: lines NAME=VALUE in the file that DRONE_OUTPUT names ---- */

static bool is_declared(const json_t *contract, struct slice name)
{
    const json_t *out;
    size_t i;

    json_array_foreach (json_object_get(contract, "outputs"), i, out)
        if (slice_eq_nocase(name, slice_of(json_string_value(json_object_get(out, "name")))))
            return true;
    return false;
}

static ost_status take_outputs(struct ost_step *s, const json_t *contract, const char *path)
{
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(OUTPUT_MAX);
    struct err err = ERR_INIT;
    struct slice rest, line;
    ost_status r = OST_OK;

    if (fd < 0)
        return OST_OK; /* the program removed it: it has nothing to say */
    if (fd_read_all(fd, &text, &err) < 0)
        return s->host->fail(s, OST_E_LIMIT, err.text);
    rest = buf_slice(&text);
    while (r == OST_OK && slice_line(&rest, &line)) {
        ssize_t at = slice_find_char(line, '=');
        struct slice name = slice_trim(slice_head(line, at < 0 ? 0 : (size_t)at));

        if (name.len && is_declared(contract, name))
            r = s->host->output(s, ost_fmt(s, "%.*s", SLICE_ARG(name)),
                                ost_fmt(s, "%.*s", SLICE_ARG(slice_from(line, (size_t)at + 1))));
    }
    return r;
}

/* ---- phases ---- */

static ost_status run(struct ost_step *s)
{
    const struct child_start *start = calls_start(s);
    json_t *contract = json_loads(start->contract, 0, NULL);
    struct variables to = {0};
    const char *program = put_program(s), *outputs = s->host->temp(s, "-output");

    if (!program || !outputs)
        return OST_E_IO;
    add_build(s, &to);
    add_settings(&to, start, contract);
    add(s, &to, "DRONE_OUTPUT", outputs);
    vec_push(&to.list, NULL);
    ost_status r = ost_exec(s, NULL, .flags = OST_EXEC_CHECK, .env = to.list.ptr,
                            .cwd = s->host->dir(s, OST_DIR_WORKSPACE), .argv = OST_ARGV(program));
    if (r == OST_OK)
        r = take_outputs(s, contract, outputs);
    (void)unlink(program);
    (void)unlink(outputs);
    return r;
}

/* The names are enough: among the values may be secrets. */
static ost_status plan(struct ost_step *s)
{
    const struct child_start *start = calls_start(s);
    struct buf names = BUF_INIT(64 << 10);
    struct variables to = {0};

    add_settings(&to, start, json_loads(start->contract, 0, NULL));
    VEC_EACH (one, &to.list)
        buf_printf(&names, "%s%.*s", names.len ? ", " : "", (int)strcspn(*one, "="), *one);
    return s->host->plan(s, "run", start->name, buf_take(&names));
}

const struct ost_plugin envs_plugin = {
    .struct_size = sizeof envs_plugin,
    .abi_minor = OST_ABI_MINOR,
    .plan = plan,
    .main = run,
};
