/* backup - ostler/backup@v1: databases and files into storage, and back. An operation each: what they share is the
 * store, and the manifests in it. */
#include "check.h"
#include "keep.h"
#include "make.h"

#include <dirent.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const operations[] = {"backup", "verify", "restore", "prune", "list", NULL};
static const char *const sources[] = {"postgres", "mysql", "files", NULL};
static const char *const compressions[] = {"zstd", "gzip", "none", NULL};

static const struct ost_input inputs[] = {
    {.name = "operation",
     .type = OST_CHOICE,
     .fallback = "backup",
     .choices = operations,
     .description = "Make a backup, verify, restore, prune or list those that are there"},
    {.name = "source",
     .type = OST_CHOICE,
     .fallback = "postgres",
     .choices = sources,
     .description = "What is backed up: a PostgreSQL or MySQL/MariaDB database, or files"},
    {.name = "to",
     .flags = OST_REQUIRED,
     .description = "Where backups lie: s3://BUCKET/FOLDER, ssh://USER@HOST:PORT/FOLDER, a folder"},
    {.name = "name", .description = "What they are called; default: the database, or 'files'"},
    {.name = "database", .description = "The database's name"},
    {.name = "host", .description = "Its server; default: the client's own"},
    {.name = "port", .description = "Its port; default: the client's own"},
    {.name = "user", .description = "Who logs in; default: the client's own"},
    {.name = "password", .flags = OST_SECRET, .description = "With this password"},
    {.name = "container",
     .description = "Run the database's client in this container, by docker exec, not in the job"},
    {.name = "options",
     .type = OST_LIST,
     .description = "More arguments for pg_dump or mysqldump, one a line"},
    {.name = "paths", .type = OST_LIST, .description = "Files and folders to back up, one a line"},
    {.name = "exclude", .type = OST_LIST, .description = "tar's patterns to leave out, one a line"},
    {.name = "compress",
     .type = OST_CHOICE,
     .fallback = "zstd",
     .choices = compressions,
     .description = "How"},
    {.name = "s3-endpoint",
     .fallback = "https://s3.amazonaws.com",
     .description = "The S3-compatible server"},
    {.name = "s3-region", .fallback = "us-east-1", .description = "The bucket's region"},
    {.name = "s3-access-key", .description = "The key's id"},
    {.name = "s3-secret-key", .flags = OST_SECRET, .description = "The key"},
    {.name = "s3-session-token", .flags = OST_SECRET, .description = "Of a temporary key"},
    {.name = "s3-path-style",
     .type = OST_BOOL,
     .fallback = "true",
     .description = "https://HOST/BUCKET; false: https://BUCKET.HOST"},
    {.name = "ca-file",
     .description = "A file of certificates (PEM) to trust besides the system's"},
    {.name = "ssh-key", .flags = OST_SECRET, .description = "The private key"},
    {.name = "ssh-known-hosts", .description = "The host's key, as in known_hosts"},
    {.name = "keep-last",
     .type = OST_INT,
     .fallback = "0",
     .description = "Prune all but the newest so many; 0: no such rule"},
    {.name = "keep-days",
     .type = OST_INT,
     .fallback = "0",
     .description = "Prune what is older; 0: no such rule"},
    {.name = "dry-run",
     .type = OST_BOOL,
     .fallback = "false",
     .description = "Say what would be pruned, and prune nothing"},
    {.name = "verify",
     .type = OST_BOOL,
     .fallback = "false",
     .description = "Verify the backup once it is made, before anything is pruned"},
    {.name = "file", .description = "Which one to verify or restore; default: the newest"},
    {.name = "restore-to", .description = "The new database or folder to restore into"},
};

static const struct ost_output outputs[] = {
    {"file", "The backup's file"},
    {"size", "Its bytes"},
    {"sha256", "Its SHA-256"},
    {"tables", "How many tables are in it"},
    {"rows", "How many rows they have, or an archive's entries"},
    {"verified", "true: it has been verified"},
    {"pruned", "How many older ones were removed"},
    {"files", "All that are there, the newest first, one a line; of the operation list"},
};

struct backup {
    struct ost_step *step;
    struct settings set;
    struct store *store;
    struct strings stamps; /* of what is there, the oldest first */
};

static ost_status put(struct backup *b, const char *name, const char *value)
{
    return b->step->host->output(b->step, name, value);
}

static ost_status put_number(struct backup *b, const char *name, int64_t n)
{
    return put(b, name, ost_fmt(b->step, "%lld", (long long)n));
}

static ost_status put_manifest(struct backup *b, const struct manifest *m)
{
    ost_status r = put(b, "file", m->file);

    if (r == OST_OK)
        r = put_number(b, "size", m->size);
    if (r == OST_OK)
        r = put(b, "sha256", m->sha256);
    if (r == OST_OK)
        r = put_number(b, "tables", (int64_t)m->rows.n);
    if (r == OST_OK)
        r = put_number(b, "rows", m->kind == KIND_FILES ? m->entries : rows_total(&m->rows));
    return r == OST_OK ? put(b, "verified", *m->verified ? "true" : "false") : r;
}

static const char *content(struct ost_step *step, const struct manifest *m)
{
    if (m->kind == KIND_FILES)
        return ost_fmt(step, "%lld entries", (long long)m->entries);
    return ost_fmt(step, "%zu tables, %lld rows", m->rows.n, (long long)rows_total(&m->rows));
}

/* ---- which one ---- */

/* The manifest of 'file', or of the newest. */
static ost_status choose(struct backup *b, struct manifest *ret)
{
    const char *file = b->set.file, *stamp;
    struct span s = span_of(file);

    if (b->stamps.n == 0)
        return ost_fail(b->step, OST_E_NOT_FOUND, "there is no backup '%s' in %s", b->set.name,
                        settings_place(&b->set));
    if (!*file)
        return manifest_load(b->store, b->stamps.list[b->stamps.n - 1], ret);
    for (size_t i = 0; i < b->stamps.n; i++) {
        stamp = b->stamps.list[i];
        s = span_of(file);
        if (span_eat(&s, b->set.name) && span_eat(&s, "-") && span_starts(s, stamp))
            return manifest_load(b->store, stamp, ret);
    }
    return ost_fail(b->step, OST_E_NOT_FOUND,
                    "there is no backup '%s' in %s; 'operation: list' shows "
                    "those that are there",
                    file, settings_place(&b->set));
}

/* ---- verify ---- */

static ost_status verify(struct backup *b, struct manifest *m)
{
    ost_status r;

    ost_log(b->step, OST_INFO, "verifying '%s'", m->file);
    r = check_backup(b->store, m);
    if (r < 0)
        return r;
    m->verified = manifest_stamp(b->step);
    r = manifest_save(b->store, m);
    if (r == OST_OK)
        ost_log(b->step, OST_INFO, "'%s' is good: %s", m->file, content(b->step, m));
    return r;
}

/* ---- prune ---- */

static struct keep_one *choose_old(struct backup *b, const struct manifest *all, size_t n)
{
    const struct keep k = {b->set.keep_last, b->set.keep_days, (int64_t)time(NULL)};
    struct keep_one *list = b->step->host->alloc(b->step, (n + 1) * sizeof *list);

    for (size_t i = 0; i < n; i++)
        list[i] = (struct keep_one){manifest_time(all[i].created), *all[i].verified != '\0', false};
    keep_choose(&k, list, n);
    return list;
}

/* The manifest goes first: what is without one is no backup any more, whatever happens in between. */
static ost_status remove_one(struct backup *b, const struct manifest *m)
{
    struct store *s = b->store;
    ost_status r = s->remove(s, manifest_name(b->step, b->set.name, m->created));

    if (r == OST_OK)
        r = s->remove(s, m->file);
    return r == OST_OK ? s->remove(s, ost_fmt(b->step, "%s.sha256", m->file)) : r;
}

static ost_status prune(struct backup *b)
{
    struct manifest *all =
        b->step->host->alloc(b->step, (b->stamps.n + 1) * sizeof(struct manifest));
    const struct keep_one *list;
    int64_t pruned = 0;
    ost_status r = OST_OK;

    if (b->set.keep_last == 0 && b->set.keep_days == 0)
        return put_number(b, "pruned", 0);
    for (size_t i = 0; i < b->stamps.n && r == OST_OK; i++)
        r = manifest_load(b->store, b->stamps.list[i], &all[i]);
    if (r < 0)
        return r;
    list = choose_old(b, all, b->stamps.n);
    for (size_t i = 0; i < b->stamps.n && r == OST_OK; i++) {
        if (!list[i].go)
            continue;
        ost_log(b->step, OST_INFO, "%s '%s'", b->set.dry_run ? "would prune" : "pruning",
                all[i].file);
        if (!b->set.dry_run)
            r = remove_one(b, &all[i]);
        pruned += r == OST_OK && !b->set.dry_run;
    }
    return r == OST_OK ? put_number(b, "pruned", pruned) : r;
}

/* ---- backup ---- */

/* A name that nothing has yet: two in one second would be one. */
static ost_status new_stamp(struct backup *b, const char **ret)
{
    struct pollfd stop = {.fd = b->step->host->cancel_fd(b->step), .events = POLLIN};

    for (;;) {
        *ret = manifest_stamp(b->step);
        if (b->stamps.n == 0 || strcmp(b->stamps.list[b->stamps.n - 1], *ret) < 0)
            return OST_OK;
        if (manifest_time(b->stamps.list[b->stamps.n - 1]) > (int64_t)time(NULL) + 5)
            return ost_fail(
                b->step, OST_E_FAILED,
                "the newest backup is of the future, %s: is this machine's clock right?",
                b->stamps.list[b->stamps.n - 1]);
        if (poll(&stop, 1, 200) > 0)
            return OST_E_CANCELLED;
    }
}

static ost_status summarize(struct backup *b, const struct manifest *m)
{
    return b->step->host->summary(
        b->step,
        ost_fmt(b->step,
                "### Backup\n\n| File | Bytes | Content | Verified |\n|---|--:|---|---|\n"
                "| `%s` | %lld | %s | %s |\n",
                m->file, (long long)m->size, content(b->step, m), *m->verified ? "yes" : "no"));
}

static ost_status backup(struct backup *b)
{
    const char *stamp;
    struct manifest m;
    ost_status r = new_stamp(b, &stamp);

    if (r == OST_OK)
        r = make_backup(b->store, stamp, &m);
    if (r < 0)
        return r;
    ost_log(b->step, OST_INFO, "'%s' is in %s: %lld bytes, %s", m.file, settings_place(&b->set),
            (long long)m.size, content(b->step, &m));
    if (b->set.verify)
        r = verify(b, &m);
    if (r == OST_OK)
        r = put_manifest(b, &m);
    if (r == OST_OK)
        r = summarize(b, &m);
    strings_add(b->step, &b->stamps, stamp);
    return r == OST_OK ? prune(b) : r;
}

/* ---- the others ---- */

static ost_status verify_one(struct backup *b)
{
    struct manifest m;
    ost_status r = choose(b, &m);

    if (r == OST_OK)
        r = verify(b, &m);
    return r == OST_OK ? put_manifest(b, &m) : r;
}

static ost_status restore_one(struct backup *b)
{
    struct manifest m;
    ost_status r = choose(b, &m);

    if (r == OST_OK)
        r = check_restore(b->store, &m);
    if (r == OST_OK)
        ost_log(b->step, OST_INFO, "'%s' has been restored into '%s': %s", m.file,
                b->set.restore_to, content(b->step, &m));
    return r == OST_OK ? put_manifest(b, &m) : r;
}

static ost_status list_all(struct backup *b)
{
    struct sink names = {.step = b->step};
    ost_status r = OST_OK;

    for (size_t i = b->stamps.n; i-- > 0 && r == OST_OK;) {
        struct manifest m;

        r = manifest_load(b->store, b->stamps.list[i], &m);
        if (r < 0)
            return r;
        ost_log(b->step, OST_INFO, "%s  %lld bytes, %s%s", m.file, (long long)m.size,
                content(b->step, &m), *m.verified ? ", verified" : "");
        sink_addf(&names, "%s%s", names.size ? "\n" : "", m.file);
    }
    if (b->stamps.n == 0)
        ost_log(b->step, OST_INFO, "there is no backup '%s' in %s", b->set.name,
                settings_place(&b->set));
    return put(b, "files", sink_text(&names));
}

/* ---- phases ---- */

static ost_status backup_main(struct ost_step *step)
{
    static ost_status (*const operation[])(struct backup *) = {
        [OP_BACKUP] = backup, [OP_VERIFY] = verify_one, [OP_RESTORE] = restore_one,
        [OP_PRUNE] = prune,   [OP_LIST] = list_all,
    };
    struct backup b = {.step = step};
    ost_status r = settings_read(&b.set, step);

    if (r == OST_OK)
        r = store_open(&b.set, &b.store);
    if (r == OST_OK) /* a wrong key or address is found before anything is dumped */
        r = manifest_list(b.store, &b.stamps);
    if (r == OST_OK)
        r = operation[b.set.operation](&b);
    store_close(b.store);
    return r;
}

/* What a stopped main has left: half an upload, a scratch database. */
static ost_status backup_post(struct ost_step *step)
{
    const char *half = step->host->saved(step, "half"),
               *scratch = step->host->saved(step, "scratch");
    struct settings set;
    ost_status r, other;

    if ((!half || !*half) && (!scratch || !*scratch))
        return OST_OK;
    r = settings_read(&set, step);
    if (r < 0)
        return r;
    r = store_tidy(&set);
    other = check_tidy(&set);
    return r == OST_OK ? other : r;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What a folder holds; false: it cannot be seen. */
static bool look(struct backup *b)
{
    DIR *dir = b->set.folder && !b->set.ssh ? opendir(b->set.folder) : NULL;

    if (!dir)
        return false;
    for (struct dirent *e; (e = readdir(dir)) != NULL && b->stamps.n < STORE_NAMES_MAX;) {
        const char *stamp = manifest_is_of(b->step, e->d_name, b->set.name);

        if (stamp)
            strings_add(b->step, &b->stamps, stamp);
    }
    closedir(dir);
    if (b->stamps.n > 0)
        qsort(b->stamps.list, b->stamps.n, sizeof *b->stamps.list, by_text);
    return true;
}

/* In a folder it can be seen what would go; behind a network a plan does not look. */
static ost_status plan_prune(struct backup *b)
{
    const struct ost_host *host = b->step->host;
    const char *rules = ost_fmt(b->step, "keep-last %lld, keep-days %lld",
                                (long long)b->set.keep_last, (long long)b->set.keep_days);
    struct manifest *all;
    const struct keep_one *list;
    ost_status r = OST_OK;

    if (b->set.keep_last == 0 && b->set.keep_days == 0)
        return OST_OK;
    if (!look(b))
        return host->plan(b->step, "prune", settings_place(&b->set), rules);
    if (b->set.operation == OP_BACKUP)
        strings_add(b->step, &b->stamps, manifest_stamp(b->step)); /* the one to come counts */
    all = host->alloc(b->step, (b->stamps.n + 1) * sizeof(struct manifest));
    for (size_t i = 0; i < b->stamps.n; i++)
        all[i] = (struct manifest){.created = b->stamps.list[i], .verified = ""};
    list = choose_old(b, all, b->stamps.n);
    for (size_t i = 0; i < b->stamps.n && r == OST_OK; i++)
        if (list[i].go)
            r = host->plan(b->step, "prune", ost_fmt(b->step, "%s-%s", b->set.name, all[i].created),
                           rules);
    return r;
}

static ost_status backup_plan(struct ost_step *step)
{
    struct backup b = {.step = step};
    const struct ost_host *host = step->host;
    ost_status r = settings_read(&b.set, step);
    const char *what = b.set.kind == KIND_FILES ? "files" : b.set.database;
    const char *place, *which;

    if (r < 0)
        return r;
    place = settings_place(&b.set);
    which = *b.set.file ? b.set.file : ost_fmt(step, "the newest '%s'", b.set.name);
    if (b.set.operation == OP_BACKUP)
        r = host->plan(
            step, "back up", what,
            ost_fmt(step, "to %s as %s-TIME%s", place, b.set.name, settings_suffix(&b.set)));
    if (r == OST_OK &&
        (b.set.operation == OP_VERIFY || (b.set.operation == OP_BACKUP && b.set.verify)))
        r = host->plan(step, "verify", b.set.operation == OP_VERIFY ? which : "it",
                       b.set.kind == KIND_FILES ? "sums and entries"
                                                : "in a scratch database, which is dropped again");
    if (r == OST_OK && b.set.operation == OP_RESTORE)
        r = host->plan(step, "restore", which, ost_fmt(step, "into '%s'", b.set.restore_to));
    if (r == OST_OK && b.set.operation == OP_LIST)
        r = host->plan(step, "list", place, b.set.name);
    if (r == OST_OK && (b.set.operation == OP_BACKUP || b.set.operation == OP_PRUNE))
        r = plan_prune(&b);
    return r;
}

OST_PLUGIN(.id = "ostler/backup", .version = "1.0.0", .title = "Backup",
           .description = "Backs databases and files up, verifies that, and brings them back",
           .author = "Ostler", OST_INPUTS(inputs), OST_OUTPUTS(outputs), .needs = OST_NEED_NETWORK,
           .traits = OST_POST_IF_SAVED, .plan = backup_plan, .main = backup_main,
           .post = backup_post);
