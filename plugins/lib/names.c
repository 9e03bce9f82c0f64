#include "names.h"

#include <stdlib.h>
#include <string.h>

/* A pattern is worked off from left to right, with the set of all places in the name where what came before may
 * have ended: no pattern takes more than some passes over the name, however many ways there are to match. */
struct places {
    bool at[NAMES_SIZE_MAX + 1];
};

struct name {
    const char *text;
    size_t size;
};

static void run(struct span pattern, const struct name *name, const struct places *from,
                struct places *to, int depth);

enum { DEPTH_MAX = 20, RANGE_MAX = 1000 };

static void add(struct places *to, const struct places *more, const struct name *name)
{
    for (size_t i = 0; i <= name->size; i++)
        to->at[i] |= more->at[i];
}

static bool is_within(const struct places *a, const struct places *b, const struct name *name)
{
    for (size_t i = 0; i <= name->size; i++)
        if (a->at[i] && !b->at[i])
            return false;
    return true;
}

static struct span from_on(struct span s, size_t n)
{
    return (struct span){s.at + n, s.size - n};
}

/* The character at S, 1 to 4 bytes; *RET_SIZE are its bytes. */
static uint32_t character(const char *s, size_t left, size_t *ret_size)
{
    unsigned char c = (unsigned char)*s;
    size_t n = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    uint32_t code = n == 1 ? c : c & (0x7fu >> n);

    if (n > left)
        n = 1;
    for (size_t i = 1; i < n; i++)
        code = code << 6 | ((unsigned char)s[i] & 0x3f);
    *ret_size = n;
    return code;
}

/* ---- single characters ---- */

/* The size of the class that PATTERN begins with, "[a-z]"; 0: it is none. */
static size_t class_size(struct span pattern)
{
    size_t i = 1;

    if (i < pattern.size && (pattern.at[i] == '!' || pattern.at[i] == '^'))
        i++;
    if (i < pattern.size && pattern.at[i] == ']')
        i++;
    for (; i < pattern.size; i++) {
        if (pattern.at[i] == '\\')
            i++;
        else if (pattern.at[i] == ']')
            return i + 1;
    }
    return 0;
}

static uint32_t class_character(struct span *s)
{
    size_t n;
    uint32_t c;

    if (s->at[0] == '\\' && s->size > 1)
        *s = from_on(*s, 1);
    c = character(s->at, s->size, &n);
    *s = from_on(*s, n);
    return c;
}

/* CLASS is without its brackets. */
static bool class_has(struct span class, uint32_t c)
{
    bool negated = class.size > 0 && (class.at[0] == '!' || class.at[0] == '^');
    bool has = false;

    if (negated)
        class = from_on(class, 1);
    while (class.size > 0) {
        uint32_t low = class_character(&class), high = low;

        if (class.size > 1 && class.at[0] == '-') {
            class = from_on(class, 1);
            high = class_character(&class);
        }
        has |= c >= low && c <= high;
    }
    return has != negated;
}

/* Moves every place behind one character: any one, one of CLASS, or the bytes of LITERAL. */
static void step_one(const struct name *name, const struct places *from, const struct span *class,
                     struct places *to)
{
    for (size_t i = 0; i < name->size; i++) {
        size_t n;
        uint32_t c = character(name->text + i, name->size - i, &n);

        if (from->at[i] && (!class || class_has(*class, c)))
            to->at[i + n] = true;
    }
}

static void step_literal(const struct name *name, const struct places *from, struct span literal,
                         struct places *to)
{
    for (size_t i = 0; i + literal.size <= name->size; i++)
        if (from->at[i] && memcmp(name->text + i, literal.at, literal.size) == 0)
            to->at[i + literal.size] = true;
}

static void step_any(const struct name *name, const struct places *from, struct places *to)
{
    bool reached = false;

    for (size_t i = 0; i <= name->size; i++)
        to->at[i] = reached |= from->at[i];
}

/* ---- groups ---- */

/* The size of the group that PATTERN begins with, from OPEN to CLOSE; 0: it is not closed. */
static size_t group_size(struct span pattern, char open, char close)
{
    int depth = 0;

    for (size_t i = 0; i < pattern.size; i++) {
        if (pattern.at[i] == '\\')
            i++;
        else if (pattern.at[i] == open)
            depth++;
        else if (pattern.at[i] == close && --depth == 0)
            return i + 1;
    }
    return 0;
}

/* Takes the next alternative off REST, up to a SEPARATOR outside of groups. False at the end. */
static bool next_alternative(struct span *rest, char separator, struct span *ret)
{
    int depth = 0;

    if (!rest->at)
        return false;
    *ret = *rest;
    for (size_t i = 0; i < rest->size; i++) {
        char c = rest->at[i];

        if (c == '\\')
            i++;
        else if (c == '(' || c == '{')
            depth++;
        else if (c == ')' || c == '}')
            depth--;
        else if (c == separator && depth == 0) {
            ret->size = i;
            *rest = from_on(*rest, i + 1);
            return true;
        }
    }
    rest->at = NULL;
    return true;
}

static void run_any_of(struct span all, char separator, const struct name *name,
                       const struct places *from, struct places *to, int depth)
{
    struct span one;

    while (next_alternative(&all, separator, &one)) {
        struct places ends = {0};

        run(one, name, from, &ends, depth + 1);
        add(to, &ends, name);
    }
}

/* *(...) and +(...): as often as there is something new to reach. */
static void run_often(struct span all, const struct name *name, const struct places *from,
                      struct places *to, int depth)
{
    struct places now = *from;

    for (;;) {
        struct places ends = {0};

        run_any_of(all, '|', name, &now, &ends, depth);
        if (is_within(&ends, to, name))
            return;
        add(to, &ends, name);
        now = ends;
    }
}

/* !(...): from each place, to every place where none of them ends. */
static void run_none_of(struct span all, const struct name *name, const struct places *from,
                        struct places *to, int depth)
{
    for (size_t i = 0; i <= name->size; i++) {
        struct places one = {0}, ends = {0};

        if (!from->at[i])
            continue;
        one.at[i] = true;
        run_any_of(all, '|', name, &one, &ends, depth);
        for (size_t end = i; end <= name->size; end++)
            to->at[end] |= !ends.at[end];
    }
}

static void run_group(char kind, struct span inside, const struct name *name,
                      const struct places *from, struct places *to, int depth)
{
    if (kind == '?' || kind == '*')
        *to = *from;
    if (kind == '*' || kind == '+')
        run_often(inside, name, from, to, depth);
    else if (kind == '!')
        run_none_of(inside, name, from, to, depth);
    else
        run_any_of(inside, '|', name, from, to, depth);
}

/* ---- {a,b} and {1..3} ---- */

static bool read_end(struct span s, long *ret, int *width)
{
    char text[12], *end;

    if (s.size == 0 || s.size >= sizeof text)
        return false;
    memcpy(text, s.at, s.size);
    text[s.size] = '\0';
    if (s.size == 1 && ((*text | 32) >= 'a' && (*text | 32) <= 'z')) {
        *ret = *text;
        *width = 0;
        return true;
    }
    *ret = strtol(text, &end, 10);
    *width = text[0] == '0' ? (int)s.size : 1;
    return *end == '\0';
}

/* "1..3", "01..10", "a..e"; false: it is none, or larger than RANGE_MAX. */
static bool run_range(struct span inside, const struct name *name, const struct places *from,
                      struct places *to)
{
    size_t dots = span_find(inside, "..");
    int width, other;
    long first, last;

    if (dots == SIZE_MAX || !read_end((struct span){inside.at, dots}, &first, &width) ||
        !read_end(from_on(inside, dots + 2), &last, &other) || (width == 0) != (other == 0) ||
        labs(last - first) > RANGE_MAX)
        return false;
    if (first > last) {
        long swap = first;

        first = last;
        last = swap;
    }
    for (long n = first; n <= last; n++) {
        char text[24];
        int size = width == 0
                       ? snprintf(text, sizeof text, "%c", (int)n)
                       : snprintf(text, sizeof text, "%0*ld", width > other ? width : other, n);

        step_literal(name, from, (struct span){text, (size_t)size}, to);
    }
    return true;
}

/* The size of the braces that PATTERN begins with; 0: they are only characters. */
static size_t run_braces(struct span pattern, const struct name *name, const struct places *from,
                         struct places *to, int depth)
{
    size_t size = group_size(pattern, '{', '}');
    struct span inside = {pattern.at + 1, size - 2}, rest = inside, one;

    if (size == 0)
        return 0;
    if (next_alternative(&rest, ',', &one) && rest.at)
        run_any_of(inside, ',', name, from, to, depth);
    else if (!run_range(inside, name, from, to))
        return 0;
    return size;
}

/* ---- sequences ---- */

/* Where a wildcard may begin: not before a dot in front. */
static struct places before_wildcard(const struct name *name, const struct places *from)
{
    struct places now = *from;

    if (name->size > 0 && name->text[0] == '.')
        now.at[0] = false;
    return now;
}

/* Works off the first element of PATTERN; its size. */
static size_t run_element(struct span pattern, const struct name *name, const struct places *from,
                          struct places *to, int depth)
{
    char c = pattern.at[0];
    bool is_group = pattern.size > 1 && pattern.at[1] == '(' && strchr("?*+@!", c);
    size_t size = is_group ? group_size(from_on(pattern, 1), '(', ')') : 0;
    struct places now = before_wildcard(name, from);

    if (size > 0) {
        run_group(c, (struct span){pattern.at + 2, size - 2}, name, c == '!' ? &now : from, to,
                  depth);
        return size + 1;
    }
    if (c == '{' && (size = run_braces(pattern, name, from, to, depth)) > 0)
        return size;
    if (c == '[' && (size = class_size(pattern)) > 0) {
        const struct span class = {pattern.at + 1, size - 2};

        step_one(name, &now, &class, to);
        return size;
    }
    if (c == '*')
        step_any(name, &now, to);
    else if (c == '?')
        step_one(name, &now, NULL, to);
    else if (c == '\\' && pattern.size > 1) {
        step_literal(name, from, (struct span){pattern.at + 1, 1}, to);
        return 2;
    } else
        step_literal(name, from, (struct span){pattern.at, 1}, to);
    return 1;
}

static void run(struct span pattern, const struct name *name, const struct places *from,
                struct places *to, int depth)
{
    struct places now = *from;

    while (pattern.size > 0 && depth < DEPTH_MAX) {
        struct places next = {0};

        pattern = from_on(pattern, run_element(pattern, name, &now, &next, depth));
        now = next;
    }
    if (pattern.size == 0)
        *to = now;
}

bool names_match(const char *pattern, const char *name)
{
    const struct name n = {name, strlen(name)};
    struct places from = {.at[0] = true}, to = {0};
    struct span rest = span_of(pattern);
    bool negated = false;

    if (n.size > NAMES_SIZE_MAX || rest.size > NAMES_SIZE_MAX || span_starts(rest, "#"))
        return false;
    while (span_eat(&rest, "!"))
        negated = !negated;
    while (span_eat(&rest, "**/"))
        ;
    run(rest, &n, &from, &to, 0);
    return to.at[n.size] != negated;
}
