#include "blobs/hosts.h"

#include "base/attr.h"

#include <criterion/criterion.h>

static const struct {
    const char *hosts, *url;
    bool allowed;
} rows[] = {
    {NULL, "anything", true},
    {"[]", "https://a.example/x", true},
    {"[[]]", "https://a.example/x", false},
    {"[[\"a.example\"]]", "https://a.example/x", true},
    {"[[\"A.Example\"]]", "https://a.eXample", true},
    {"[[\"a.example\"]]", "https://b.example/x", false},
    {"[[\"a.example\"]]", "https://a.example.org/x", false},
    {"[[\"b\", \"*.example\"]]", "http://a.b.example/x", true},
    {"[[\"*.example\"]]", "http://example/x", false},
    {"[[\"*.example\"]]", "http://evilexample/x", false},
    {"[[\"a.example:443\"]]", "https://a.example/x", true},
    {"[[\"a.example:443\"]]", "http://a.example/x", false},
    {"[[\"a.example:5000\"]]", "http://a.example:5000/x", true},
    {"[[\"a.example\"]]", "http://a.example:5000/x", true},
    {"[[\"a.example\"], [\"*.example\"]]", "https://a.example/x", true},
    {"[[\"a.example\"], [\"b.example\"]]", "https://a.example/x", false},
    {"[[\"a.example\"]]", "ssh://a.example/x", false},
    {"[[\"a.example\"]]", "https://a.example@evil/x", false},
    {"[[\"a.example\"]]", "https://evil\\@a.example/x", false},
    {"[[\"a.example\"]]", "https://a.example:80:90/x", false},
    {"[[\"a.example\"]]", "https://a.example?@evil", false},
    {"[[\"a.example\"]]", "https:///a.example", false},
};

Test(hosts, only_those_that_every_list_has_are_reached)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        json_t *hosts = rows[i].hosts ? json_loads(rows[i].hosts, 0, NULL) : NULL;

        cr_expect_eq(hosts_allow_url(hosts, rows[i].url), rows[i].allowed, "%s of %s", rows[i].url,
                     rows[i].hosts ? rows[i].hosts : "all");
        json_decref(hosts);
    }
}
