#include "settings.h"

#include <stdlib.h>
#include <string.h>

static const char host_characters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:@[]";

const char *kind_name(enum kind k)
{
    static const char *const names[] = {"postgres", "mysql", "files"};

    return names[k];
}

const char *settings_suffix(const struct settings *s)
{
    const char *packed = strcmp(s->compress, "zstd") == 0   ? ".zst"
                         : strcmp(s->compress, "gzip") == 0 ? ".gz"
                                                            : "";

    return ost_fmt(s->step, "%s%s", s->kind == KIND_FILES ? ".tar" : ".sql", packed);
}

const char *settings_place(const struct settings *s)
{
    if (s->bucket)
        return ost_fmt(s->step, "s3://%s/%s", s->bucket, s->prefix);
    if (s->ssh)
        return ost_fmt(s->step, "ssh://%s/%s", s->ssh, s->folder);
    return s->folder;
}

static bool consists_of(const char *text, const char *characters)
{
    return text[strspn(text, characters)] == '\0';
}

bool settings_is_name(const char *text)
{
    static const char characters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

    return *text && consists_of(text, characters) && text[0] != '-' && text[0] != '.';
}

static const char *const *list(struct ost_step *step, const char *name)
{
    const char *const *items;
    size_t n = step->host->input_list(step, name, &items);
    struct strings copy = {0};

    for (size_t i = 0; i < n; i++)
        strings_add(step, &copy, items[i]);
    return strings_list(&copy);
}

static int choice(struct ost_step *step, const char *name, const char *const *names)
{
    const char *value = step->host->input(step, name);
    int i = 0;

    while (names[i + 1] && strcmp(names[i], value) != 0)
        i++;
    return i;
}

/* ---- the place ---- */

static const char *without_slashes(struct ost_step *step, struct span s)
{
    while (span_starts(s, "/"))
        s = (struct span){s.at + 1, s.size - 1};
    while (span_ends(s, "/"))
        s.size--;
    return span_dup(step, s);
}

static ost_status read_s3(struct settings *s, struct span to)
{
    struct span bucket = to;

    if (!span_eat_until(&to, '/', &bucket))
        to = (struct span){"", 0};
    s->bucket = span_dup(s->step, bucket);
    s->prefix = without_slashes(s->step, to);
    if (bucket.size < 3 || !consists_of(s->bucket, "abcdefghijklmnopqrstuvwxyz0123456789-."))
        return ost_fail(s->step, OST_E_INVALID, "'to' names no bucket: it is s3://BUCKET/FOLDER");
    if (!*s->access || !*s->secret)
        return ost_fail(s->step, OST_E_INVALID,
                        "'%s' is empty; is the secret that it comes from set, and may this event "
                        "read it?",
                        *s->access ? "s3-secret-key" : "s3-access-key");
    if (strncmp(s->endpoint, "https://", 8) != 0 && strncmp(s->endpoint, "http://", 7) != 0)
        return ost_fail(s->step, OST_E_INVALID, "'s3-endpoint' is '%s'; it begins with https://",
                        s->endpoint);
    return OST_OK;
}

static ost_status read_ssh(struct settings *s, struct span to)
{
    struct span host, port;

    s->ssh_port = "";
    if (!span_eat_until(&to, '/', &host) || host.size == 0)
        return ost_fail(s->step, OST_E_INVALID, "'to' is ssh://USER@HOST:PORT/FOLDER");
    s->folder = ost_fmt(s->step, "/%s", without_slashes(s->step, to));
    port = host;
    if (span_eat_until(&port, ':', &host))
        s->ssh_port = span_dup(s->step, port);
    s->ssh = span_dup(s->step, host);
    if (s->ssh[0] == '-' || !consists_of(s->ssh, host_characters) ||
        !consists_of(s->ssh_port, "0123456789"))
        return ost_fail(s->step, OST_E_INVALID, "'to' names no host: ssh://USER@HOST:PORT/FOLDER");
    if (!*s->step->host->input(s->step, "ssh-known-hosts"))
        return ost_fail(s->step, OST_E_INVALID,
                        "'ssh-known-hosts' is empty: without the host's key anybody could be the "
                        "host; get it by a way that you trust, such as from the host itself with "
                        "ssh-keyscan localhost");
    return OST_OK;
}

static ost_status read_place(struct settings *s)
{
    const char *given = s->step->host->input(s->step, "to");
    struct span to = span_of(given);

    if (span_eat(&to, "s3://"))
        return read_s3(s, to);
    if (span_eat(&to, "ssh://"))
        return read_ssh(s, to);
    if (!*given || strstr(given, "://"))
        return ost_fail(s->step, OST_E_INVALID,
                        "'to' is '%s'; it is s3://BUCKET/FOLDER, ssh://USER@HOST/FOLDER or a "
                        "folder",
                        given);
    s->folder = *given == '/' ? given
                              : ost_fmt(s->step, "%s/%s",
                                        s->step->host->dir(s->step, OST_DIR_WORKSPACE), given);
    return OST_OK;
}

/* ---- what ---- */

static ost_status read_what(struct settings *s)
{
    const struct ost_host *host = s->step->host;
    bool reads = s->operation == OP_PRUNE || s->operation == OP_LIST;

    if (!*s->name)
        s->name = s->kind == KIND_FILES ? "files" : s->database;
    if (s->kind != KIND_FILES && !*s->database && !reads)
        return ost_fail(s->step, OST_E_INVALID, "'database' is empty: which one is it?");
    if (s->database[0] == '-' || s->host[0] == '-' || s->user[0] == '-' || s->container[0] == '-')
        return ost_fail(s->step, OST_E_INVALID,
                        "'database', 'host', 'user' and 'container' do not begin with '-'");
    if (s->kind != KIND_FILES && (strpbrk(s->database, "=\n") || strstr(s->database, "://") ||
                                  strpbrk(s->restore_to, "=\n") || strstr(s->restore_to, "://")))
        return ost_fail(s->step, OST_E_INVALID,
                        "'database' and 'restore-to' are names; who connects and where is said by "
                        "'host', 'port', 'user' and 'password'");
    if (!settings_is_name(s->name))
        return ost_fail(s->step, OST_E_INVALID,
                        "'name' is '%s'; a backup's name has letters, digits, -, _ and .", s->name);
    if (!consists_of(s->port, "0123456789"))
        return ost_fail(s->step, OST_E_INVALID, "'port' is '%s', which is no number", s->port);
    if (s->kind == KIND_FILES && s->operation == OP_BACKUP && !s->paths[0])
        return ost_fail(s->step, OST_E_INVALID, "'paths' is empty: which files are they?");
    if (s->operation == OP_RESTORE && !*s->restore_to)
        return ost_fail(s->step, OST_E_INVALID,
                        "'restore-to' is empty: a new database, or a new folder for files");
    if (s->restore_to[0] == '-')
        return ost_fail(s->step, OST_E_INVALID, "'restore-to' does not begin with '-'");
    if (strchr(s->file, '/'))
        return ost_fail(s->step, OST_E_INVALID, "'file' is a backup's name, as 'list' has them");
    s->keep_last = strtoll(host->input(s->step, "keep-last"), NULL, 10);
    s->keep_days = strtoll(host->input(s->step, "keep-days"), NULL, 10);
    if (s->keep_last < 0 || s->keep_days < 0 || s->keep_days > 36500)
        return ost_fail(s->step, OST_E_INVALID, "'keep-last' and 'keep-days' are not below 0");
    if (s->operation == OP_PRUNE && s->keep_last == 0 && s->keep_days == 0)
        return ost_fail(s->step, OST_E_INVALID,
                        "nothing says what to keep; give 'keep-last' or 'keep-days'");
    return OST_OK;
}

static ost_status mask_all(struct ost_step *step)
{
    static const char *const secrets[] = {"password", "s3-secret-key", "s3-session-token",
                                          "ssh-key"};
    ost_status r = OST_OK;

    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0] && r == OST_OK; i++)
        if (*step->host->input(step, secrets[i]))
            r = step->host->mask(step, step->host->input(step, secrets[i]));
    return r;
}

ost_status settings_read(struct settings *s, struct ost_step *step)
{
    static const char *const operations[] = {"backup", "verify", "restore", "prune", "list", NULL};
    static const char *const kinds[] = {"postgres", "mysql", "files", NULL};
    const struct ost_host *host = step->host;
    ost_status r = mask_all(step);

    *s = (struct settings){
        .step = step,
        .operation = (enum operation)choice(step, "operation", operations),
        .kind = (enum kind)choice(step, "source", kinds),
        .name = host->input(step, "name"),
        .database = host->input(step, "database"),
        .host = host->input(step, "host"),
        .port = host->input(step, "port"),
        .user = host->input(step, "user"),
        .password = host->input(step, "password"),
        .container = host->input(step, "container"),
        .options = list(step, "options"),
        .paths = list(step, "paths"),
        .exclude = list(step, "exclude"),
        .compress = host->input(step, "compress"),
        .endpoint = host->input(step, "s3-endpoint"),
        .region = host->input(step, "s3-region"),
        .access = host->input(step, "s3-access-key"),
        .secret = host->input(step, "s3-secret-key"),
        .token = host->input(step, "s3-session-token"),
        .path_style = ost_input_bool(step, "s3-path-style"),
        .ca_file = host->input(step, "ca-file"),
        .file = host->input(step, "file"),
        .restore_to = host->input(step, "restore-to"),
        .verify = ost_input_bool(step, "verify"),
        .dry_run = ost_input_bool(step, "dry-run"),
    };
    if (r == OST_OK)
        r = read_what(s);
    return r == OST_OK ? read_place(s) : r;
}
