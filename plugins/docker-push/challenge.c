#include "challenge.h"

#include <string.h>
#include <strings.h>

static bool is_token(char c)
{
    return c > ' ' && c < 0x7f && !strchr("()<>@,;:\\\"/[]?={}", c);
}

static void skip(struct span *s, const char *these)
{
    while (s->size > 0 && s->at[0] && strchr(these, s->at[0]))
        *s = (struct span){s->at + 1, s->size - 1};
}

static struct span eat_token(struct span *s)
{
    struct span token = {s->at, 0};

    while (token.size < s->size && is_token(s->at[token.size]))
        token.size++;
    *s = (struct span){s->at + token.size, s->size - token.size};
    return token;
}

/* "..." with its escapes, or a token. */
static const char *eat_value(struct ost_step *step, struct span *s)
{
    struct sink k = {.step = step};
    size_t i = 1;

    if (s->size == 0 || s->at[0] != '"')
        return span_dup(step, eat_token(s));
    for (; i < s->size && s->at[i] != '"'; i++) {
        if (s->at[i] == '\\' && i + 1 < s->size)
            i++;
        sink_add(&k, (struct span){s->at + i, 1});
    }
    if (i < s->size)
        i++;
    *s = (struct span){s->at + i, s->size - i};
    return sink_text(&k);
}

static bool is(struct span s, const char *text)
{
    return s.size == strlen(text) && strncasecmp(s.at, text, s.size) == 0;
}

static void set(struct challenge *c, struct span name, const char *value)
{
    if (is(name, "realm"))
        c->realm = value;
    else if (is(name, "service"))
        c->service = value;
    else if (is(name, "scope"))
        c->scope = value;
    else if (is(name, "error"))
        c->error = value;
}

/* One challenge off the front: a scheme, then name=value until the next scheme. */
static struct challenge read_one(struct ost_step *step, struct span *s)
{
    struct challenge c = {.realm = "", .service = "", .scope = "", .error = ""};
    struct span scheme = eat_token(s);

    if (is(scheme, "Basic"))
        c.kind = CHALLENGE_BASIC;
    else if (is(scheme, "Bearer"))
        c.kind = CHALLENGE_BEARER;
    for (;;) {
        struct span before, name;

        skip(s, " \t,");
        before = *s;
        name = eat_token(s);
        if (name.size == 0)
            return c;
        skip(s, " \t");
        if (!span_eat(s, "=")) { /* the next scheme */
            *s = before;
            return c;
        }
        skip(s, " \t");
        set(&c, name, eat_value(step, s));
    }
}

struct challenge challenge_read(struct ost_step *step, struct span headers)
{
    struct challenge best = {.realm = "", .service = "", .scope = "", .error = ""};
    struct span line, name;

    while (span_line(&headers, &line)) {
        if (!span_eat_until(&line, ':', &name) || !is(name, "WWW-Authenticate"))
            continue;
        skip(&line, " \t");
        while (line.size > 0) {
            size_t left = line.size;
            struct challenge c = read_one(step, &line);

            if (c.kind > best.kind)
                best = c;
            if (line.size == left) /* a character that stands for nothing */
                line = (struct span){line.at + 1, line.size - 1};
        }
    }
    return best;
}
