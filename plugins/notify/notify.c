/* notify - ostler/notify@v1: says how a job went, to people and machines. One job of a phase, in order: facts, message,
 * targets, is it to be said at all, say it to each, outputs. */
#include "mail.h"
#include "memory.h"
#include "target.h"
#include "template.h"
#include "webhook.h"
#include "write.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char standard_title[] =
    "{{ status.icon }} {{ repository }}: {{ workflow }} {{ status.words }}";
static const char standard_message[] =
    "{{ status.icon }} **{{ workflow }}** {{ status.words }} in {{ repository }}\n"
    "{{#failed.step}}\nFailed step: `{{ failed.step }}`\n{{/failed.step}}"
    "{{#needs}}\n{{ need.name }}: {{ need.result }}\n{{/needs}}"
    "{{ branch }} at [{{ commit.short }}]({{ commit.url }}) by {{ actor }}"
    "{{#duration}}, {{ duration }}{{/duration}}\n"
    "[Run {{ run.number }}]({{ run.url }})";

static const char *const whens[] = {"always", "success", "failure", "change", NULL};
static const char *const ats[] = {"now", "end", NULL};
static const char *const formats[] = {"markdown", "plain", NULL};
static const char *const lengths[] = {"split", "cut", NULL};
static const char *const markups[] = {"HTML", "MarkdownV2", NULL};
static const char *const tlss[] = {"starttls", "tls", "none", NULL};

static const struct ost_input inputs[] = {
    {.name = "message",
     .description =
         "What to say, with {{ names }} of facts; default: the result, where and by whom"},
    {.name = "title", .description = "A mail's subject and a webhook's title; likewise"},
    {.name = "format",
     .type = OST_CHOICE,
     .fallback = "markdown",
     .choices = formats,
     .description = "How the message is written: a little Markdown, shown by each target in its "
                    "own way, or plain text"},
    {.name = "when",
     .type = OST_CHOICE,
     .fallback = "always",
     .choices = whens,
     .description = "Say it always, only after a success or a failure of this job and those it "
                    "needs, or only if the result is another one than last time on this ref"},
    {.name = "at",
     .type = OST_CHOICE,
     .fallback = "now",
     .choices = ats,
     .description = "Now, or at the end of the job, when its result is known"},
    {.name = "every",
     .description = "Say the same again only after that time: 30m, 12h, 7d; default: always"},
    {.name = "fail-on-error",
     .type = OST_BOOL,
     .fallback = "false",
     .description = "Fail when a target could not be told; else that is a warning"},
    {.name = "too-long",
     .type = OST_CHOICE,
     .fallback = "split",
     .choices = lengths,
     .description = "What is longer than a target takes is sent in parts, or cut"},
    {.name = "timeout",
     .type = OST_INT,
     .fallback = "30",
     .description = "Seconds for one try of one request"},
    {.name = "telegram-token", .flags = OST_SECRET, .description = "The bot's token"},
    {.name = "telegram-chat",
     .type = OST_LIST,
     .description = "Chats: -1001234567890 or @channel, one a line"},
    {.name = "telegram-thread", .description = "The topic's number, in a chat with topics"},
    {.name = "telegram-markup",
     .type = OST_CHOICE,
     .fallback = "HTML",
     .choices = markups,
     .description = "Which of Telegram's two markups is spoken; people see no difference"},
    {.name = "telegram-silent",
     .type = OST_BOOL,
     .fallback = "false",
     .description = "Without a sound"},
    {.name = "telegram-api",
     .fallback = "https://api.telegram.org",
     .description = "A Bot API server of your own"},
    {.name = "slack-webhook",
     .type = OST_LIST,
     .flags = OST_SECRET,
     .description = "Addresses of incoming webhooks, one a line"},
    {.name = "slack-token", .flags = OST_SECRET, .description = "A bot's token, with chat:write"},
    {.name = "slack-channel",
     .type = OST_LIST,
     .description = "Channels for slack-token: #name or C0123456789, one a line"},
    {.name = "slack-thread", .description = "With slack-token: the message to answer to"},
    {.name = "slack-api", .fallback = "https://slack.com/api", .description = "Slack's own"},
    {.name = "discord-webhook",
     .type = OST_LIST,
     .flags = OST_SECRET,
     .description = "Addresses of webhooks, one a line"},
    {.name = "discord-thread", .description = "The thread's number"},
    {.name = "mattermost-webhook",
     .type = OST_LIST,
     .flags = OST_SECRET,
     .description = "Addresses of incoming webhooks, one a line"},
    {.name = "mattermost-channel", .description = "Another channel than the webhook's own"},
    {.name = "webhook-url",
     .type = OST_LIST,
     .flags = OST_SECRET,
     .description = "Addresses that JSON is posted to, one a line"},
    {.name = "webhook-body", .description = "The JSON, with {{ names }} of facts within quotes"},
    {.name = "webhook-headers",
     .type = OST_LIST,
     .flags = OST_SECRET,
     .description = "More headers, \"Name: value\", one a line"},
    {.name = "webhook-secret",
     .flags = OST_SECRET,
     .description = "Signs the body with HMAC-SHA256, as GitHub signs its webhooks"},
    {.name = "webhook-signature",
     .fallback = "X-Hub-Signature-256",
     .description = "The header that the signature is in"},
    {.name = "mail-to", .type = OST_LIST, .description = "Addresses, one a line"},
    {.name = "mail-from", .description = "ci@example.com, or The CI <ci@example.com>"},
    {.name = "mail-server", .description = "The SMTP server: host or host:port"},
    {.name = "mail-tls",
     .type = OST_CHOICE,
     .fallback = "starttls",
     .choices = tlss,
     .description = "STARTTLS (port 587), TLS from the start (465), or none, without a password"},
    {.name = "mail-user", .description = "The user to log in as; default: do not log in"},
    {.name = "mail-password", .flags = OST_SECRET, .description = "Its password"},
    {.name = "mail-ca",
     .description = "A file of certificates (PEM) to trust instead of the system's"},
};

static const struct ost_output outputs[] = {
    {"sent", "How many targets were told"},
    {"failed", "How many could not be told"},
    {"message-id", "The message's id of each target that gives one, one a line"},
    {"skipped", "Why nothing was said: when, every; else empty"},
};

struct notify {
    struct ost_step *step;
    struct facts facts;
    struct notice notice;
    int64_t every_s;   /* 0: always */
    const char *again; /* memory's key for 'every' */
    const char *last;  /* and for 'when: change' */
};

static const char *input(const struct notify *y, const char *name)
{
    return y->step->host->input(y->step, name);
}

static bool is_set(const struct notify *y, const char *name, const char *value)
{
    return strcmp(input(y, name), value) == 0;
}

/* ---- what to say ---- */

static ost_status read_every(struct notify *y)
{
    static const struct {
        const char *unit;
        int64_t s;
    } units[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    struct span s = span_of(input(y, "every"));
    uint32_t n;

    if (s.size == 0)
        return OST_OK;
    if (span_eat_number(&s, &n))
        for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
            if (span_is(s, units[i].unit)) {
                y->every_s = n * units[i].s;
                return OST_OK;
            }
    return ost_fail(y->step, OST_E_INVALID, "'every' is '%s'; it is a time such as 30m, 12h or 7d",
                    input(y, "every"));
}

static const char *with_standard(const struct notify *y, const char *name, const char *standard)
{
    const char *given = input(y, name);

    return *given ? facts_masked(&y->facts, given) : standard;
}

static ost_status wrong_template(const struct notify *y, const char *name, const char *why)
{
    return ost_fail(y->step, OST_E_INVALID, "'%s' cannot be used: %s", name, why);
}

static ost_status read_texts(struct notify *y)
{
    struct notice *n = &y->notice;
    struct sink plain = {.step = y->step};
    struct span body;
    const char *why;

    n->title = template_text(&y->facts, with_standard(y, "title", standard_title), true, &why);
    if (why)
        return wrong_template(y, "title", why);
    why = template_render(&y->facts, with_standard(y, "message", standard_message),
                          is_set(y, "format", "markdown"), &n->message);
    if (why)
        return wrong_template(y, "message", why);
    if (n->message.n == 0)
        return wrong_template(y, "message", "it is empty");
    write_plain(&n->message, &plain);
    y->facts.title = n->title;
    y->facts.message = sink_text(&plain);
    why = webhook_body(&y->facts, input(y, "webhook-body"), &body);
    return why ? wrong_template(y, "webhook-body", why) : OST_OK;
}

static ost_status read_timeout(struct notify *y)
{
    enum { TIMEOUT_MAX_S = 600 };
    int64_t s =
        strtoll(input(y, "timeout"), NULL, 10); /* the host has checked that it is a number */

    if (s < 1 || s > TIMEOUT_MAX_S)
        return ost_fail(y->step, OST_E_INVALID, "'timeout' is from 1 to %d seconds", TIMEOUT_MAX_S);
    y->notice.timeout_ms = s * 1000;
    return OST_OK;
}

/* The same message is the same text below `message:`, not the same letters: run numbers and times in it differ each
 * time. */
static void name_memories(struct notify *y)
{
    struct strings s = {0};

    for (const char *const *name = OST_ARGV("repository", "workflow", "job", "ref"); *name; name++)
        strings_add(y->step, &s, facts_get(&y->facts, *name));
    strings_add(y->step, &s, input(y, "message"));
    strings_add(y->step, &s, input(y, "title"));
    for (size_t i = 0; i < y->notice.n_targets; i++)
        strings_add(y->step, &s, y->notice.targets[i].label);
    y->last = memory_key(y->step, "last", strings_list(&s));
    strings_add(y->step, &s, result_name(y->facts.status));
    y->again = memory_key(y->step, "said", strings_list(&s));
}

static ost_status notify_begin(struct notify *y, struct ost_step *step)
{
    ost_status r;

    *y = (struct notify){.step = step};
    y->notice =
        (struct notice){.step = step, .facts = &y->facts, .cut = is_set(y, "too-long", "cut")};
    r = targets_read(&y->notice); /* its secrets first */
    facts_load(&y->facts, step);
    if (r == OST_OK)
        r = read_every(y);
    if (r == OST_OK)
        r = read_timeout(y);
    if (r == OST_OK && is_set(y, "mail-tls", "none") && *input(y, "mail-password"))
        r = ost_fail(step, OST_E_INVALID,
                     "'mail-tls: none' would send 'mail-password' for all to read; use starttls "
                     "or tls");
    if (r == OST_OK)
        r = read_texts(y);
    name_memories(y);
    return r;
}

/* ---- whether to say it ---- */

static ost_status asks_for_change(struct notify *y, bool *ret)
{
    const char *last, *now = result_name(y->facts.status);
    ost_status r = memory_recall(y->step, y->last, &last);

    if (r < 0)
        return r;
    *ret = !last || strcmp(last, now) != 0;
    return *ret ? memory_keep(y->step, y->last, now) : OST_OK;
}

static ost_status was_said(struct notify *y, bool *ret)
{
    const char *last;
    ost_status r = memory_recall(y->step, y->again, &last);

    *ret = r == OST_OK && last && time(NULL) - strtoll(last, NULL, 10) < y->every_s;
    return r;
}

/* *RET_WHY NULL: it is. */
static ost_status is_wanted(struct notify *y, const char **ret_why)
{
    enum result now = y->facts.status;
    bool yes = true;
    ost_status r = OST_OK;

    *ret_why = NULL;
    if (is_set(y, "when", "success"))
        yes = now == RESULT_SUCCESS;
    else if (is_set(y, "when", "failure"))
        yes = now == RESULT_FAILURE;
    else if (is_set(y, "when", "change"))
        r = asks_for_change(y, &yes);
    if (!yes)
        *ret_why = "when";
    if (r == OST_OK && yes && y->every_s > 0) {
        r = was_said(y, &yes);
        if (yes)
            *ret_why = "every";
    }
    return r;
}

/* ---- saying it ---- */

struct told {
    size_t sent, failed;
    struct sink ids;
};

static ost_status tell(struct notify *y, const struct target *t, struct told *told)
{
    const char *id = NULL, *why = "";
    ost_status r = t->send(&y->notice, t, &id, &why);

    if (r == OST_E_CANCELLED)
        return r;
    if (r < 0) {
        told->failed++;
        ost_log(y->step, ost_input_bool(y->step, "fail-on-error") ? OST_ERROR : OST_WARNING,
                "%s could not be told: %s", t->label, notice_hush(&y->notice, why));
        return OST_OK;
    }
    told->sent++;
    ost_log(y->step, OST_INFO, "%s has been told%s%s", t->label, id ? ": message " : "",
            id ? id : "");
    if (id)
        sink_addf(&told->ids, "%s%s", told->ids.size ? "\n" : "", id);
    return OST_OK;
}

static ost_status put_outputs(struct notify *y, const struct told *told, const char *skipped)
{
    const struct ost_host *host = y->step->host;
    ost_status r = host->output(y->step, "sent", ost_fmt(y->step, "%zu", told->sent));

    if (r == OST_OK)
        r = host->output(y->step, "failed", ost_fmt(y->step, "%zu", told->failed));
    if (r == OST_OK)
        r = host->output(y->step, "message-id", sink_text(&told->ids));
    return r == OST_OK ? host->output(y->step, "skipped", skipped) : r;
}

static ost_status tell_all(struct notify *y)
{
    struct told told = {.ids = {.step = y->step}};
    ost_status r = OST_OK;

    for (size_t i = 0; i < y->notice.n_targets && r == OST_OK; i++)
        r = tell(y, &y->notice.targets[i], &told);
    if (r == OST_OK && told.sent > 0 && y->every_s > 0)
        r = memory_keep(y->step, y->again, ost_fmt(y->step, "%lld", (long long)time(NULL)));
    if (r == OST_OK)
        r = put_outputs(y, &told, "");
    if (r == OST_OK && told.failed > 0 && ost_input_bool(y->step, "fail-on-error"))
        return ost_fail(y->step, OST_E_FAILED, "%zu of %zu targets could not be told", told.failed,
                        y->notice.n_targets);
    return r;
}

static ost_status say(struct notify *y)
{
    const struct told nobody = {.ids = {.step = y->step}};
    const char *why_not;
    ost_status r = is_wanted(y, &why_not);

    if (r < 0)
        return r;
    if (!why_not)
        return tell_all(y);
    ost_log(y->step, OST_INFO, "nothing to say: %s",
            strcmp(why_not, "every") == 0
                ? ost_fmt(y->step, "it was said less than %s ago", input(y, "every"))
                : ost_fmt(y->step, "the result is %s, and 'when' is %s",
                          result_name(y->facts.status), input(y, "when")));
    return put_outputs(y, &nobody, why_not);
}

/* ---- phases ---- */

static ost_status notify_plan(struct ost_step *step)
{
    struct notify y;
    ost_status r = notify_begin(&y, step);

    for (size_t i = 0; i < y.notice.n_targets && r == OST_OK; i++)
        r = step->host->plan(step, is_set(&y, "at", "end") ? "tell at the end" : "tell",
                             y.notice.targets[i].label,
                             ost_fmt(step, "(when: %s) %s", input(&y, "when"), y.facts.message));
    return r;
}

/* Only looks at the clock: nothing that the inputs are made of needs to be there yet. */
static ost_status notify_pre(struct ost_step *step)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return step->host->save(
        step, "started",
        ost_fmt(step, "%lld", (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000));
}

/* What is wrong with a message for the end is said now, while it can be seen which step is to blame. */
static ost_status notify_main(struct ost_step *step)
{
    struct notify y;
    ost_status r = notify_begin(&y, step);

    if (r < 0)
        return r;
    if (!is_set(&y, "at", "end"))
        return say(&y);
    ost_log(step, OST_INFO, "%zu %s will be told at the end of the job", y.notice.n_targets,
            y.notice.n_targets == 1 ? "target" : "targets");
    return step->host->save(step, "later", "yes");
}

/* A step that an earlier failure has skipped speaks at the end all the same: that is what it is for. One that its own
 * `if` has skipped does not, as far as the two can be told apart: by how the job went. */
static ost_status notify_post(struct ost_step *step)
{
    struct notify y;
    const char *status = step->host->context(step, "job.status");
    ost_status r;

    if (strcmp(step->host->input(step, "at"), "end") != 0)
        return OST_OK;
    if (!step->host->saved(step, "later") && (!status || strcmp(status, "success") == 0))
        return OST_OK;
    r = notify_begin(&y, step);
    return r == OST_OK ? say(&y) : r;
}

OST_PLUGIN(.id = "ostler/notify", .version = "1.0.0", .title = "Notify",
           .description = "Tells people and machines how a job went", .author = "Ostler",
           OST_INPUTS(inputs), OST_OUTPUTS(outputs), .needs = OST_NEED_NETWORK, .plan = notify_plan,
           .pre = notify_pre, .main = notify_main, .post = notify_post);
