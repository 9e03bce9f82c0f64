#include "semver.h"

#include <string.h>

enum {
    COMPARISONS_MAX = 64, /* of one alternative; more is no range of a human */
};

/* ---- versions ---- */

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '-' || c == '.';
}

static struct span eat_word(struct span *s)
{
    struct span word = *s;
    size_t n = 0;

    while (n < s->size && is_word(s->at[n]))
        n++;
    word.size = n;
    s->at += n;
    s->size -= n;
    return word;
}

/* "-rc.1+build" behind the numbers. */
static bool eat_pre(struct span *s, struct span *ret)
{
    *ret = SPAN("");
    if (span_eat(s, "-")) {
        *ret = eat_word(s);
        if (ret->size == 0)
            return false;
    }
    return !span_eat(s, "+") || eat_word(s).size > 0;
}

bool semver_parse(struct span text, struct semver *ret)
{
    struct semver v = {0};

    text = span_trim(text);
    if (!span_eat(&text, "v"))
        span_eat(&text, "=");
    if (!span_eat_number(&text, &v.major) || !span_eat(&text, ".") ||
        !span_eat_number(&text, &v.minor) || !span_eat(&text, ".") ||
        !span_eat_number(&text, &v.patch) || !eat_pre(&text, &v.pre) || text.size)
        return false;
    *ret = v;
    return true;
}

static int compare_number(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

static struct span eat_part(struct span *s)
{
    struct span part;

    if (!span_eat_until(s, '.', &part)) {
        part = *s;
        s->size = 0;
    }
    return part;
}

/* Numbers come before words, numbers by value, words by bytes, and fewer parts before more. */
static int compare_pre(struct span a, struct span b)
{
    if (a.size == 0 || b.size == 0)
        return (a.size == 0) - (b.size == 0);
    while (a.size > 0 && b.size > 0) {
        struct span x = eat_part(&a), y = eat_part(&b), rest_x = x, rest_y = y;
        uint32_t n, m;
        bool number_x = span_eat_number(&rest_x, &n) && rest_x.size == 0;
        bool number_y = span_eat_number(&rest_y, &m) && rest_y.size == 0;
        int c;

        if (number_x && number_y) {
            c = compare_number(n, m);
        } else if (number_x != number_y) {
            c = number_x ? -1 : 1;
        } else {
            c = memcmp(x.at, y.at, x.size < y.size ? x.size : y.size);
            if (!c)
                c = (x.size > y.size) - (x.size < y.size);
        }
        if (c)
            return c;
    }
    return (a.size > 0) - (b.size > 0);
}

int semver_compare(const struct semver *a, const struct semver *b)
{
    int c = compare_number(a->major, b->major);

    if (!c)
        c = compare_number(a->minor, b->minor);
    if (!c)
        c = compare_number(a->patch, b->patch);
    return c ? c : compare_pre(a->pre, b->pre);
}

/* ---- ranges ---- */

enum relation { LESS, AT_MOST, EQUAL, AT_LEAST, MORE, NEVER };

struct comparison {
    enum relation relation;
    struct semver version;
};

struct comparisons { /* all of them have to hold */
    struct comparison list[COMPARISONS_MAX];
    size_t n;
};

struct partial { /* "1.2.x": PARTS is how many numbers there are, here 2; the others are 0 */
    struct semver version;
    int parts;
};

static bool add(struct comparisons *c, enum relation relation, struct semver v)
{
    if (c->n == COMPARISONS_MAX)
        return false;
    c->list[c->n++] = (struct comparison){relation, v};
    return true;
}

static bool eat_partial(struct span *s, struct partial *ret)
{
    struct partial p = {0};
    uint32_t *const numbers[] = {&p.version.major, &p.version.minor, &p.version.patch};
    bool wild = false;
    int i = 0;

    while (span_eat(s, "v") || span_eat(s, "="))
        ;
    for (; i < 3 && (i == 0 || span_eat(s, ".")); i++) {
        uint32_t number = 0;

        if (span_eat(s, "x") || span_eat(s, "X") || span_eat(s, "*"))
            wild = true;
        else if (wild || !span_eat_number(s, &number))
            return false;
        if (!wild) {
            *numbers[i] = number;
            p.parts = i + 1;
        }
    }
    if (i == 3 && !eat_pre(s, &p.version.pre))
        return false;
    if (p.parts < 3)
        p.version.pre = SPAN("");
    *ret = p;
    return true;
}

/* The first version with another number in place PART (0: major), its pre-releases included: for 1.2.3 and
 * 1, 1.3.0-0. */
static struct semver bump(struct semver v, int part)
{
    if (part == 2)
        return (struct semver){v.major, v.minor, v.patch + 1, SPAN("0")};
    if (part == 1)
        return (struct semver){v.major, v.minor + 1, 0, SPAN("0")};
    return (struct semver){v.major + 1, 0, 0, SPAN("0")};
}

/* From P on, as long as the numbers up to PART stay what they are. */
static bool add_until(struct comparisons *c, const struct partial *p, int part)
{
    return add(c, AT_LEAST, p->version) && (p->parts == 0 || add(c, LESS, bump(p->version, part)));
}

/* The first number that is not 0 may not change; one that is not given is not known to be 0. */
static bool add_caret(struct comparisons *c, const struct partial *p)
{
    if (p->version.major > 0 || p->parts < 2)
        return add_until(c, p, 0);
    return add_until(c, p, p->version.minor > 0 || p->parts < 3 ? 1 : 2);
}

static bool add_tilde(struct comparisons *c, const struct partial *p)
{
    return add_until(c, p, p->parts < 2 ? 0 : 1);
}

/* RELATION to a version of which only a part is given, or none. */
static bool add_partial(struct comparisons *c, enum relation relation, const struct partial *p)
{
    struct semver first = p->version, next = bump(p->version, p->parts - 1);

    if (p->parts == 0) /* compared with anything */
        return relation == LESS || relation == MORE ? add(c, NEVER, first)
                                                    : add(c, AT_LEAST, first);
    first.pre = SPAN("0");
    switch (relation) {
    case LESS:
        return add(c, LESS, first);
    case AT_MOST:
        return add(c, LESS, next);
    case MORE:
        next.pre = SPAN("");
        return add(c, AT_LEAST, next);
    case AT_LEAST:
        return add(c, AT_LEAST, p->version);
    default:
        return add_until(c, p, p->parts - 1);
    }
}

/* One word of a range, operator first; blanks may stand between the two. */
static bool read_comparison(struct span *s, struct comparisons *c)
{
    static const struct {
        const char *text;
        enum relation relation;
    } operators[] = {{">=", AT_LEAST}, {"<=", AT_MOST}, {">", MORE}, {"<", LESS}};
    enum relation relation = EQUAL;
    bool caret = span_eat(s, "^"), tilde = !caret && (span_eat(s, "~>") || span_eat(s, "~"));
    struct partial p;

    for (size_t i = 0; !caret && !tilde && i < sizeof operators / sizeof operators[0]; i++)
        if (span_eat(s, operators[i].text)) {
            relation = operators[i].relation;
            break;
        }
    *s = span_trim(*s);
    if (!eat_partial(s, &p))
        return false;
    if (caret)
        return add_caret(c, &p);
    if (tilde)
        return add_tilde(c, &p);
    return p.parts == 3 ? add(c, relation, p.version) : add_partial(c, relation, &p);
}

/* "1.2 - 2.3": from the first on, up to and with the second. */
static bool read_hyphen(struct span s, struct comparisons *c)
{
    struct partial low, high;

    if (!eat_partial(&s, &low) || !span_eat(&s, " ") || !add(c, AT_LEAST, low.version))
        return false;
    s = span_trim(s);
    if (!span_eat(&s, "- "))
        return false;
    s = span_trim(s);
    if (!eat_partial(&s, &high) || span_trim(s).size > 0)
        return false;
    return high.parts == 3 ? add(c, AT_MOST, high.version) : add_partial(c, AT_MOST, &high);
}

static bool read_alternative(struct span s, struct comparisons *c)
{
    s = span_trim(s);
    if (span_find(s, " - ") != SIZE_MAX)
        return read_hyphen(s, c);
    if (s.size == 0)
        return add(c, AT_LEAST, (struct semver){0}); /* nothing is asked for: anything will do */
    while (s.size > 0) {
        if (!read_comparison(&s, c) || (s.size > 0 && s.at[0] != ' '))
            return false;
        s = span_trim(s);
    }
    return true;
}

static bool holds(const struct comparison *c, const struct semver *v)
{
    int order = semver_compare(v, &c->version);

    switch (c->relation) {
    case LESS:
        return order < 0;
    case AT_MOST:
        return order <= 0;
    case EQUAL:
        return order == 0;
    case AT_LEAST:
        return order >= 0;
    case MORE:
        return order > 0;
    default:
        return false;
    }
}

static bool all_hold(const struct comparisons *c, const struct semver *v)
{
    bool meant = v->pre.size == 0;

    for (size_t i = 0; i < c->n; i++) {
        const struct semver *other = &c->list[i].version;

        if (!holds(&c->list[i], v))
            return false;
        meant |= other->pre.size > 0 && other->major == v->major && other->minor == v->minor &&
                 other->patch == v->patch;
    }
    return meant;
}

bool semver_in(struct span range, const struct semver *v, bool *ret_valid)
{
    bool in = false, more = true;

    while (more) {
        size_t at = span_find(range, "||");
        struct comparisons c = {.n = 0};

        more = at != SIZE_MAX;
        if (!read_alternative((struct span){range.at, more ? at : range.size}, &c)) {
            *ret_valid = false;
            return false;
        }
        in |= all_hold(&c, v);
        if (more)
            range = (struct span){range.at + at + 2, range.size - at - 2};
    }
    *ret_valid = true;
    return in;
}

bool semver_is_range(struct span range)
{
    struct semver zero = {0};
    bool valid;

    (void)semver_in(range, &zero, &valid);
    return valid;
}
