#include "io/http_why.h"

#include "base/num.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HOST_MAX = 60, FILE_MAX = 90, TEXT_MAX = 90 /* bytes that are shown of each */ };

#define SHOWN(text, max) SLICE_ARG(slice_head(text, max))

static ssize_t last_of(struct slice s, char c)
{
    ssize_t at = (ssize_t)s.len - 1;

    while (at >= 0 && s.ptr[at] != c)
        at--;
    return at;
}

struct slice http_host(const char *url)
{
    struct slice rest = slice_of(url);
    ssize_t at = slice_find(rest, SLICE("://"));

    rest = slice_from(rest, at < 0 ? 0 : (size_t)at + 3);
    rest = slice_head(rest, strcspn(rest.ptr ? rest.ptr : "", "/?#"));
    at = last_of(rest, '@');
    return slice_from(rest, (size_t)(at + 1));
}

static int say(const struct http_why *w, struct err *err, const char *fmt, ...) PRINTF_LIKE(3, 4);

static int say(const struct http_why *w, struct err *err, const char *fmt, ...)
{
    char text[ERR_TEXT_SIZE];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return err_set(err, w->code == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_SYS,
                   "cannot reach '%.*s': %s", SHOWN(http_host(w->url), HOST_MAX), text);
}

/* ---- the proxy ---- */

static const char *variable_of(const struct http_why *w)
{
    return slice_starts(slice_of(w->url), SLICE("https:")) ? "https_proxy" : "http_proxy";
}

/* "HOST" and the number behind it; 0: none is there. */
static struct slice name_of(struct slice authority, int *ret_port)
{
    ssize_t at = last_of(authority, ':');
    struct err ignored = ERR_INIT; /* an address of IPv6 without a port */
    int64_t port = 0;

    *ret_port = 0;
    if (at <= 0 ||
        num_parse_i64(slice_from(authority, (size_t)at + 1), 1, 65535, &port, &ignored) < 0)
        return authority;
    *ret_port = (int)port;
    return slice_head(authority, (size_t)at);
}

/* libcurl's text has the whole of it, with the password. */
static bool is_no_proxy(const struct http_why *w)
{
    return slice_find(slice_of(w->text), SLICE("Unsupported proxy")) >= 0;
}

/* Was it the proxy that we spoke to, or wanted to? libcurl may have been told to go without it for this host. */
static bool is_of_proxy(const struct http_why *w)
{
    int port, server_port;
    struct slice name = name_of(http_host(w->proxy), &port);
    ssize_t at = slice_find(slice_of(w->text), SLICE("connect to "));

    if (!w->proxy || !*w->proxy)
        return false;
    if (w->code == CURLE_COULDNT_RESOLVE_PROXY || w->connect_status || is_no_proxy(w))
        return true;
    if (at >= 0 && slice_starts(slice_from(slice_of(w->text), (size_t)at + 11), name))
        return true;
    (void)name_of(http_host(w->url), &server_port);
    return w->peer_port && w->peer_port == port && port != server_port;
}

static int of_login(const struct http_why *w, struct err *err)
{
    struct slice proxy = http_host(w->proxy);

    if (slice_find_char(slice_of(w->proxy), '@') < 0)
        return say(w, err,
                   "the proxy '%.*s' wants a login (407): write it into %s, as "
                   "http://USER:PASSWORD@HOST:PORT",
                   SHOWN(proxy, HOST_MAX), variable_of(w));
    return say(w, err,
               "the proxy '%.*s' refuses our login (407): see user and password in %s; what is "
               "special in them is written %%40 (@) or %%3A (:)",
               SHOWN(proxy, HOST_MAX), variable_of(w));
}

static int of_proxy(const struct http_why *w, struct err *err)
{
    const char *name = variable_of(w);
    struct slice proxy = http_host(w->proxy);

    if (w->connect_status == 407)
        return of_login(w, err);
    if (w->connect_status)
        return say(w, err,
                   "the proxy '%.*s' does not let us through (%d): who runs it can tell why, or "
                   "name this host in no_proxy",
                   SHOWN(proxy, HOST_MAX), w->connect_status);
    if (is_no_proxy(w))
        return say(w, err, "what %s says is no address of a proxy: write it as http://HOST:PORT",
                   name);
    if (w->code == CURLE_COULDNT_RESOLVE_PROXY)
        return say(w, err, "there is no host with the name of its proxy, '%.*s': see %s",
                   SHOWN(proxy, HOST_MAX), name);
    if (w->code == CURLE_OPERATION_TIMEDOUT)
        return say(w, err,
                   "no answer within %d s by way of the proxy '%.*s' (%s): is that up, and no "
                   "firewall in between?",
                   w->seconds, SHOWN(proxy, HOST_MAX), name);
    return say(w, err, "its proxy, '%.*s', is not there (%s): see %s", SHOWN(proxy, HOST_MAX),
               strerror(w->sys ? w->sys : ECONNREFUSED), name);
}

/* ---- certificates ---- */

/* libcurl says only that it cannot. */
static const char *why_unusable(const char *file)
{
    struct stat st;

    if (stat(file, &st) < 0 || access(file, R_OK) < 0)
        return strerror(errno);
    return S_ISREG(st.st_mode) ? "no certificate in PEM is in there" : "that is no file";
}

static int of_authorities(const struct http_why *w, struct err *err)
{
    if (!w->ca_file)
        return say(w, err,
                   "this machine knows no authorities for certificates: install "
                   "'ca-certificates', or name a file of them in SSL_CERT_FILE");
    return say(w, err, "SSL_CERT_FILE, '%.*s', cannot be used: %s",
               SHOWN(slice_of(w->ca_file), FILE_MAX), why_unusable(w->ca_file));
}

static int of_certificate(const struct http_why *w, struct err *err)
{
    struct slice text = slice_of(w->text);
    ssize_t at = slice_find(text, SLICE("problem: "));

    if (slice_find(text, SLICE("subject name")) >= 0 ||
        slice_find(text, SLICE("does not match")) >= 0)
        return say(w, err,
                   "its certificate is for another host: use the name that is in it, or have the "
                   "server given one for this name");
    text = slice_from(text, at < 0 ? 0 : (size_t)at + 9);
    if (slice_find(text, SLICE("expired")) >= 0 || slice_find(text, SLICE("not yet valid")) >= 0)
        return say(w, err, "%.*s: have it renewed, or set this machine's clock",
                   SHOWN(text, TEXT_MAX));
    if (w->ca_file)
        return say(w, err,
                   "SSL_CERT_FILE, '%.*s', does not vouch for its certificate (%.*s): put that of "
                   "its authority in there",
                   SHOWN(slice_of(w->ca_file), FILE_MAX), SHOWN(text, 40));
    return say(w, err,
               "nobody whom this machine trusts vouches for its certificate (%.*s): name a file "
               "with that of its authority in SSL_CERT_FILE",
               SHOWN(text, TEXT_MAX));
}

/* ---- all of it ---- */

static int of_connection(const struct http_why *w, struct err *err)
{
    if (!w->sys || w->sys == ECONNREFUSED)
        return say(w, err,
                   "nobody listens there (%s): is the address right, with its port, and the server "
                   "up?",
                   strerror(ECONNREFUSED));
    return say(w, err, "%s: is the network up, and no firewall in between?", strerror(w->sys));
}

static bool speaks_no_tls(const struct http_why *w)
{
    static const char *const words[] = {"wrong version number", "packet length too long",
                                        "http request"};

    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (slice_find(slice_of(w->text), slice_of(words[i])) >= 0)
            return true;
    return false;
}

int http_why(const struct http_why *w, struct err *err)
{
    if (is_of_proxy(w))
        switch (w->code) {
        case CURLE_OK: /* 407 is an answer */
        case CURLE_COULDNT_RESOLVE_PROXY:
        case CURLE_COULDNT_CONNECT:
        case CURLE_OPERATION_TIMEDOUT:
        case CURLE_RECV_ERROR:
        case CURLE_PROXY:
            return of_proxy(w, err);
        default:
            break;
        }
    switch (w->code) {
    case CURLE_URL_MALFORMAT:
        return say(w, err, "that is no address: it begins with https://HOST");
    case CURLE_COULDNT_RESOLVE_HOST:
        return say(w, err, "no host has that name: see the address, and this machine's DNS");
    case CURLE_COULDNT_CONNECT:
        return of_connection(w, err);
    case CURLE_OPERATION_TIMEDOUT:
        if (!w->peer_port && w->proxy && *w->proxy) /* it is not known who should have been */
            return say(w, err,
                       "no connection within %d s, maybe by way of the proxy '%.*s' (%s): is all "
                       "that up, and no firewall in between?",
                       w->seconds, SHOWN(http_host(w->proxy), HOST_MAX), variable_of(w));
        return say(w, err, "no answer within %d s: is the server up, and no firewall in between?",
                   w->seconds);
    case CURLE_GOT_NOTHING:
        return say(w, err, "it closed the connection without an answer");
    case CURLE_SSL_CACERT_BADFILE:
        return of_authorities(w, err);
    case CURLE_PEER_FAILED_VERIFICATION:
        return of_certificate(w, err);
    case CURLE_SSL_CONNECT_ERROR:
        if (speaks_no_tls(w))
            return say(w, err, "it speaks no TLS: should the address begin with http://?");
        break;
    default:
        break;
    }
    return say(w, err, "%.*s", SHOWN(slice_of(w->text), TEXT_MAX + 30));
}
