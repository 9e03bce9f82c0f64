#include "scan_rules.h"

#include "scan_shapes.h"

#include <math.h>
#include <string.h>

static const struct rule telegram = {"telegram-bot-token", "a Telegram bot token", SEVERITY_ERROR};
static const struct rule jwt = {"jwt", "a JSON web token", SEVERITY_WARNING};
static const struct rule url_password = {"url-password", "a password in a URL", SEVERITY_ERROR};
static const struct rule aws_secret = {"aws-secret-access-key", "an AWS secret access key",
                                       SEVERITY_ERROR};
static const struct rule generic = {"generic-secret", "what looks like a secret", SEVERITY_WARNING};
static const struct rule private_key = {"private-key", "a private key", SEVERITY_ERROR};
static const struct rule locked_key = {"private-key-encrypted", "a private key with a passphrase",
                                       SEVERITY_WARNING};

static const struct rule *const special[] = {&telegram,    &jwt,        &url_password, &aws_secret,
                                             &private_key, &locked_key, &generic};

/* ---- one line ---- */

enum { HITS_MAX = 32 /* of a line; who has more has a problem that is found all the same */ };

struct search {
    struct span line;
    bool bare;
    secret_fn *found;
    void *ctx;
    struct span hits[HITS_MAX];
    size_t n_hits;
};

static void hit(struct search *s, const struct rule *rule, struct span secret)
{
    for (size_t i = 0; i < s->n_hits; i++)
        if (secret.at < s->hits[i].at + s->hits[i].size && s->hits[i].at < secret.at + secret.size)
            return; /* a better rule has found it */
    if (s->n_hits < HITS_MAX) {
        s->hits[s->n_hits++] = secret;
        s->found(s->ctx, rule, secret);
    }
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c | 32) >= 'a' && (c | 32) <= 'z';
}

static bool is_word(char c)
{
    return is_digit(c) || is_letter(c) || c == '_';
}

/* ---- how random a text is ---- */

/* Bits a byte, as Shannon counts them: 0 for "aaaa", 4 for random hex digits, near 5 for random base64. */
static double entropy(struct span s)
{
    size_t counts[256] = {0};
    double bits = 0;

    for (size_t i = 0; i < s.size; i++)
        counts[(unsigned char)s.at[i]]++;
    for (size_t i = 0; i < 256; i++)
        if (counts[i] > 0) {
            double p = (double)counts[i] / (double)s.size;

            bits -= p * log2(p);
        }
    return bits;
}

/* WORD in S, whatever the case. */
static bool has_word(struct span s, const char *word)
{
    size_t n = strlen(word);

    for (size_t i = 0; i + n <= s.size; i++)
        if (strncasecmp(s.at + i, word, n) == 0)
            return true;
    return false;
}

/* What people write where a secret belongs: no secret. */
static bool is_placeholder(struct span s)
{
    static const char *const words[] = {
        "example", "xxxx",        "changeme", "change_me", "change-me", "your_",      "your-",
        "<your",   "placeholder", "dummy",    "redacted",  "notreal",   "not-real",   "insert_",
        "sample",  "123456789",   "abcdefgh", "....",      "****",      "secret_here"};

    for (size_t i = 0; i < OST_COUNT(words); i++)
        if (has_word(s, words[i]))
            return true;
    return false;
}

/* ---- shapes ---- */

/* Where the run of ALPHABET from FROM on ends. */
static size_t run_end(struct span line, size_t from, enum alphabet alphabet)
{
    while (from < line.size && shape_allows(alphabet, line.at[from]))
        from++;
    return from;
}

static void try_shape(struct search *s, const struct shape *shape, size_t at)
{
    size_t n = strlen(shape->prefix), end;
    struct span secret, body;

    if (s->line.size - at < n + shape->min || memcmp(s->line.at + at, shape->prefix, n) != 0)
        return;
    end = run_end(s->line, at + n, shape->alphabet);
    secret = (struct span){s->line.at + at, end - at};
    body = (struct span){secret.at + n, secret.size - n};
    if (body.size < shape->min || body.size > shape->max || is_placeholder(secret) ||
        (body.size >= 16 && entropy(body) < 2.5))
        return;
    hit(s, &shape->rule, secret);
}

static void search_shapes(struct search *s)
{
    for (size_t i = 0; i < s->line.size; i++)
        if (i == 0 || !is_word(s->line.at[i - 1]))
            for (const struct shape *shape = shapes_at(s->line.at[i]); shape;
                 shape = shapes_next(shape))
                try_shape(s, shape, i);
}

/* ---- tokens that are more than a run of letters ---- */

/* 123456789:AAabc..., eight to ten digits and 35 characters. */
static void search_telegram(struct search *s)
{
    enum { DIGITS_MIN = 8, DIGITS_MAX = 10, KEY = 35 };

    for (size_t i = DIGITS_MIN; i + KEY < s->line.size; i++) {
        size_t from = i, end;

        if (s->line.at[i] != ':' || s->line.at[i + 1] != 'A' || s->line.at[i + 2] != 'A')
            continue;
        while (from > 0 && is_digit(s->line.at[from - 1]))
            from--;
        end = run_end(s->line, i + 1, ALPHABET_URL);
        if (i - from >= DIGITS_MIN && i - from <= DIGITS_MAX && end - i - 1 == KEY &&
            (from == 0 || !is_word(s->line.at[from - 1]) || strchr("bt", s->line.at[from - 1])))
            hit(s, &telegram, (struct span){s->line.at + from, end - from});
    }
}

/* Three parts of base64url with dots between; the first two are JSON objects, and so begin with "eyJ". */
static void search_jwt(struct search *s)
{
    enum { PART_MIN = 10 };

    for (size_t i = 0; i + 3 < s->line.size; i++) {
        size_t end = i, parts = 0, from = i;

        if (memcmp(s->line.at + i, "eyJ", 3) != 0 || (i > 0 && is_word(s->line.at[i - 1])))
            continue;
        for (; parts < 3; parts++) {
            from = end;
            end = run_end(s->line, from, ALPHABET_URL);
            if (end - from < PART_MIN || (parts < 2 && memcmp(s->line.at + from, "eyJ", 3) != 0))
                break;
            if (parts < 2 && (end >= s->line.size || s->line.at[end++] != '.'))
                break;
        }
        if (parts == 3)
            hit(s, &jwt, (struct span){s->line.at + i, end - i});
        i = end > i ? end - 1 : i;
    }
}

/* ---- scheme://user:password@host ---- */

/* This machine, or a name that is nobody's: RFC 2606 and 6761. */
static bool is_nowhere(struct span host)
{
    static const char *const reserved[] = {".test",       ".example",    ".invalid",   ".localhost",
                                           "example.com", "example.org", "example.net"};
    struct span name = host;

    if (span_starts(host, "localhost") || span_starts(host, "127.") || span_starts(host, "[::1]") ||
        span_starts(host, "0.0.0.0"))
        return true;
    for (size_t i = 0; i < host.size && name.size == host.size; i++)
        if (strchr(":;,)", host.at[i]) || !host.at[i])
            name.size = i;
    for (size_t i = 0; i < OST_COUNT(reserved); i++)
        if (span_ends(name, reserved[i]))
            return true;
    return false;
}

static bool is_weak(struct span password, struct span user)
{
    static const char *const words[] = {"password", "passwd", "pass", "secret", "pwd",
                                        "test",     "admin",  "root", "token",  "user"};

    if (password.size == user.size && memcmp(password.at, user.at, user.size) == 0)
        return true;
    for (size_t i = 0; i < OST_COUNT(words); i++)
        if (password.size == strlen(words[i]) && has_word(password, words[i]))
            return true;
    return is_placeholder(password);
}

static void search_urls(struct search *s)
{
    for (size_t i = 1; i + 4 < s->line.size; i++) {
        struct span rest, user, password, host;
        size_t end = i + 3;

        if (memcmp(s->line.at + i, "://", 3) != 0 || !is_word(s->line.at[i - 1]))
            continue;
        while (end < s->line.size && !strchr("/?# \t\"'`<>\\", s->line.at[end]) && s->line.at[end])
            end++;
        rest = (struct span){s->line.at + i + 3, end - i - 3};
        host = rest;
        for (size_t at = 0; at < rest.size; at++) /* the last one: passwords hold others */
            if (rest.at[at] == '@')
                host = (struct span){rest.at + at + 1, rest.size - at - 1};
        if (host.at == rest.at)
            continue;
        rest.size = (size_t)(host.at - rest.at) - 1;
        if (!span_eat_until(&rest, ':', &user))
            continue;
        password = rest;
        if (password.size >= 4 && host.size > 0 && !strchr("$<{%[(*", password.at[0]) &&
            !memchr(password.at, '{', password.size) && !is_nowhere(host) &&
            !is_weak(password, user))
            hit(s, &url_password, password);
    }
}

/* ---- name = "value" ---- */

static bool has_any(struct span s, const char *const *words)
{
    for (; *words; words++)
        if (has_word(s, *words))
            return true;
    return false;
}

/* Names of secrets; not names of what is about them. */
static bool names_secret(struct span name)
{
    static const char *const yes[] = {"password",    "passwd",     "passphrase",     "secret",
                                      "token",       "api_key",    "apikey",         "api-key",
                                      "access_key",  "accesskey",  "auth_key",       "credential",
                                      "private_key", "privatekey", "encryption_key", NULL};
    static const char *const no[] = {
        "name",   "path",  "file",    "url",         "uri",      "field",     "header",
        "param",  "type",  "label",   "hint",        "hash",     "sum",       "public",
        "_id",    "regex", "pattern", "prefix",      "endpoint", "tokenizer", "expir",
        "length", "size",  "policy",  "placeholder", "version",  NULL};

    return has_any(name, yes) && !has_any(name, no);
}

static bool is_password(struct span name)
{
    static const char *const words[] = {"password", "passwd", "passphrase", NULL};

    return has_any(name, words);
}

/* 01234567-89ab-cdef-0123-456789abcdef: mostly an id. */
static bool is_uuid(struct span s)
{
    return s.size == 36 && s.at[8] == '-' && s.at[13] == '-' && s.at[18] == '-' && s.at[23] == '-';
}

static bool looks_random(struct span value, bool password)
{
    bool digit = false, letter = false;

    if (value.size < (password ? 8 : 16) || value.size > 512 || is_placeholder(value) ||
        is_uuid(value) || strchr("$<{%@/.(*[&", value.at[0]))
        return false;
    for (size_t i = 0; i < value.size; i++) {
        if (value.at[i] <= ' ' || value.at[i] > '~' || strchr("{}()<>$`", value.at[i]))
            return false;
        digit |= is_digit(value.at[i]);
        letter |= is_letter(value.at[i]);
    }
    if (has_word(value, "://") || !digit || !letter)
        return false;
    return entropy(value) >= (password ? 2.8 : 3.5);
}

/* The name that ends before END, and what may stand between: blanks, a quote, a bracket. */
static struct span name_before(struct span line, size_t end)
{
    size_t from;

    while (end > 0 && strchr(" \t\"'`]:", line.at[end - 1]))
        end--;
    from = end;
    while (from > 0 && end - from < 64 &&
           (is_word(line.at[from - 1]) || strchr("-.", line.at[from - 1])))
        from--;
    return (struct span){line.at + from, end - from};
}

/* The value from AT on; empty if it is none that counts. */
static struct span value_after(const struct search *s, size_t at)
{
    const char *end;
    char quote;
    size_t from;

    while (at < s->line.size && strchr(" \t=>:(", s->line.at[at]) && s->line.at[at])
        at++;
    if (at >= s->line.size)
        return (struct span){"", 0};
    quote = s->line.at[at];
    if (quote == '"' || quote == '\'' || quote == '`') {
        end = memchr(s->line.at + at + 1, quote, s->line.size - at - 1);
        return end ? (struct span){s->line.at + at + 1, (size_t)(end - s->line.at) - at - 1}
                   : (struct span){"", 0};
    }
    if (!s->bare)
        return (struct span){"", 0};
    from = at;
    while (at < s->line.size && !strchr(" \t#;,\"'", s->line.at[at]) && s->line.at[at])
        at++;
    return (struct span){s->line.at + from, at - from};
}

static bool is_aws_secret(struct span name, struct span value)
{
    enum { SIZE = 40 };

    return value.size == SIZE && has_word(name, "aws") && has_word(name, "secret") &&
           run_end(value, 0, ALPHABET_BASE64) == SIZE && !is_placeholder(value);
}

static void search_assignments(struct search *s)
{
    for (size_t i = 1; i + 1 < s->line.size; i++) {
        char c = s->line.at[i], before = s->line.at[i - 1];
        struct span name, value;

        if ((c != '=' && c != ':') || before == '=' || before == '!' || before == ':' ||
            (c == '=' && s->line.at[i + 1] == '=') || (c == ':' && s->line.at[i + 1] == '/'))
            continue;
        name = name_before(s->line, i);
        if (!names_secret(name))
            continue;
        value = value_after(s, i + 1);
        if (is_aws_secret(name, value))
            hit(s, &aws_secret, value);
        else if (value.size > 0 && looks_random(value, is_password(name)))
            hit(s, &generic, value);
    }
}

void rules_search(struct span line, bool bare, secret_fn *found, void *ctx)
{
    struct search s = {.line = line, .bare = bare, .found = found, .ctx = ctx};

    search_shapes(&s);
    search_telegram(&s);
    search_jwt(&s);
    search_urls(&s);
    search_assignments(&s);
}

/* ---- private keys ---- */

const struct rule *rules_key_begin(struct span line, struct span *ret_body)
{
    size_t at = span_find(line, "-----BEGIN ");
    struct span rest, kind;

    if (at == SIZE_MAX)
        return NULL;
    rest = (struct span){line.at + at + 11, line.size - at - 11};
    at = span_find(rest, "PRIVATE KEY");
    kind = (struct span){rest.at, at == SIZE_MAX ? 0 : at};
    if (at == SIZE_MAX || at > 32 || memchr(rest.at, '"', at))
        return NULL;
    rest = (struct span){rest.at + at + 11, rest.size - at - 11};
    span_eat(&rest, " BLOCK");
    if (!span_eat(&rest, "-----"))
        return NULL;
    while (span_eat(&rest, "\\n") || span_eat(&rest, "\\r") || span_eat(&rest, " "))
        ;
    *ret_body = rest;
    return has_word(kind, "ENCRYPTED") ? &locked_key : &private_key;
}

/* Base64, or the headers that old keys begin with. In a string, the line ends with quotes and more. */
bool rules_key_body(struct span line)
{
    enum { BODY_MIN = 16 };
    size_t from = 0;

    if (span_find(line, "Proc-Type:") != SIZE_MAX || span_find(line, "Version:") != SIZE_MAX)
        return true;
    while (from < line.size && strchr(" \t\"'+|>#*", line.at[from]) && line.at[from])
        from++;
    line = (struct span){line.at + from, line.size - from};
    return run_end(line, 0, ALPHABET_BASE64) >= BODY_MIN && !is_placeholder(line);
}

/* ---- names ---- */

bool rules_has(struct span id)
{
    for (size_t i = 0; i < OST_COUNT(special); i++)
        if (span_is(id, special[i]->id))
            return true;
    return shapes_has(id);
}

bool rules_is_bare(const char *path)
{
    static const char *const endings[] = {".env",   ".yml",   ".yaml",  ".properties",
                                          ".ini",   ".cfg",   ".conf",  ".toml",
                                          ".npmrc", ".netrc", ".tfvars"};
    struct span name = span_of(rel_name(path));

    for (size_t i = 0; i < OST_COUNT(endings); i++)
        if (span_ends(name, endings[i]))
            return true;
    return span_starts(name, ".env") || span_is(name, "credentials") || span_is(name, "config");
}
