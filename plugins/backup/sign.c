#include "sign.h"

#include "../lib/sha256.h"

#include <openssl/hmac.h>
#include <string.h>

const char *sign_escape(struct ost_step *step, const char *text, bool slashes)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    struct sink k = {.step = step};

    for (; *text; text++)
        if (strchr(plain, *text) || (slashes && *text == '/'))
            sink_add(&k, (struct span){text, 1});
        else
            sink_addf(&k, "%%%02X", (unsigned)(unsigned char)*text);
    return sink_text(&k);
}

enum { KEY_SIZE = 32 };

static void hmac(unsigned char *to, const void *key, size_t size, const char *text)
{
    unsigned n = 0;

    HMAC(EVP_sha256(), key, (int)size, (const unsigned char *)text, strlen(text), to, &n);
}

static const char *signature(struct ost_step *step, const struct sign *s, const char *day,
                             const char *text)
{
    const char *first = ost_fmt(step, "AWS4%s", s->secret);
    unsigned char a[KEY_SIZE], b[KEY_SIZE];
    struct sink hex = {.step = step};

    hmac(a, first, strlen(first), day);
    hmac(b, a, sizeof a, s->region);
    hmac(a, b, sizeof b, "s3");
    hmac(b, a, sizeof a, "aws4_request");
    hmac(a, b, sizeof b, text);
    for (size_t i = 0; i < sizeof a; i++)
        sink_addf(&hex, "%02x", a[i]);
    return sink_text(&hex);
}

static const char *canonical(struct ost_step *step, const struct sign *s, const char *names)
{
    struct sink k = {.step = step};

    sink_addf(&k, "%s\n%s\n", s->method, s->path);
    for (size_t i = 0; s->query && s->query[i]; i++)
        sink_addf(&k, "%s%s", i ? "&" : "", s->query[i]);
    sink_addf(&k, "\nhost:%s\n", s->host);
    if (s->range)
        sink_addf(&k, "range:%s\n", s->range);
    sink_addf(&k, "x-amz-content-sha256:%s\nx-amz-date:%s\n", s->payload, s->date);
    if (*s->token)
        sink_addf(&k, "x-amz-security-token:%s\n", s->token);
    sink_addf(&k, "\n%s\n%s", names, s->payload);
    return sink_text(&k);
}

const char *const *sign_headers(struct ost_step *step, const struct sign *s)
{
    const char *names = ost_fmt(step, "host;%sx-amz-content-sha256;x-amz-date%s",
                                s->range ? "range;" : "", *s->token ? ";x-amz-security-token" : "");
    const char *day = span_dup(step, (struct span){s->date, 8});
    const char *scope = ost_fmt(step, "%s/%s/s3/aws4_request", day, s->region);
    const char *text = ost_fmt(step, "AWS4-HMAC-SHA256\n%s\n%s\n%s", s->date, scope,
                               sha256_text(step, span_of(canonical(step, s, names))));
    struct strings h = {0};

    strings_add(step, &h,
                ost_fmt(step,
                        "Authorization: AWS4-HMAC-SHA256 Credential=%s/%s,SignedHeaders=%s,"
                        "Signature=%s",
                        s->access, scope, names, signature(step, s, day, text)));
    strings_add(step, &h, ost_fmt(step, "x-amz-content-sha256: %s", s->payload));
    strings_add(step, &h, ost_fmt(step, "x-amz-date: %s", s->date));
    if (*s->token)
        strings_add(step, &h, ost_fmt(step, "x-amz-security-token: %s", s->token));
    if (s->range)
        strings_add(step, &h, ost_fmt(step, "Range: %s", s->range));
    return strings_list(&h);
}
