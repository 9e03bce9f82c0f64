/* text - spans of text, paths and growing text, all in phase memory: nothing here is freed, the
 * host takes it back when the phase ends. Paths are compared as text; nothing follows a link. */
#pragma once

#include <ostler/plugin.h>
#include <stdbool.h>

struct span { /* bytes that belong to somebody else; may hold anything */
    const char *at;
    size_t size;
};

#define SPAN(literal) ((struct span){(literal), sizeof(literal) - 1})

struct span span_of(const char *text);         /* of a C string */
bool span_is(struct span s, const char *text); /* equal */
bool span_starts(struct span s, const char *prefix);
bool span_ends(struct span s, const char *suffix);
struct span span_trim(struct span s); /* spaces, tabs, newlines at both ends */

/* Takes the next line off REST, without its newline or carriage return. False at the end. */
bool span_line(struct span *rest, struct span *ret);

/* Each of these takes something off the front of S and is true, or leaves S alone. */
bool span_eat(struct span *s, const char *prefix);
bool span_eat_number(struct span *s, uint32_t *ret); /* decimal digits; too big: the largest */
bool span_eat_until(struct span *s, char stop, struct span *ret); /* up to STOP, which is dropped */

/* The offset of TEXT in S; SIZE_MAX: not there. */
size_t span_find(struct span s, const char *text);

const char *span_dup(struct ost_step *step, struct span s); /* as a C string; stops at a NUL byte */

/* S without the escape sequences that colour a terminal. */
struct span span_plain(struct ost_step *step, struct span s);

/* Text that grows. Zeroed but for STEP is empty; DATA is NUL-terminated once something was added. */
struct sink {
    struct ost_step *step;
    char *data;
    size_t size, room;
};

void sink_add(struct sink *k, struct span s);
__attribute__((format(printf, 2, 3))) void sink_addf(struct sink *k, const char *format, ...);
const char *sink_text(const struct sink *k); /* never NULL */
struct span sink_span(const struct sink *k);

/* A NULL-terminated array of texts that grows; zeroed is empty. */
struct strings {
    const char **list; /* NULL while empty */
    size_t n, room;
};

void strings_add(struct ost_step *step, struct strings *to, const char *text); /* TEXT is kept */
const char *const *strings_list(const struct strings *s);                      /* never NULL */

/* "a/b" of "a" and "b"; B alone when it is absolute or A is "" or ".". */
const char *rel_join(struct ost_step *step, const char *a, const char *b);
/* PATH without ".", "//" and "x/..", the workspace itself being "". ".." at the front stays. */
const char *rel_clean(struct ost_step *step, const char *path);
const char *rel_parent(struct ost_step *step,
                       const char *path); /* of a clean path; "" at the top */
const char *rel_name(const char *path);   /* behind the last slash */
/* True if the clean PATH is DIR or lies below it; everything relative that does not climb is below "". */
bool rel_below(const char *dir, const char *path);
/* The clean PATH as seen from the clean folder DIR that holds it: "." for DIR itself. */
const char *rel_from(const char *dir, const char *path);

/* The whole file PATH, changeable and NUL-terminated; NULL when it is not there, not a regular file, not
 * readable or larger than LIMIT. */
char *file_read(struct ost_step *step, const char *path, size_t limit, size_t *ret_size);
bool file_is_folder(const char *path);
bool file_exists(const char *path);
