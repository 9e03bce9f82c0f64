/* client - a database's own programs: pg_dump and psql, mysqldump and mysql or their namesakes of MariaDB. They run in
 * the job, or in a container beside it. The password is in a file of mode 0600, or in the environment of docker,
 * which hands it on by name; never in argv. */
#pragma once

#include "settings.h"

struct client {
    const struct settings *set;
    struct ost_step *step;
    const char *secret_file;  /* NULL: there is no password, or a container */
    const char *const *env;   /* for each command */
    const char *dump, *shell; /* programs */
};

/* Below 0, recorded. client_close() in any case. */
ost_status client_open(struct client *c, const struct settings *set);
void client_close(struct client *c);

const char *const *client_dump(const struct client *c);

/* NAME as a statement has it. */
const char *client_quote(const struct client *c, const char *name);

ost_status client_create(const struct client *c, const char *database);
/* SILENT: a failure is not recorded. */
ost_status client_drop(const struct client *c, const char *database, bool silent);
/* Runs the statements of FILE in DATABASE, and stops at the first that fails. */
ost_status client_load(const struct client *c, const char *database, const char *file);
/* The lines that SQL brings, their columns with tabs between them. */
ost_status client_ask(const struct client *c, const char *database, const char *sql,
                      struct span *ret);
