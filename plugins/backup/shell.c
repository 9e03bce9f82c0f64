/* A folder, in the job or behind ssh: the same few commands of a shell, which the job runs. */
#include "store.h"

#include "run.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* A command is given 4 MiB at most, itself and its environment included. */
enum { PART_SIZE = 3 << 20 };

struct shell {
    struct store store;                /* first: it is handed out */
    const char *key_file, *hosts_file; /* of ssh; NULL */
    const char *half;                  /* the file that is being written; NULL: none */
};

/* TEXT as one word of a shell. */
static const char *word(struct ost_step *step, const char *text)
{
    struct sink k = {.step = step};

    sink_add(&k, SPAN("'"));
    for (; *text; text++)
        if (*text == '\'')
            sink_add(&k, SPAN("'\\''"));
        else
            sink_add(&k, (struct span){text, 1});
    sink_add(&k, SPAN("'"));
    return sink_text(&k);
}

static const char *path(struct shell *s, const char *name)
{
    return word(s->store.step, ost_fmt(s->store.step, "%s/%s", s->store.set->folder, name));
}

static const char *const *argv_of(struct shell *s, const char *script)
{
    const struct settings *set = s->store.set;
    struct ost_step *step = s->store.step;
    struct strings a = {0};

    if (!set->ssh) {
        strings_add(step, &a, "sh");
        strings_add(step, &a, "-c");
        strings_add(step, &a, script);
        return strings_list(&a);
    }
    for (const char *const *o =
             OST_ARGV("ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o",
                      "StrictHostKeyChecking=yes", "-o", "GlobalKnownHostsFile=/dev/null", "-o",
                      "ConnectTimeout=20", "-o", "ServerAliveInterval=15", "-o",
                      ost_fmt(step, "UserKnownHostsFile=%s", s->hosts_file));
         *o; o++)
        strings_add(step, &a, *o);
    if (s->key_file) {
        strings_add(step, &a, "-i");
        strings_add(step, &a, s->key_file);
    }
    if (*set->ssh_port) {
        strings_add(step, &a, "-p");
        strings_add(step, &a, set->ssh_port);
    }
    strings_add(step, &a, set->ssh);
    strings_add(step, &a, script);
    return strings_list(&a);
}

/* Runs SCRIPT there, WHAT in words. R may be zeroed. */
static ost_status run(struct shell *s, const char *what, const char *script, struct run *r)
{
    r->what = what;
    r->argv = argv_of(s, script);
    return run_command(s->store.step, r);
}

/* ---- writing ---- */

static ost_status shell_write(struct store *store, const char *name, struct span part, bool last)
{
    struct shell *s = (struct shell *)store;
    struct ost_step *step = store->step;
    const char *half = ost_fmt(step, "%s.part", name);
    struct run cat = {.input = part};
    struct sink script = {.step = step};
    ost_status r = OST_OK;

    sink_add(&script, SPAN("umask 077; "));
    if (!s->half) {
        s->half = half;
        r = step->host->save(step, "half", half);
        sink_addf(&script, "mkdir -p %s && : >%s && ", word(step, store->set->folder),
                  path(s, half));
    }
    sink_addf(&script, "cat >>%s", path(s, half));
    if (last)
        sink_addf(&script, " && mv -f %s %s", path(s, half), path(s, name));
    if (r == OST_OK)
        r = run(s, ost_fmt(step, "write '%s'", name), sink_text(&script), &cat);
    if (r == OST_OK && last) {
        s->half = NULL;
        r = step->host->save(step, "half", "");
    }
    return r;
}

/* After a cancel no command can be run; the post phase finds what was saved. */
static void shell_drop(struct store *store)
{
    struct shell *s = (struct shell *)store;
    struct run rm = {0};

    if (s->half && !store->step->host->cancelled(store->step))
        (void)run(s, "give up half a backup", ost_fmt(store->step, "rm -f %s", path(s, s->half)),
                  &rm);
    s->half = NULL;
}

/* ---- reading ---- */

struct reading {
    struct ost_step *step;
    int fd;
};

static ost_status to_file(void *ctx, struct span bytes)
{
    struct reading *to = ctx;

    while (bytes.size > 0) {
        ssize_t n = write(to->fd, bytes.at, bytes.size);

        if (n < 0 && errno != EINTR)
            return ost_fail(to->step, OST_E_IO, "cannot keep what is read: %s", strerror(errno));
        if (n > 0)
            bytes = (struct span){bytes.at + n, bytes.size - (size_t)n};
    }
    return OST_OK;
}

static ost_status shell_get(struct store *store, const char *name, int fd)
{
    struct shell *s = (struct shell *)store;
    struct reading to = {store->step, fd};
    struct run cat = {.out = to_file, .ctx = &to};
    const char *at = path(s, name);

    return run(s, ost_fmt(store->step, "read '%s'", name),
               ost_fmt(store->step,
                       "[ -f %s ] || { echo 'there is no such file' >&2; exit 66; }; cat %s", at,
                       at),
               &cat);
}

static ost_status shell_list(struct store *store, const char *prefix, struct strings *ret)
{
    struct shell *s = (struct shell *)store;
    struct run ls = {0};
    const char *at = word(store->step, store->set->folder);
    struct span rest, line;
    ost_status r =
        run(s, "list the backups", ost_fmt(store->step, "[ ! -d %s ] || ls -1 %s", at, at), &ls);

    if (r < 0)
        return r;
    for (rest = (struct span){sink_text(&ls.text), ls.text.size}; span_line(&rest, &line);) {
        if (ret->n == STORE_NAMES_MAX)
            return ost_fail(store->step, OST_E_LIMIT, "'%s' holds more than %d files",
                            settings_place(store->set), STORE_NAMES_MAX);
        if (span_starts(line, prefix))
            strings_add(store->step, ret, span_dup(store->step, line));
    }
    return OST_OK;
}

static ost_status shell_remove(struct store *store, const char *name)
{
    struct shell *s = (struct shell *)store;
    struct run rm = {0};

    return run(s, ost_fmt(store->step, "remove '%s'", name),
               ost_fmt(store->step, "rm -f %s", path(s, name)), &rm);
}

static void shell_close(struct store *store)
{
    struct shell *s = (struct shell *)store;

    if (s->key_file)
        (void)unlink(s->key_file);
    if (s->hosts_file)
        (void)unlink(s->hosts_file);
}

/* ---- opening ---- */

/* A new file, mode 0600, for commands of the job. */
static const char *keep(struct ost_step *step, const char *suffix, const char *text)
{
    const char *name = step->host->temp(step, suffix);
    FILE *f = name ? fopen(name, "we") : NULL;
    bool good = f && fprintf(f, "%s\n", text) > 0;

    good = f && fclose(f) == 0 && good;
    return good ? name : NULL;
}

ost_status store_shell(const struct settings *set, struct store **ret)
{
    struct ost_step *step = set->step;
    struct shell *s = step->host->alloc(step, sizeof *s);
    const char *key = step->host->input(step, "ssh-key");
    const char *half = step->host->saved(step, "half");

    *s = (struct shell){.store = {.set = set,
                                  .step = step,
                                  .part_size = PART_SIZE,
                                  .write = shell_write,
                                  .drop = shell_drop,
                                  .get = shell_get,
                                  .list = shell_list,
                                  .remove = shell_remove,
                                  .close = shell_close},
                        .half = half && *half ? half : NULL};
    if (set->ssh) {
        s->hosts_file = keep(step, ".hosts", step->host->input(step, "ssh-known-hosts"));
        s->key_file = *key ? keep(step, ".key", key) : NULL;
        if (!s->hosts_file || (*key && !s->key_file)) {
            shell_close(&s->store);
            if (step->host->cancelled(step))
                return OST_E_CANCELLED;
            return ost_fail(step, OST_E_IO, "cannot write the files that ssh reads: %s",
                            step->host->last_error(step));
        }
    }
    *ret = &s->store;
    return OST_OK;
}
