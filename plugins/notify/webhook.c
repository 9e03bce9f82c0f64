/* A webhook of anybody's: JSON, signed as GitHub signs its own, so that what checks those checks these:
 * https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries */
#include "deliver.h"
#include "target.h"
#include "template.h"
#include "webhook.h"
#include "write.h"

#include <openssl/hmac.h>
#include <string.h>

static const char standard[] =
    "{\"status\":\"{{ status }}\",\"title\":\"{{ title }}\",\"text\":\"{{ message }}\","
    "\"repository\":\"{{ repository }}\",\"workflow\":\"{{ workflow }}\",\"job\":\"{{ job }}\","
    "\"ref\":\"{{ ref }}\",\"commit\":\"{{ commit }}\",\"actor\":\"{{ actor }}\","
    "\"event\":\"{{ event }}\",\"run_id\":\"{{ run.id }}\",\"run_url\":\"{{ run.url }}\","
    "\"duration\":\"{{ duration }}\",\"failed_step\":\"{{ failed.step }}\"}";

/* The template with its values written as parts of JSON texts. */
const char *webhook_body(const struct facts *facts, const char *text, struct span *ret)
{
    struct ost_step *step = facts->step;
    struct sink k = {.step = step};
    struct rich r;
    const char *why = template_render(facts, *text ? text : standard, false, &r);

    if (why)
        return why;
    for (size_t i = 0; i < r.n; i++)
        if (r.runs[i].style & RICH_VALUE)
            put_json(&k, r.runs[i].text);
        else
            sink_add(&k, r.runs[i].text);
    *ret = (struct span){sink_text(&k), k.size};
    if (json_of(step, sink_text(&k), &why))
        return NULL;
    return ost_fmt(
        step, "it makes no JSON: %s; values are written for within quotes: \"{{ status }}\"", why);
}

const char *webhook_signature(struct ost_step *step, const char *secret, struct span body)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    struct sink k = {.step = step};

    if (!HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)body.at, body.size,
              sum, &size))
        return NULL;
    sink_add(&k, SPAN("sha256="));
    for (unsigned i = 0; i < size; i++)
        sink_addf(&k, "%02x", sum[i]);
    return sink_text(&k);
}

ost_status send_webhook(const struct notice *n, const struct target *t, const char **ret_id,
                        const char **ret_why)
{
    struct ost_step *step = n->step;
    const char *secret = step->host->input(step, "webhook-secret");
    const char *const *more;
    size_t n_more = step->host->input_list(step, "webhook-headers", &more);
    struct strings headers = {0};
    struct span body;
    struct answer a;
    ost_status r;

    (void)ret_id; /* whoever answers, answers as he likes */
    *ret_why = webhook_body(n->facts, step->host->input(step, "webhook-body"), &body);
    if (*ret_why)
        return OST_E_INVALID;
    strings_add(step, &headers, "Content-Type: application/json");
    if (*secret)
        strings_add(step, &headers,
                    ost_fmt(step, "%s: %s", step->host->input(step, "webhook-signature"),
                            webhook_signature(step, secret, body)));
    for (size_t i = 0; i < n_more; i++)
        strings_add(step, &headers, more[i]);
    r = deliver(step,
                &(struct post){.url = t->url,
                               .headers = strings_list(&headers),
                               .body = body,
                               .timeout_ms = n->timeout_ms},
                &a, ret_why);
    if (r == OST_OK && (a.status < 200 || a.status > 299)) {
        *ret_why = answer_text(step, &a, a.body);
        r = OST_E_FAILED;
    }
    return r;
}
