/* rows - counts the rows of each table in a dump as it goes by: what is in the dump, not what was in the database a
 * moment before; and the entries of a tar archive. Knows what pg_dump and mysqldump write, and nothing more of SQL.
 * Pure, but for phase memory. */
#pragma once

#include "settings.h"

enum { ROWS_TABLES_MAX = 100000, ROWS_LINE_MAX = 64 << 10 };

struct rows_table {
    const char *name; /* as a statement has it: public.users, `users` */
    int64_t rows;
};

struct rows {
    struct ost_step *step;
    enum kind kind;
    struct rows_table *tables;
    size_t n, room;
    int64_t entries; /* of an archive */

    /* inside */
    char *line; /* the beginning of the line under way */
    size_t size;
    struct rows_table *into; /* whose rows come now; NULL: none */
    size_t at;               /* of INTO in TABLES */
    bool data_ahead;         /* PostgreSQL: a comment has announced data */
    bool routine;            /* MySQL: between DELIMITERs, where statements are bodies */
    bool values, quoted, escaped;
    size_t depth;
    uint64_t skip; /* bytes of an archive that are no header */
};

void rows_begin(struct rows *r, struct ost_step *step, enum kind kind);
void rows_feed(struct rows *r, struct span bytes);

int64_t rows_total(const struct rows *r);
const struct rows_table *rows_find(const struct rows *r, const char *name); /* NULL: none */

/* True if NAME can be put into a statement of KIND's as it stands: identifiers as that database quotes them, and
 * nothing else. */
bool rows_is_name(enum kind kind, const char *name);
