#include "scan_shapes.h"

#include <string.h>

enum { ANY = 4096 };

#define ROW(id, title, level, prefix, alphabet, min, max)                                          \
    {                                                                                              \
        {id, title, SEVERITY_##level}, prefix, ALPHABET_##alphabet, min, max                       \
    }

/* Sorted by the first byte of the prefix, which is how they are found. Sources: the vendors' own pages on the formats
 * of their tokens. Keys for tests only are warnings. */
static const struct shape shapes[] = {
    ROW("aws-access-key-id", "an AWS access key id", ERROR, "ABIA", BASE32, 16, 16),
    ROW("aws-access-key-id", "an AWS access key id", ERROR, "ACCA", BASE32, 16, 16),
    ROW("age-secret-key", "an age secret key", ERROR, "AGE-SECRET-KEY-1", UPPER, 58, 58),
    ROW("aws-access-key-id", "an AWS access key id", ERROR, "AKIA", BASE32, 16, 16),
    ROW("aws-access-key-id", "an AWS access key id", ERROR, "ASIA", BASE32, 16, 16),
    ROW("atlassian-token", "an Atlassian token", ERROR, "ATATT3", BASE64, 100, ANY),
    ROW("azure-storage-key", "an Azure storage key", ERROR, "AccountKey=", BASE64, 86, 88),
    ROW("google-api-key", "a Google API key", ERROR, "AIza", URL, 35, 35),
    ROW("google-oauth-secret", "a Google OAuth secret", ERROR, "GOCSPX-", URL, 28, 28),
    ROW("gitlab-token", "a GitLab runner token", ERROR, "GR1348941", URL, 20, 20),
    ROW("sendgrid-key", "a SendGrid key", ERROR, "SG.", DOTTED, 66, 66),
    ROW("digitalocean-token", "a DigitalOcean token", ERROR, "dop_v1_", HEX, 64, 64),
    ROW("docker-token", "a Docker Hub token", ERROR, "dckr_pat_", URL, 27, 32),
    ROW("github-token", "a GitHub token", ERROR, "github_pat_", WORD, 82, 82),
    ROW("github-token", "a GitHub token", ERROR, "gho_", ALNUM, 36, 36),
    ROW("github-token", "a GitHub token", ERROR, "ghp_", ALNUM, 36, 36),
    ROW("github-token", "a GitHub token", ERROR, "ghr_", ALNUM, 36, 76),
    ROW("github-token", "a GitHub token", ERROR, "ghs_", ALNUM, 36, 36),
    ROW("github-token", "a GitHub token", ERROR, "ghu_", ALNUM, 36, 36),
    ROW("gitlab-token", "a GitLab trigger token", ERROR, "glptt-", HEX, 40, 40),
    ROW("gitlab-token", "a GitLab deploy token", ERROR, "gldt-", URL, 20, 64),
    ROW("gitlab-token", "a GitLab runner token", ERROR, "glrt-", DOTTED, 20, 64),
    ROW("gitlab-token", "a GitLab token", ERROR, "glpat-", DOTTED, 20, 64),
    ROW("grafana-token", "a Grafana token", ERROR, "glsa_", WORD, 41, 41),
    ROW("huggingface-token", "a Hugging Face token", ERROR, "hf_", ALNUM, 34, 40),
    ROW("discord-webhook", "a Discord webhook", ERROR, "https://discord.com/api/webhooks/", PATH,
        80, 100),
    ROW("slack-webhook", "a Slack webhook", ERROR, "https://hooks.slack.com/services/", PATH, 40,
        60),
    ROW("npm-token", "an npm token", ERROR, "npm_", ALNUM, 36, 36),
    ROW("pypi-token", "a PyPI token", ERROR, "pypi-AgEIcHlwaS5vcmc", URL, 50, ANY),
    ROW("stripe-key", "a Stripe key", ERROR, "rk_live_", ALNUM, 24, 247),
    ROW("stripe-test-key", "a Stripe test key", WARNING, "rk_test_", ALNUM, 24, 247),
    ROW("anthropic-key", "an Anthropic key", ERROR, "sk-ant-", URL, 80, 120),
    ROW("openai-key", "an OpenAI key", ERROR, "sk-proj-", URL, 40, 200),
    ROW("stripe-key", "a Stripe key", ERROR, "sk_live_", ALNUM, 24, 247),
    ROW("stripe-test-key", "a Stripe test key", WARNING, "sk_test_", ALNUM, 24, 247),
    ROW("shopify-token", "a Shopify token", ERROR, "shpat_", HEX, 32, 32),
    ROW("stripe-webhook-secret", "a Stripe webhook secret", ERROR, "whsec_", BASE64, 32, 64),
    ROW("slack-token", "a Slack app token", ERROR, "xapp-", URL, 40, 200),
    ROW("slack-token", "a Slack token", ERROR, "xoxa-", URL, 20, 255),
    ROW("slack-token", "a Slack bot token", ERROR, "xoxb-", URL, 20, 255),
    ROW("slack-token", "a Slack token", ERROR, "xoxe-", URL, 20, 255),
    ROW("slack-token", "a Slack user token", ERROR, "xoxp-", URL, 20, 255),
    ROW("slack-token", "a Slack refresh token", ERROR, "xoxr-", URL, 20, 255),
    ROW("slack-token", "a Slack workspace token", ERROR, "xoxs-", URL, 20, 255),
    ROW("google-access-token", "a Google access token", ERROR, "ya29.", URL, 30, ANY),
};

bool shape_allows(enum alphabet alphabet, char c)
{
    bool digit = c >= '0' && c <= '9', upper = c >= 'A' && c <= 'Z', lower = c >= 'a' && c <= 'z';
    bool alnum = digit || upper || lower;

    switch (alphabet) {
    case ALPHABET_ALNUM:
        return alnum;
    case ALPHABET_BASE32:
        return upper || (c >= '2' && c <= '7');
    case ALPHABET_HEX:
        return digit || (c >= 'a' && c <= 'f');
    case ALPHABET_UPPER:
        return digit || upper;
    case ALPHABET_WORD:
        return alnum || c == '_';
    case ALPHABET_URL:
        return alnum || c == '_' || c == '-';
    case ALPHABET_DOTTED:
        return alnum || c == '_' || c == '-' || c == '.';
    case ALPHABET_PATH:
        return alnum || c == '_' || c == '-' || c == '/';
    case ALPHABET_BASE64:
        return alnum || c == '+' || c == '/' || c == '=';
    }
    return false;
}

const struct shape *shapes_at(char c)
{
    for (size_t i = 0; i < OST_COUNT(shapes) && shapes[i].prefix[0] <= c; i++)
        if (shapes[i].prefix[0] == c)
            return &shapes[i];
    return NULL;
}

const struct shape *shapes_next(const struct shape *shape)
{
    const struct shape *next = shape + 1;

    return next < shapes + OST_COUNT(shapes) && next->prefix[0] == shape->prefix[0] ? next : NULL;
}

bool shapes_has(struct span id)
{
    for (size_t i = 0; i < OST_COUNT(shapes); i++)
        if (span_is(id, shapes[i].rule.id))
            return true;
    return false;
}
