#include "io/http_why.h"

#include "kit/scratch.h"

#include <criterion/criterion.h>
#include <curl/curl.h>
#include <errno.h>

TestSuite(http_why, .init = scratch_enter, .fini = scratch_leave);

#define URL "https://user:word@git.example:8443/a/b?token=secret"
#define PROXY "http://me:secret@proxy.example:3128"
#define LOST "cannot reach 'git.example:8443': "

/* What libcurl 7.81, 7.88 and 8.5 say, and what becomes of it. */
static const struct row {
    const char *name;
    struct http_why why;
    const char *wanted;
} rows[] = {
    {"no such host",
     {CURLE_COULDNT_RESOLVE_HOST, "Could not resolve host: git.example", URL, PROXY, NULL, 0, 0, 0,
      0},
     LOST "no host has that name: see the address, and this machine's DNS"},
    {"refused",
     {CURLE_COULDNT_CONNECT, "Failed to connect to git.example port 8443 after 0 ms", URL, PROXY,
      NULL, ECONNREFUSED, 0, 0, 0},
     LOST "nobody listens there (Connection refused): is the address right, with its port, and the "
          "server up?"},
    {"no way",
     {CURLE_COULDNT_CONNECT, "Failed to connect to git.example port 8443 after 0 ms", URL, NULL,
      NULL, EHOSTUNREACH, 0, 0, 0},
     LOST "No route to host: is the network up, and no firewall in between?"},
    {"silence",
     {CURLE_OPERATION_TIMEDOUT,
      "Operation timed out after 20032 milliseconds with 0 bytes received", URL, PROXY, NULL, 0, 0,
      8443, 20},
     LOST "no answer within 20 s: is the server up, and no firewall in between?"},
    {"a proxy's silence",
     {CURLE_OPERATION_TIMEDOUT,
      "Operation timed out after 20032 milliseconds with 0 bytes received", URL, PROXY, NULL, 0, 0,
      3128, 20},
     LOST
     "no answer within 20 s by way of the proxy 'proxy.example:3128' (https_proxy): is that up, "
     "and no firewall in between?"},
    {"silence of whomever",
     {CURLE_OPERATION_TIMEDOUT, "", URL, PROXY, NULL, 0, 0, 0, 30},
     LOST
     "no connection within 30 s, maybe by way of the proxy 'proxy.example:3128' (https_proxy): "
     "is all that up, and no firewall in between?"},
    {"no such proxy",
     {CURLE_COULDNT_RESOLVE_PROXY, "Could not resolve proxy: proxy.example", URL, PROXY, NULL, 0, 0,
      0, 0},
     LOST "there is no host with the name of its proxy, 'proxy.example:3128': see https_proxy"},
    {"a proxy that is down, of plain HTTP",
     {CURLE_COULDNT_CONNECT, "Failed to connect to proxy.example port 3128 after 1 ms: refused",
      "http://git.example:8443/", "proxy.example:3128", NULL, ECONNREFUSED, 0, 0, 0},
     LOST "its proxy, 'proxy.example:3128', is not there (Connection refused): see http_proxy"},
    {"no address of a proxy",
     {CURLE_COULDNT_RESOLVE_PROXY, "Unsupported proxy syntax in 'http://me:secret@:::'", URL, PROXY,
      NULL, 0, 0, 0, 0},
     LOST "what https_proxy says is no address of a proxy: write it as http://HOST:PORT"},
    {"another scheme than a proxy's",
     {CURLE_COULDNT_CONNECT, "Unsupported proxy scheme for 'ftp://me:secret@x:1'", URL,
      "ftp://me:secret@x:1", NULL, 0, 0, 0, 0},
     LOST "what https_proxy says is no address of a proxy: write it as http://HOST:PORT"},
    {"a proxy that wants a login",
     {CURLE_RECV_ERROR, "CONNECT tunnel failed, response 407", URL, "http://[::1]:3128", NULL, 0,
      407, 0, 0},
     LOST "the proxy '[::1]:3128' wants a login (407): write it into https_proxy, as "
          "http://USER:PASSWORD@HOST:PORT"},
    {"a proxy with another login",
     {CURLE_OK, "", URL, PROXY, NULL, 0, 407, 0, 0},
     LOST "the proxy 'proxy.example:3128' refuses our login (407): see user and password in "
          "https_proxy; what is special in them is written %40 (@) or %3A (:)"},
    {"a proxy that says no",
     {CURLE_COULDNT_CONNECT, "CONNECT tunnel failed, response 403", URL, PROXY, NULL, 0, 403, 3128,
      0},
     LOST
     "the proxy 'proxy.example:3128' does not let us through (403): who runs it can tell why, or "
     "name this host in no_proxy"},
    {"no authorities",
     {CURLE_SSL_CACERT_BADFILE, "error setting certificate file", URL, NULL, NULL, 0, 0, 0, 0},
     LOST
     "this machine knows no authorities for certificates: install 'ca-certificates', or name a "
     "file of them in SSL_CERT_FILE"},
    {"a file of authorities that is not there",
     {CURLE_SSL_CACERT_BADFILE, "error setting certificate file: /nope.pem", URL, NULL, "/nope.pem",
      0, 0, 0, 0},
     LOST "SSL_CERT_FILE, '/nope.pem', cannot be used: No such file or directory"},
    {"a folder of authorities",
     {CURLE_SSL_CACERT_BADFILE, "error setting certificate file: /", URL, NULL, "/", 0, 0, 0, 0},
     LOST "SSL_CERT_FILE, '/', cannot be used: that is no file"},
    {"a file that is no PEM",
     {CURLE_SSL_CACERT_BADFILE, "error setting certificate file: /etc/passwd", URL, NULL,
      "/etc/passwd", 0, 0, 0, 0},
     LOST "SSL_CERT_FILE, '/etc/passwd', cannot be used: no certificate in PEM is in there"},
    {"a certificate of nobody's",
     {CURLE_PEER_FAILED_VERIFICATION, "SSL certificate problem: self-signed certificate", URL,
      PROXY, NULL, 0, 0, 8443, 0},
     LOST
     "nobody whom this machine trusts vouches for its certificate (self-signed certificate): name "
     "a file with that of its authority in SSL_CERT_FILE"},
    {"a certificate of another authority's",
     {CURLE_PEER_FAILED_VERIFICATION, "SSL certificate problem: self-signed certificate", URL, NULL,
      "/ca.pem", 0, 0, 8443, 0},
     LOST
     "SSL_CERT_FILE, '/ca.pem', does not vouch for its certificate (self-signed certificate): put "
     "that of its authority in there"},
    {"a certificate for another host",
     {CURLE_PEER_FAILED_VERIFICATION,
      "SSL: no alternative certificate subject name matches target host name 'git.example'", URL,
      NULL, "/ca.pem", 0, 0, 8443, 0},
     LOST "its certificate is for another host: use the name that is in it, or have the server "
          "given one "
          "for this name"},
    {"a certificate that is too old",
     {CURLE_PEER_FAILED_VERIFICATION, "SSL certificate problem: certificate has expired", URL, NULL,
      NULL, 0, 0, 8443, 0},
     LOST "certificate has expired: have it renewed, or set this machine's clock"},
    {"no TLS",
     {CURLE_SSL_CONNECT_ERROR, "OpenSSL/3.0.22: error:0A00010B:SSL routines::wrong version number",
      URL, NULL, NULL, 0, 0, 8443, 0},
     LOST "it speaks no TLS: should the address begin with http://?"},
    {"a connection that is closed",
     {CURLE_GOT_NOTHING, "Empty reply from server", URL, PROXY, NULL, 0, 0, 8443, 0},
     LOST "it closed the connection without an answer"},
    {"no address",
     {CURLE_URL_MALFORMAT, "Port number was not a decimal number between 0 and 65535", URL, NULL,
      NULL, 0, 0, 0, 0},
     LOST "that is no address: it begins with https://HOST"},
    {"something else",
     {CURLE_RECV_ERROR, "Recv failure: Connection reset by peer", URL, PROXY, NULL, ECONNRESET, 0,
      8443, 0},
     LOST "Recv failure: Connection reset by peer"},
};

Test(http_why, says_what_is_wrong_where_and_what_can_be_done)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err = ERR_INIT;
        int wanted = rows[i].why.code == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_SYS;

        cr_expect_eq(http_why(&rows[i].why, &err), wanted, "%s: %d", rows[i].name, err.code);
        cr_expect_str_eq(err.text, rows[i].wanted, "%s: '%s'", rows[i].name, err.text);
        cr_expect_null(strstr(err.text, "secret"), "%s: '%s'", rows[i].name, err.text);
    }
}

Test(http_why, what_is_long_is_cut_and_the_cure_stays)
{
    char url[1000] = "https://", proxy[1000] = "http://";
    struct err err = ERR_INIT;

    memset(url + 8, 'h', 900);
    memset(proxy + 7, 'p', 900);
    const struct http_why why = {CURLE_COULDNT_RESOLVE_PROXY, "", url, proxy, NULL, 0, 0, 0, 0};
    cr_assert_eq(http_why(&why, &err), ERR_SYS);
    cr_assert_not_null(strstr(err.text, ": see https_proxy"), "%s", err.text);
}
