#include "rich.h"

#include <string.h>

/* ---- UTF-8 ---- */

/* The length of the character at the front of S, which is not empty; 0: it is none. */
static size_t char_size(struct span s)
{
    static const struct {
        unsigned char mask, lead;
        uint32_t least;
    } kinds[] = {{0x80, 0, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    const unsigned char *at = (const unsigned char *)s.at;

    for (size_t n = 0; n < sizeof kinds / sizeof kinds[0]; n++) {
        uint32_t code = at[0] & (unsigned char)~kinds[n].mask;

        if ((at[0] & kinds[n].mask) != kinds[n].lead)
            continue;
        if (s.size < n + 1)
            return 0;
        for (size_t i = 1; i <= n; i++) {
            if ((at[i] & 0xc0) != 0x80)
                return 0;
            code = code << 6 | (at[i] & 0x3f);
        }
        if (code < kinds[n].least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
            return 0;
        return n + 1;
    }
    return 0;
}

static bool is_control(char c)
{
    return ((unsigned char)c < ' ' && c != '\n' && c != '\t') || c == 0x7f;
}

static bool is_clean(struct span s)
{
    size_t n;

    for (size_t i = 0; i < s.size; i += n) {
        n = char_size((struct span){s.at + i, s.size - i});
        if (n == 0 || is_control(s.at[i]))
            return false;
    }
    return true;
}

struct span rich_clean(struct ost_step *step, struct span s)
{
    struct sink k = {.step = step};

    if (is_clean(s))
        return s;
    s = span_plain(step, s);
    while (s.size > 0) {
        size_t n = char_size(s);

        if (n == 0)
            sink_add(&k, SPAN("\xef\xbf\xbd"));
        else if (!is_control(s.at[0]))
            sink_add(&k, (struct span){s.at, n});
        n = n ? n : 1;
        s = (struct span){s.at + n, s.size - n};
    }
    return (struct span){sink_text(&k), k.size};
}

/* ---- runs ---- */

static void push(struct rich *r, struct rich_run run)
{
    if (run.text.size == 0)
        return;
    if (r->n == r->room) {
        size_t room = r->room ? r->room * 2 : 16;
        struct rich_run *runs = r->step->host->alloc(r->step, room * sizeof *runs);

        if (r->n > 0)
            memcpy(runs, r->runs, r->n * sizeof *runs);
        r->runs = runs;
        r->room = room;
    }
    r->runs[r->n++] = run;
}

void rich_add(struct rich *r, struct span text, uint32_t style, const char *href)
{
    push(r, (struct rich_run){rich_clean(r->step, text), style, href});
}

/* Of one character, N bytes long: those beyond the basic plane are pairs. */
static size_t units(size_t n)
{
    return n == 4 ? 2 : 1;
}

size_t units_of(struct span text)
{
    size_t sum = 0, n;

    for (size_t i = 0; i < text.size; i += n) {
        n = char_size((struct span){text.at + i, text.size - i});
        n = n ? n : 1;
        sum += units(n);
    }
    return sum;
}

size_t rich_units(const struct rich *r)
{
    size_t sum = 0;

    for (size_t i = 0; i < r->n; i++)
        sum += units_of(r->runs[i].text);
    return sum;
}

/* ---- parts ---- */

struct place { /* before the byte AT of the run RUN */
    size_t run, at, units;
};

struct cuts {
    struct place line, word, any; /* the last of its kind; UNITS 0: none */
};

/* Walks as far as MAX units go. True: that was all. */
static bool find_cuts(const struct rich *r, size_t max, struct cuts *ret)
{
    size_t sum = 0;

    for (size_t i = 0; i < r->n; i++) {
        struct span s = r->runs[i].text;
        size_t n;

        for (size_t at = 0; at < s.size; at += n) {
            n = char_size((struct span){s.at + at, s.size - at});
            n = n ? n : 1;
            if (sum + units(n) > max)
                return false;
            sum += units(n);
            ret->any = (struct place){i, at + n, sum};
            if (s.at[at] == '\n')
                ret->line = ret->any;
            else if (s.at[at] == ' ')
                ret->word = ret->any;
        }
    }
    return true;
}

bool rich_part(struct rich *r, size_t max, struct rich *ret)
{
    struct cuts c = {0};
    struct rich rest = {.step = r->step};
    struct place cut;

    *ret = (struct rich){.step = r->step};
    if (r->n == 0)
        return false;
    if (find_cuts(r, max, &c)) {
        *ret = *r;
        *r = rest;
        return true;
    }
    cut = c.line.units >= max / 2 ? c.line : c.word.units >= max / 2 ? c.word : c.any;
    for (size_t i = 0; i < r->n; i++) {
        struct rich_run front = r->runs[i], back = r->runs[i];
        size_t at = i < cut.run ? front.text.size : i > cut.run ? 0 : cut.at;

        front.text.size = at;
        back.text = (struct span){back.text.at + at, back.text.size - at};
        push(ret, front);
        push(&rest, back);
    }
    *r = rest;
    return true;
}
