#include "mail.h"

#include "../lib/web.h"
#include "target.h"
#include "write.h"

#include <openssl/evp.h>
#include <poll.h>
#include <string.h>
#include <time.h>

enum {
    MAIL_TRIES = 3, /* after a refusal that is passing (4xx) */
    MAIL_BACKOFF_MS = 1000,
    WORD_BYTES = 42 /* of text in an encoded word, whose 75 characters hold 45 */
};

/* ---- headers ---- */

static bool is_plain(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || (unsigned char)*text >= 0x7f)
            return false;
    return true;
}

/* At most WORD_BYTES off the front of S, and no half character. */
static struct span take_word(struct span *s)
{
    size_t n = s->size < WORD_BYTES ? s->size : WORD_BYTES;
    struct span word;

    while (n > 1 && n < s->size && (s->at[n] & 0xc0) == 0x80)
        n--;
    word = (struct span){s->at, n};
    *s = (struct span){s->at + n, s->size - n};
    return word;
}

const char *mail_header(struct ost_step *step, const char *text)
{
    enum { PLAIN_MAX = 900 }; /* a line has 998 at most */
    struct span rest = rich_clean(step, span_of(text));
    struct sink k = {.step = step};

    if (is_plain(text) && strlen(text) < PLAIN_MAX && !strstr(text, "=?"))
        return text;
    while (rest.size > 0) {
        struct span word = take_word(&rest);
        unsigned char in[WORD_BYTES], out[2 * WORD_BYTES];

        for (size_t i = 0; i < word.size; i++)
            in[i] = word.at[i] == '\n' || word.at[i] == '\t' ? ' ' : (unsigned char)word.at[i];
        (void)EVP_EncodeBlock(out, in, (int)word.size);
        sink_addf(&k, "%s=?UTF-8?B?%s?=", k.size ? "\r\n " : "", (const char *)out);
    }
    return sink_text(&k);
}

static const char *quoted(struct ost_step *step, struct span name)
{
    struct sink k = {.step = step};
    const char *text = span_dup(step, name);

    if (!is_plain(text))
        return mail_header(step, text);
    sink_add(&k, SPAN("\""));
    for (; *text; text++)
        sink_addf(&k, "%s%c", *text == '"' || *text == '\\' ? "\\" : "", *text);
    sink_add(&k, SPAN("\""));
    return sink_text(&k);
}

static bool is_address(struct span s)
{
    size_t at = 0, n = 0;

    for (size_t i = 0; i < s.size; i++) {
        if ((unsigned char)s.at[i] <= ' ' || (unsigned char)s.at[i] >= 0x7f ||
            strchr("<>()[]\\,;:\"", s.at[i]))
            return false;
        if (s.at[i] == '@') {
            at = i;
            n++;
        }
    }
    return n == 1 && at > 0 && at + 1 < s.size && s.size <= 254;
}

bool mail_address(struct ost_step *step, const char *text, struct mail_address *ret)
{
    struct span all = span_trim(span_of(text)), name = {0}, address = all;

    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return false;
    if (span_ends(all, ">")) {
        address.size--;
        if (!span_eat_until(&address, '<', &name))
            return false;
        name = span_trim(name);
        if (name.size >= 2 && span_starts(name, "\"") && span_ends(name, "\""))
            name = (struct span){name.at + 1, name.size - 2};
    }
    if (!is_address(address))
        return false;
    if (ret) {
        ret->address = span_dup(step, address);
        ret->header = name.size == 0 ? ret->address
                                     : ost_fmt(step, "%s <%s>", quoted(step, name), ret->address);
    }
    return true;
}

/* ---- the message ---- */

struct letter {
    struct mail_address from;
    struct strings to; /* addresses alone */
    const char *id;
    struct sink text; /* all of it, as it goes over the wire */
};

/* RFC 2045 6.8: lines of 76 characters. */
static void put_base64(struct sink *to, struct span text)
{
    enum { LINE_BYTES = 57 };
    unsigned char out[4 * LINE_BYTES / 3 + 1];

    while (text.size > 0) {
        size_t n = text.size < LINE_BYTES ? text.size : LINE_BYTES;

        (void)EVP_EncodeBlock(out, (const unsigned char *)text.at, (int)n);
        sink_addf(to, "%s\r\n", (const char *)out);
        text = (struct span){text.at + n, text.size - n};
    }
}

/* No line of Base64 can be this one. */
#define BOUNDARY "=_ostler_notify"

static void put_part(struct sink *to, const char *type, const struct sink *text)
{
    struct span rest = {sink_text(text), text->size}, line;
    struct sink crlf = {.step = to->step};

    while (span_line(&rest, &line)) {
        sink_add(&crlf, line);
        sink_add(&crlf, SPAN("\r\n"));
    }
    sink_addf(to,
              "--" BOUNDARY "\r\nContent-Type: text/%s; charset=utf-8\r\n"
              "Content-Transfer-Encoding: base64\r\n\r\n",
              type);
    put_base64(to, (struct span){sink_text(&crlf), crlf.size});
}

/* Both readings of the message, the better one last. */
static void put_body(const struct notice *n, struct sink *to)
{
    struct sink plain = {.step = n->step}, html = {.step = n->step};

    write_plain(&n->message, &plain);
    sink_add(&html, SPAN("<!DOCTYPE html>\n<html><body>\n"));
    write_html(&n->message, &html);
    sink_add(&html, SPAN("\n</body></html>\n"));
    sink_add(to, SPAN("MIME-Version: 1.0\r\nContent-Type: multipart/alternative; "
                      "boundary=\"" BOUNDARY "\"\r\n\r\n"));
    put_part(to, "plain", &plain);
    put_part(to, "html", &html);
    sink_add(to, SPAN("--" BOUNDARY "--\r\n"));
}

static const char *put_recipients(struct ost_step *step, struct letter *l)
{
    const char *const *to;
    size_t n = step->host->input_list(step, "mail-to", &to);
    struct sink all = {.step = step};

    for (size_t i = 0; i < n; i++) {
        struct mail_address a;

        if (!mail_address(step, to[i], &a))
            continue; /* they were looked at when they were read */
        strings_add(step, &l->to, a.address);
        sink_addf(&all, "%s%s", i ? ",\r\n " : "", a.header);
    }
    return sink_text(&all);
}

static void write_letter(const struct notice *n, struct letter *l)
{
    struct ost_step *step = n->step;
    time_t now = time(NULL);
    char date[64];
    struct tm tm;

    l->text.step = step;
    (void)mail_address(step, step->host->input(step, "mail-from"), &l->from);
    (void)strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", gmtime_r(&now, &tm));
    l->id =
        ost_fmt(step, "<ostler.%s.%s.%lld%s>", facts_get(n->facts, "run.id"),
                facts_get(n->facts, "run.attempt"), (long long)now, strchr(l->from.address, '@'));
    sink_addf(&l->text, "Date: %s\r\nFrom: %s\r\nTo: %s\r\nSubject: %s\r\nMessage-ID: %s\r\n", date,
              l->from.header, put_recipients(step, l), mail_header(step, n->title), l->id);
    /* RFC 3834: no out-of-office answers */
    sink_add(&l->text, SPAN("Auto-Submitted: auto-generated\r\n"));
    put_body(n, &l->text);
}

/* ---- the server ---- */

static const char *trouble(const struct notice *n, const struct web_answer *a)
{
    enum { LOGIN_NEEDED = 530, LOGIN_REFUSED = 535 };
    const char *why = a->why ? a->why : "";

    if (a->status == LOGIN_REFUSED)
        return ost_fmt(n->step, "the server refuses 'mail-user' and 'mail-password' (%s)", why);
    if (a->status == LOGIN_NEEDED)
        return ost_fmt(n->step, "the server wants 'mail-user' and 'mail-password' (%s)", why);
    if (strstr(why, "STARTTLS"))
        return ost_fmt(n->step,
                       "%s: the server offers none; 'mail-tls: tls' is for port 465, and 'none' "
                       "is not safe",
                       why);
    if (a->untrusted)
        return ost_fmt(n->step, "%s: is its certificate's CA in 'mail-ca'?", why);
    return a->status ? ost_fmt(n->step, "%s (the server's last answer was %d)", why, a->status)
                     : why;
}

static ost_status send_letter(const struct notice *n, const struct target *t,
                              const struct letter *l, struct web_answer *ret)
{
    struct ost_step *step = n->step;
    const char *tls = step->host->input(step, "mail-tls"), *ca = step->host->input(step, "mail-ca");
    const char *user = step->host->input(step, "mail-user");
    struct web *web = web_new(&(struct web_spec){.step = step});
    const struct web_mail mail = {
        .from = l->from.address, .to = strings_list(&l->to), .plain = strcmp(tls, "none") == 0};
    ost_status r;

    if (!web)
        return OST_E_FAILED;
    r = web_do(
        web,
        &(struct web_request){
            .url = ost_fmt(step, "%s://%s", strcmp(tls, "tls") == 0 ? "smtps" : "smtp", t->url),
            .body = l->text.data,
            .body_size = (int64_t)l->text.size,
            .user = *user ? user : NULL,
            .password = *user ? step->host->input(step, "mail-password") : NULL,
            .ca_file = *ca ? ca : NULL,
            .mail = &mail,
            .total_ms = n->timeout_ms,
        },
        ret);
    web_free(web);
    return r;
}

static bool is_passing(int code)
{
    return code >= 400 && code < 500;
}

ost_status send_mail(const struct notice *n, const struct target *t, const char **ret_id,
                     const char **ret_why)
{
    struct pollfd stop = {.fd = n->step->host->cancel_fd(n->step), .events = POLLIN};
    struct letter l = {0};

    write_letter(n, &l);
    for (int tries = 1;; tries++) {
        struct web_answer a = {0};
        ost_status r = send_letter(n, t, &l, &a);

        if (r == OST_OK)
            *ret_id = l.id;
        if (r == OST_OK || r == OST_E_CANCELLED)
            return r;
        *ret_why = trouble(n, &a);
        if (!is_passing(a.status) || tries == MAIL_TRIES)
            return r;
        if (poll(&stop, 1, MAIL_BACKOFF_MS * tries) > 0)
            return OST_E_CANCELLED;
    }
}
