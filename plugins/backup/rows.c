#include "rows.h"

#include <string.h>

void rows_begin(struct rows *r, struct ost_step *step, enum kind kind)
{
    *r = (struct rows){
        .step = step, .kind = kind, .line = step->host->alloc(step, ROWS_LINE_MAX + 1)};
}

int64_t rows_total(const struct rows *r)
{
    int64_t sum = 0;

    for (size_t i = 0; i < r->n; i++)
        sum += r->tables[i].rows;
    return sum;
}

const struct rows_table *rows_find(const struct rows *r, const char *name)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->tables[i].name, name) == 0)
            return &r->tables[i];
    return NULL;
}

/* The table NAME, new if need be; SIZE_MAX: there are too many. */
static size_t table(struct rows *r, struct span name)
{
    for (size_t i = r->n; i > 0; i--) /* the latest is asked for most */
        if (span_is(name, r->tables[i - 1].name))
            return i - 1;
    if (r->n == ROWS_TABLES_MAX)
        return SIZE_MAX;
    if (r->n == r->room) {
        size_t room = r->room ? r->room * 2 : 64;
        struct rows_table *tables = r->step->host->alloc(r->step, room * sizeof *tables);

        if (r->n > 0)
            memcpy(tables, r->tables, r->n * sizeof *tables);
        r->tables = tables;
        r->room = room;
    }
    r->tables[r->n] = (struct rows_table){span_dup(r->step, name), 0};
    return r->n++;
}

/* ---- identifiers ---- */

/* Takes one off the front of S: letters and such, or anything between two QUOTEs, a doubled one among it. */
static bool eat_identifier(struct span *s, char quote)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$";
    size_t n = 0;

    if (s->size > 0 && s->at[0] == quote) {
        for (n = 1; n < s->size; n++) {
            if (s->at[n] == '\0')
                return false;
            if (s->at[n] != quote)
                continue;
            if (n + 1 == s->size || s->at[n + 1] != quote)
                break;
            n++;
        }
        if (n >= s->size)
            return false;
        n++;
    } else {
        while (n < s->size && s->at[n] && (strchr(plain, s->at[n]) || (s->at[n] & 0x80)))
            n++;
    }
    *s = (struct span){s->at + n, s->size - n};
    return n > 0;
}

/* What stands around a name that is not plain. */
static char quote_of(enum kind kind)
{
    return kind == KIND_MYSQL ? '`' : '"';
}

/* "schema.table" off the front of S. */
static bool eat_name(struct span *s, char quote, struct span *ret)
{
    const char *start = s->at;

    if (!eat_identifier(s, quote))
        return false;
    while (span_eat(s, "."))
        if (!eat_identifier(s, quote))
            return false;
    *ret = (struct span){start, (size_t)(s->at - start)};
    return true;
}

bool rows_is_name(enum kind kind, const char *name)
{
    struct span s = span_of(name), all;

    return eat_name(&s, quote_of(kind), &all) && s.size == 0;
}

/* ---- pg_dump: -- Data for Name: ..., COPY name (columns) FROM stdin;, lines, \. ---- */

static void postgres_line(struct rows *r, struct span line)
{
    struct span name;

    if (r->into) {
        if (span_is(line, "\\."))
            r->into = NULL;
        else
            r->into->rows++;
        return;
    }
    if (span_starts(line, "-- Data for Name: ")) {
        r->data_ahead = true;
    } else if (r->data_ahead && span_eat(&line, "COPY ") && span_ends(line, " FROM stdin;") &&
               eat_name(&line, quote_of(r->kind), &name)) {
        size_t at = table(r, name);

        r->into = at == SIZE_MAX ? NULL : &r->tables[at];
        r->data_ahead = false;
    }
}

/* ---- mysqldump: CREATE TABLE `name` (, INSERT INTO `name` VALUES (...),(...); ---- */

static void mysql_line(struct rows *r, struct span line)
{
    struct span name;

    if (span_eat(&line, "DELIMITER "))
        r->routine = !span_is(line, ";");
    else if (!r->routine && span_eat(&line, "CREATE TABLE ") &&
             eat_name(&line, quote_of(r->kind), &name))
        (void)table(r, name);
}

/* The beginning of a line is "INSERT INTO `name` ... VALUES": values come. */
static void mysql_values(struct rows *r)
{
    struct span line = {r->line, r->size}, name;
    size_t at;

    if (r->routine || !span_ends(line, " VALUES") || !span_eat(&line, "INSERT INTO ") ||
        !eat_name(&line, quote_of(r->kind), &name))
        return;
    at = table(r, name);
    if (at == SIZE_MAX)
        return;
    r->into = &r->tables[at];
    r->values = true;
    r->quoted = r->escaped = false;
    r->depth = 0;
}

/* One byte among values; a text may hold brackets, quotes behind a backslash, and doubled ones. */
static void mysql_value(struct rows *r, char c)
{
    if (r->escaped)
        r->escaped = false;
    else if (r->quoted && c == '\\')
        r->escaped = true;
    else if (c == '\'')
        r->quoted = !r->quoted;
    else if (!r->quoted && c == '(' && r->depth++ == 0)
        r->into->rows++;
    else if (!r->quoted && c == ')' && r->depth > 0)
        r->depth--;
    else if (!r->quoted && r->depth == 0 && c == ';')
        r->values = false; /* MariaDB begins a line for each row */
}

/* ---- tar: https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html, and GNU's large numbers ---- */

enum { TAR_BLOCK = 512, TAR_SIZE_AT = 124, TAR_SIZE = 12, TAR_TYPE_AT = 156 };

static uint64_t tar_number(const char *at)
{
    uint64_t n = 0;

    if (at[0] & 0x80) {
        for (size_t i = 4; i < TAR_SIZE; i++)
            n = n << 8 | (unsigned char)at[i];
        return n;
    }
    for (size_t i = 0; i < TAR_SIZE; i++)
        if (at[i] >= '0' && at[i] <= '7')
            n = n << 3 | (uint64_t)(at[i] - '0');
    return n;
}

/* The block in LINE is a header: what comes behind it belongs to it. Long names and the like are no entries. */
static void tar_header(struct rows *r)
{
    char type = r->line[TAR_TYPE_AT];
    uint64_t size = tar_number(r->line + TAR_SIZE_AT);

    r->size = 0;
    if (!r->line[0])
        return; /* the end is blocks of zeroes */
    if (!strchr("LKxg", type) || !type)
        r->entries++;
    if (type >= '1' && type <= '6')
        size = 0; /* links and folders have none, whatever they say */
    r->skip =
        size > UINT64_MAX - TAR_BLOCK ? UINT64_MAX : (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
}

static void tar_feed(struct rows *r, struct span bytes)
{
    while (bytes.size > 0) {
        size_t n = r->skip ? (r->skip < bytes.size ? (size_t)r->skip : bytes.size)
                   : TAR_BLOCK - r->size < bytes.size ? TAR_BLOCK - r->size
                                                      : bytes.size;

        if (r->skip) {
            r->skip -= n;
        } else {
            memcpy(r->line + r->size, bytes.at, n);
            r->size += n;
            if (r->size == TAR_BLOCK)
                tar_header(r);
        }
        bytes = (struct span){bytes.at + n, bytes.size - n};
    }
}

/* ---- all ---- */

static void end_line(struct rows *r)
{
    struct span line = {r->line, r->size};

    if (r->kind == KIND_POSTGRES)
        postgres_line(r, line);
    else if (r->kind == KIND_MYSQL)
        mysql_line(r, line);
    r->size = 0;
}

void rows_feed(struct rows *r, struct span bytes)
{
    if (r->kind == KIND_FILES) {
        tar_feed(r, bytes);
        return;
    }
    for (size_t i = 0; i < bytes.size; i++) {
        char c = bytes.at[i];

        if (r->values) {
            mysql_value(r, c);
        } else if (c == '\n') {
            end_line(r);
        } else if (r->size < ROWS_LINE_MAX) {
            r->line[r->size++] = c;
            if (r->kind == KIND_MYSQL && c == 'S')
                mysql_values(r);
            if (r->values)
                r->size = 0;
        }
    }
}
