#include "remote.h"
#include "script.h"

#include <string.h>
#include <sys/random.h>

const char *told_get(const struct told *t, const char *name)
{
    for (size_t i = t->names.n; i > 0; i--)
        if (strcmp(t->names.list[i - 1], name) == 0)
            return t->values.list[i - 1];
    return "";
}

ost_status remote_fail(struct remote *r, ost_status code, const char *format, ...)
{
    va_list ap;
    char text[LINE_SIZE];

    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    r->why = ost_fmt(r->step, "%s", text);
    return code;
}

void remote_init(struct remote *ret, struct ost_step *step, const struct settings *s,
                 const struct access *a, size_t i)
{
    unsigned char chance[16] = {0};

    *ret = (struct remote){
        .step = step,
        .settings = s,
        .access = a,
        .server = &s->servers[i],
        .alias = ost_fmt(step, "h%zu", i + 1),
        .prefix = s->n_servers > 1 ? ost_fmt(step, "[%s] ", s->servers[i].label) : "",
        .deploy = "",
        .why = "",
        .folder = s->folder,
        .current = "",
        .previous = "",
        .last = "",
        .pending = "",
        .step_of = "",
        .by = "",
        .compose = "",
        .release = "",
        .mutex = PTHREAD_MUTEX_INITIALIZER,
        .changed = PTHREAD_COND_INITIALIZER,
    };
    (void)!getrandom(chance, sizeof chance,
                     0); /* a container's output is the only one to guess it */
    for (size_t j = 0; j < sizeof chance; j++)
        snprintf(ret->token + 2 * j, 3, "%02x", chance[j]);
}

/* ---- what comes back ---- */

struct stream {
    char line[LINE_SIZE];
    size_t size;
};

struct session { /* one ssh */
    struct remote *remote;
    struct stream out, err;
    struct told *told;
    bool holds, quiet; /* it is the one with the lock; what it says is not logged */
    char trouble[TROUBLE_MAX];
    size_t trouble_size;
};

/* The lines of the holder are news for the thread that waits for them. */
static void on_told(struct session *s, struct span name, struct span value)
{
    struct remote *r = s->remote;

    if (span_is(name, "beat"))
        return;
    if (s->holds)
        pthread_mutex_lock(&r->mutex);
    strings_add(r->step, &s->told->names, span_dup(r->step, name));
    strings_add(r->step, &s->told->values, span_dup(r->step, value));
    if (!s->holds)
        return;
    r->locked |= span_is(name, "locked") && span_is(value, "yes");
    if (span_is(name, "held") && r->settings->lock_ms > 0)
        ost_log(r->step, OST_INFO, "%swaiting for another deploy: %.*s", r->prefix, (int)value.size,
                value.at);
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->mutex);
}

static void keep_trouble(struct session *s, struct span line)
{
    if (line.size + 1 > TROUBLE_MAX - s->trouble_size)
        s->trouble_size = 0;
    memcpy(s->trouble + s->trouble_size, line.at, line.size);
    s->trouble_size += line.size;
    s->trouble[s->trouble_size++] = '\n';
}

static void take_line(struct session *s, int32_t fd, struct span line)
{
    struct remote *r = s->remote;
    struct span rest = line, name;

    if (fd == 1 && span_eat(&rest, "@") && span_eat(&rest, r->token) && span_eat(&rest, " ") &&
        span_eat_until(&rest, '=', &name)) {
        on_told(s, name, rest);
        return;
    }
    if (fd == 2)
        keep_trouble(s, line);
    if (!s->quiet)
        ost_log(r->step, OST_INFO, "%s%.*s", r->prefix, (int)line.size, line.at);
}

static void take(struct session *s, int32_t fd, const char *data, size_t size)
{
    struct stream *t = fd == 2 ? &s->err : &s->out;

    for (; size > 0; data++, size--) {
        if (*data != '\n')
            t->line[t->size++] = *data;
        if (*data == '\n' || t->size == LINE_SIZE - 1) {
            if (t->size > 0 && t->line[t->size - 1] == '\r')
                t->size--;
            take_line(s, fd, (struct span){t->line, t->size});
            t->size = 0;
        }
    }
}

/* What came without an end of line. */
static void take_rest(struct session *s)
{
    for (int32_t fd = 1; fd <= 2; fd++)
        if ((fd == 2 ? s->err : s->out).size > 0)
            take(s, fd, "\n", 1);
}

static ost_status on_output(void *ctx, int32_t fd, const char *data, size_t size)
{
    struct session *s = ctx;
    struct remote *r = s->remote;
    bool leave;

    take(s, fd, data, size);
    if (!s->holds)
        return OST_OK;
    pthread_mutex_lock(&r->mutex);
    leave = r->leave;
    pthread_mutex_unlock(&r->mutex);
    return leave || r->step->host->cancelled(r->step) ? OST_E_CANCELLED : OST_OK;
}

/* ---- what went wrong ---- */

/* The key of a server is not the one that is pinned. Of the jump host's, the ssh behind it says so. */
static const char *explain_key(const struct remote *r, struct span said)
{
    const struct server *jump = r->settings->jump_server;
    bool is_jump = jump && span_find(said, "UNKNOWN port 65535") != SIZE_MAX;
    const struct server *server = is_jump ? jump : r->server;
    const char *offered = access_offered(r->access);

    return ost_fmt(
        r->step,
        "the host key of '%s' is %s%snot the pinned one, so nothing was sent to it; if the server "
        "was set "
        "up anew, run '%s', compare what 'ssh-keygen -lf -' makes of it with what 'ssh-keygen -lf "
        "/etc/ssh/ssh_host_ed25519_key.pub' prints on the server itself, and only then correct "
        "'known-hosts' or 'fingerprint'",
        server->name, offered, *offered ? ", " : "", settings_keyscan(r->step, server));
}

/* The first row that ssh said counts: a key that cannot be read is refused, too. */
static ost_status explain(struct remote *r, const struct session *s)
{
    static const struct {
        const char *said, *means;
        ost_status code;
    } rows[] = {
        {"Bad configuration option: knownhostscommand",
         "ssh is older than 8.5 and knows no fingerprints: give 'known-hosts'", OST_E_UNSUPPORTED},
        {"error in libcrypto",
         "the key is damaged: give the whole file, its first and last line too", OST_E_INVALID},
        {"invalid format", "the key is damaged: give the whole file, its first and last line too",
         OST_E_INVALID},
        {"Permission denied (",
         "it refused the key: is the public one in the user's ~/.ssh/authorized_keys there, and "
         "'username' the right one?",
         OST_E_DENIED},
        {"Could not resolve hostname", "there is no such name", OST_E_IO},
        {"Connection refused", "nothing listens there: is the port right, and sshd running?",
         OST_E_IO},
        {"timed out", "it does not answer: is the address right, or a firewall in between?",
         OST_E_IO},
        {"No route to host", "there is no way to it", OST_E_IO},
    };
    struct span text = {s->trouble, s->trouble_size};

    if (span_find(text, "Host key verification failed") != SIZE_MAX)
        return remote_fail(r, OST_E_DENIED, "%s", explain_key(r, text));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (span_find(text, rows[i].said) != SIZE_MAX)
            return remote_fail(
                r, rows[i].code, "%s%s", rows[i].means,
                rows[i].code == OST_E_DENIED && *r->settings->self.passphrase
                    ? " And does the passphrase fit the key? A wrong one looks like this"
                    : "");
    text = span_trim(text);
    return remote_fail(r, OST_E_IO, "the connection broke%s%s", text.size ? ": " : "",
                       span_dup(r->step, text));
}

/* Of a session that has ended: OST_OK, if its script got to its end well. A cancel ends more than one session, so what
 * fails during one is no news. */
static ost_status judge(struct remote *r, const struct session *s, ost_status end)
{
    const char *error = told_get(s->told, "error"), *code = told_get(s->told, "exit");

    if (end == OST_OK && strcmp(code, "0") == 0)
        return OST_OK;
    if (end == OST_E_CANCELLED || r->step->host->cancelled(r->step))
        return remote_fail(r, OST_E_CANCELLED, "cancelled");
    if (end == OST_E_TIMEOUT)
        return remote_fail(r, end, "a command took longer than 'command_timeout'");
    if (end == OST_E_NOT_FOUND)
        return remote_fail(r, end, "this job has no 'ssh': install openssh-client");
    if (end < 0)
        return remote_fail(r, end, "cannot run ssh: %s", r->step->host->last_error(r->step));
    if (*error)
        return remote_fail(r, OST_E_FAILED, "%s", error);
    if (*code)
        return remote_fail(r, OST_E_FAILED, "a script of the stage ended with exit code %s there",
                           code);
    return explain(r, s);
}

/* ---- sessions ---- */

static const char *common_values(const struct remote *r, const char *more)
{
    struct sink k = {.step = r->step};

    script_value(&k, "token", r->token);
    script_value(&k, "folder", r->folder);
    script_value(&k, "deploy", r->deploy);
    script_value(&k, "release", r->release);
    script_value(&k, "strategy", strategy_names[r->settings->strategy]);
    script_value(&k, "compose_is", r->compose);
    sink_add(&k, span_of(more ? more : ""));
    return sink_text(&k);
}

static ost_status run_session(struct remote *r, struct session *s, const struct op *op)
{
    const char *master = s->holds ? "-oControlMaster=yes" : "-oControlMaster=no";
    const char *text =
        script_text(r->step, common_values(r, op->values), op->body, op->calls ? op->calls : "");
    struct ost_exec_result res = OST_RESULT;
    ost_status e = ost_exec(
        r->step, &res, .flags = OST_EXEC_QUIET, .env = r->access->env,
        .argv = OST_ARGV("ssh", "-F", r->access->config, master, r->alias, "sh -s"), .input = text,
        .input_size = strlen(text), .timeout_ms = op->timeout_ms, .on_output = on_output, .ctx = s);

    take_rest(s);
    return judge(r, s, e);
}

static struct session *session_new(struct remote *r, struct told *told)
{
    struct session *s = r->step->host->alloc(r->step, sizeof *s);

    s->remote = r;
    s->told = told;
    s->out.size = s->err.size = s->trouble_size = 0;
    s->holds = s->quiet = false;
    *told = (struct told){0};
    return s;
}

ost_status remote_run(struct remote *r, const struct op *op, struct told *ret)
{
    struct told ignored;
    struct session *s = session_new(r, ret ? ret : &ignored);

    s->quiet = op->quiet;
    return run_session(r, s, op);
}

/* ---- the connection ---- */

struct holder {
    struct remote *remote;
    struct session *session;
    struct op op;
};

static void *hold(void *ctx)
{
    const struct holder *h = ctx;
    struct remote *r = h->remote;
    ost_status end = run_session(r, h->session, &h->op);

    pthread_mutex_lock(&r->mutex);
    r->over = true;
    r->end = end;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->mutex);
    return NULL;
}

static ost_status refused(struct remote *r, int64_t patience_ms)
{
    const char *held = told_get(&r->said, "held");

    if (patience_ms == 0)
        return remote_fail(r, OST_E_DENIED,
                           "another deploy is at work (%s), and 'on-locked' is refuse", held);
    return remote_fail(r, OST_E_TIMEOUT,
                       "another deploy is still at work (%s) after 'lock-timeout'", held);
}

/* What the one who has got in finds. */
static void greet(struct remote *r)
{
    r->folder = told_get(&r->said, "folder");
    if (*told_get(&r->said, "made"))
        ost_log(r->step, OST_INFO, "%smade the folder %s", r->prefix, r->folder);
    if (*told_get(&r->said, "died"))
        ost_log(r->step, OST_WARNING, "%san earlier deploy ended without giving the lock back: %s",
                r->prefix, told_get(&r->said, "died"));
}

ost_status remote_connect(struct remote *r, const char *who, int64_t patience_ms)
{
    struct holder *h = r->step->host->alloc(r->step, sizeof *h);
    struct sink values = {.step = r->step};

    script_value(&values, "who", who);
    script_number(&values, "patience", (patience_ms + 999) / 1000);
    script_value(&values, "pulse", REMOTE_PULSE);
    *h = (struct holder){
        r, session_new(r, &r->said), {sh_connect, sink_text(&values), NULL, 0, false}};
    h->session->holds = true;
    if (pthread_create(&r->thread, NULL, hold, h) != 0)
        return remote_fail(r, OST_E_IO, "cannot start a thread");
    r->started = true;
    pthread_mutex_lock(&r->mutex);
    while (!r->locked && !r->over)
        pthread_cond_wait(&r->changed, &r->mutex);
    bool locked = r->locked;
    if (locked)
        greet(r);
    pthread_mutex_unlock(&r->mutex);
    if (locked)
        return OST_OK;
    pthread_join(r->thread, NULL);
    r->started = r->over = false;
    return strcmp(told_get(&r->said, "locked"), "no") == 0 ? refused(r, patience_ms) : r->end;
}

bool remote_is_lost(struct remote *r)
{
    bool over;

    pthread_mutex_lock(&r->mutex);
    over = !r->started || r->over;
    pthread_mutex_unlock(&r->mutex);
    return over;
}

void remote_close(struct remote *r)
{
    const char *why = r->why;

    if (!r->started)
        return;
    if (!remote_is_lost(r))
        (void)remote_run(r, &(struct op){.body = sh_release, .quiet = true}, NULL);
    pthread_mutex_lock(&r->mutex);
    r->leave = true; /* should the script not have come through, the next heartbeat ends it */
    pthread_mutex_unlock(&r->mutex);
    pthread_join(r->thread, NULL);
    r->started = r->locked = r->over = r->leave = false;
    r->why = why;
}

/* ---- files ---- */

ost_status remote_copy(struct remote *r, const char *const *args, const char *cwd)
{
    struct told ignored;
    struct session *s = session_new(r, &ignored);
    struct strings argv = {0};
    struct ost_exec_result res = OST_RESULT;

    strings_add(r->step, &argv, "rsync");
    strings_add(r->step, &argv, "-s"); /* names go as they are, not through the server's shell */
    strings_add(r->step, &argv,
                "-rlpDc"); /* a checkout has new times; what counts is the content */
    strings_add(r->step, &argv, "-e");
    strings_add(r->step, &argv,
                ost_fmt(r->step, "ssh -F %s -oControlMaster=no", r->access->config));
    for (; *args; args++)
        strings_add(r->step, &argv,
                    **args == '%' && !args[1]
                        ? ost_fmt(r->step, "%s:%s%s", r->alias, r->folder, *args + 1)
                        : *args);
    ost_status e =
        ost_exec(r->step, &res, .flags = OST_EXEC_QUIET, .env = r->access->env, .cwd = cwd,
                 .argv = strings_list(&argv), .timeout_ms = r->settings->command_ms,
                 .on_output = on_output, .ctx = s);

    take_rest(s);
    if (e == OST_E_NOT_FOUND)
        return remote_fail(r, e, "this job has no 'rsync': install it");
    if (e == OST_OK && res.exit_code == 0)
        return OST_OK;
    if (e < 0 || r->step->host->cancelled(r->step))
        return judge(r, s, e);
    return remote_fail(r, OST_E_IO, "rsync could not copy the files (exit code %d): %s",
                       res.exit_code,
                       span_dup(r->step, span_trim((struct span){s->trouble, s->trouble_size})));
}
