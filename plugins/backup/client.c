#include "client.h"

#include "run.h"

#include <string.h>
#include <unistd.h>

static bool is_postgres(const struct client *c)
{
    return c->set->kind == KIND_POSTGRES;
}

/* ---- passwords ---- */

/* PGPASSFILE: host:port:database:user:password, a backslash before : and \. */
static const char *pass_line(struct ost_step *step, const char *password)
{
    struct sink k = {.step = step};

    sink_add(&k, SPAN("*:*:*:*:"));
    for (; *password; password++)
        sink_addf(&k, "%s%c", *password == ':' || *password == '\\' ? "\\" : "", *password);
    return sink_text(&k);
}

/* An option file: a value in quotes, a backslash before " and \. */
static const char *option_file(const struct settings *s)
{
    struct sink k = {.step = s->step};

    sink_add(&k, SPAN("[client]\npassword=\""));
    for (const char *c = s->password; *c; c++)
        sink_addf(&k, "%s%c", *c == '"' || *c == '\\' ? "\\" : "", *c);
    sink_add(&k, SPAN("\"\n"));
    return sink_text(&k);
}

static ost_status keep_secret(struct client *c, const char *text)
{
    struct ost_step *step = c->step;
    FILE *f;
    bool good;

    c->secret_file = step->host->temp(step, ".secret");
    if (!c->secret_file)
        return step->host->cancelled(step)
                   ? OST_E_CANCELLED
                   : ost_fail(step, OST_E_IO, "cannot keep the password for the client: %s",
                              step->host->last_error(step));
    f = fopen(c->secret_file, "we");
    good = f && fprintf(f, "%s\n", text) > 0;
    good = f && fclose(f) == 0 && good;
    return good ? OST_OK : ost_fail(step, OST_E_IO, "cannot keep the password for the client");
}

static ost_status set_password(struct client *c)
{
    const struct settings *s = c->set;
    struct strings env = {0};
    ost_status r = OST_OK;

    strings_add(c->step, &env, "LC_ALL=C");
    if (*s->password && strchr(s->password, '\n'))
        return ost_fail(c->step, OST_E_INVALID, "'password' has more than one line");
    if (*s->password && *s->container) {
        strings_add(
            c->step, &env,
            ost_fmt(c->step, "%s=%s", is_postgres(c) ? "PGPASSWORD" : "MYSQL_PWD", s->password));
    } else if (*s->password) {
        r = keep_secret(c, is_postgres(c) ? pass_line(c->step, s->password) : option_file(s));
        if (r == OST_OK && is_postgres(c))
            strings_add(c->step, &env, ost_fmt(c->step, "PGPASSFILE=%s", c->secret_file));
    }
    c->env = strings_list(&env);
    return r;
}

/* ---- commands ---- */

static void add_all(struct ost_step *step, struct strings *a, const char *const *list)
{
    for (; *list; list++)
        strings_add(step, a, *list);
}

static void add_option(const struct client *c, struct strings *a, const char *option,
                       const char *value)
{
    if (!*value)
        return;
    strings_add(c->step, a, option);
    strings_add(c->step, a, value);
}

/* PROGRAM and how it gets to the server. */
static void begin(const struct client *c, struct strings *a, const char *program)
{
    const struct settings *s = c->set;

    if (*s->container) {
        add_all(c->step, a, OST_ARGV("docker", "exec", "-i"));
        if (*s->password)
            add_all(c->step, a, OST_ARGV("-e", is_postgres(c) ? "PGPASSWORD" : "MYSQL_PWD"));
        strings_add(c->step, a, s->container);
    }
    strings_add(c->step, a, program);
    if (!is_postgres(c) && c->secret_file) /* has to be the first */
        strings_add(c->step, a, ost_fmt(c->step, "--defaults-extra-file=%s", c->secret_file));
    add_option(c, a, "-h", s->host);
    add_option(c, a, is_postgres(c) ? "-p" : "-P", s->port);
    add_option(c, a, is_postgres(c) ? "-U" : "-u", s->user);
    if (is_postgres(c))
        strings_add(c->step, a, "-w");
}

const char *const *client_dump(const struct client *c)
{
    struct strings a = {0};

    begin(c, &a, c->dump);
    if (is_postgres(c))
        add_all(c->step, &a, OST_ARGV("--format=plain", "--encoding=UTF8"));
    else
        add_all(c->step, &a,
                OST_ARGV("--single-transaction", "--quick", "--routines", "--triggers", "--events",
                         "--hex-blob", "--no-tablespaces", "--default-character-set=utf8mb4"));
    add_all(c->step, &a, c->set->options);
    strings_add(c->step, &a, "--");
    strings_add(c->step, &a, c->set->database);
    return strings_list(&a);
}

static void begin_shell(const struct client *c, struct strings *a, const char *database)
{
    begin(c, a, c->shell);
    if (is_postgres(c))
        add_all(c->step, a, OST_ARGV("-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1"));
    else
        add_all(c->step, a, OST_ARGV("--batch", "--skip-column-names"));
    add_option(c, a, is_postgres(c) ? "-d" : "-D", database);
}

const char *client_quote(const struct client *c, const char *name)
{
    char quote = is_postgres(c) ? '"' : '`';
    struct sink k = {.step = c->step};

    sink_addf(&k, "%c", quote);
    for (; *name; name++)
        sink_addf(&k, "%s%c", *name == quote ? (quote == '"' ? "\"" : "`") : "", *name);
    sink_addf(&k, "%c", quote);
    return sink_text(&k);
}

static ost_status do_sql(const struct client *c, const char *what, const char *database,
                         const char *sql, struct run *r)
{
    struct strings a = {0};

    begin_shell(c, &a, database);
    strings_add(c->step, &a, is_postgres(c) ? "-c" : "-e");
    strings_add(c->step, &a, sql);
    r->what = what;
    r->argv = strings_list(&a);
    r->env = c->env;
    return run_command(c->step, r);
}

/* Statements about databases are made from within one that is always there. */
static const char *outside(const struct client *c)
{
    return is_postgres(c) ? "postgres" : "";
}

ost_status client_create(const struct client *c, const char *database)
{
    struct run r = {0};

    return do_sql(c, ost_fmt(c->step, "make the database '%s'", database), outside(c),
                  ost_fmt(c->step, "CREATE DATABASE %s%s", client_quote(c, database),
                          is_postgres(c) ? " TEMPLATE template0 ENCODING 'UTF8'" : ""),
                  &r);
}

ost_status client_drop(const struct client *c, const char *database, bool silent)
{
    struct run r = {.silent = silent};

    return do_sql(c, ost_fmt(c->step, "drop the database '%s'", database), outside(c),
                  ost_fmt(c->step, "DROP DATABASE IF EXISTS %s", client_quote(c, database)), &r);
}

/* The host gives a command what is in memory; what is in a file is given by a shell. */
ost_status client_load(const struct client *c, const char *database, const char *file)
{
    struct strings a = {0};
    struct run r = {.what = ost_fmt(c->step, "restore into '%s'", database), .env = c->env};

    add_all(c->step, &a,
            OST_ARGV("sh", "-c", "f=$1; shift; exec \"$@\" <\"$f\" >/dev/null", "sh", file));
    begin_shell(c, &a, database);
    r.argv = strings_list(&a);
    return run_command(c->step, &r);
}

ost_status client_ask(const struct client *c, const char *database, const char *sql,
                      struct span *ret)
{
    struct run r = {0};
    ost_status e = do_sql(c, ost_fmt(c->step, "ask '%s'", database), database, sql, &r);

    *ret = (struct span){sink_text(&r.text), r.text.size};
    return e;
}

/* ---- opening ---- */

/* Whether there is such a program, where it is to run. */
static ost_status is_there(const struct client *c, const char *program, bool *ret)
{
    const char *container = c->set->container;
    struct ost_exec_result res = OST_RESULT;
    ost_status r =
        ost_exec(c->step, &res, .flags = OST_EXEC_QUIET | OST_EXEC_CAPTURE,
                 .argv = *container ? OST_ARGV("docker", "exec", container, program, "--version")
                                    : OST_ARGV(program, "--version"));

    *ret = r == OST_OK && res.exit_code == 0;
    return r == OST_E_CANCELLED ? r : OST_OK;
}

static ost_status find_programs(struct client *c)
{
    bool old = true;
    ost_status r = OST_OK;

    c->dump = is_postgres(c) ? "pg_dump" : "mysqldump";
    c->shell = is_postgres(c) ? "psql" : "mysql";
    if (!is_postgres(c))
        r = is_there(c, c->dump, &old);
    if (!old) { /* images of MariaDB have the new names alone */
        c->dump = "mariadb-dump";
        c->shell = "mariadb";
    }
    return r;
}

ost_status client_open(struct client *c, const struct settings *set)
{
    ost_status r;

    *c = (struct client){.set = set, .step = set->step};
    r = set_password(c);
    return r == OST_OK ? find_programs(c) : r;
}

void client_close(struct client *c)
{
    if (c->secret_file)
        (void)unlink(c->secret_file);
    c->secret_file = NULL;
}
