#include "access.h"
#include "script.h"

#include <string.h>
#include <sys/random.h>

enum {
    DIR_MAX = 60
}; /* the socket's path, with what ssh adds to it, has to stay below 108 bytes */

/* ssh asks this for the keys of a host, with the fingerprint (%f) of the one that it was shown. One that is not
 * pinned is noted, for the error. Needs OpenSSH 8.5. */
static const char pin_script[] =
    "case \" $pins \" in\n"
    "*\" $2 \"*) [ \"$2\" = NONE ] || printf '%s %s %s\\n' \"$3\" \"$4\" \"$5\" ;;\n"
    "*) [ \"$1\" = ORDER ] || printf '%s (%s)\\n' \"$2\" \"$4\" >\"$offered\" ;;\n"
    "esac\n";

/* Asked with a question that has the key's path in it. */
static const char askpass_script[] = "case $1 in\n"
                                     "*/jump.key*) exec cat \"$dir/jump.pass\" ;;\n"
                                     "*) exec cat \"$dir/self.pass\" ;;\n"
                                     "esac\n";

static void put_file(struct sink *k, const char *name, const char *text)
{
    sink_add(k, SPAN("printf '%s\\n' "));
    script_quote(k, text);
    sink_addf(k, " >%s\n", name);
}

/* What a person pastes has other ends of lines now and then, and ssh reads no key with those. */
static const char *unix_lines(struct ost_step *step, const char *text)
{
    struct sink k = {.step = step};
    struct span rest = span_of(text), line;

    while (span_line(&rest, &line)) {
        sink_add(&k, line);
        sink_add(&k, SPAN("\n"));
    }
    return sink_text(&k);
}

static void put_identity(struct sink *k, const struct access *a, const struct identity *i,
                         const char *who)
{
    struct sink pins = {.step = a->step};

    if (*i->key)
        put_file(k, ost_fmt(a->step, "%s.key", who), unix_lines(a->step, i->key));
    if (*i->passphrase)
        put_file(k, ost_fmt(a->step, "%s.pass", who), i->passphrase);
    for (const char *const *pin = i->pins; *pin; pin++)
        sink_addf(&pins, "%s ", *pin);
    if (*i->pins)
        put_file(k, ost_fmt(a->step, "%s.pin", who),
                 ost_fmt(a->step, "pins='%s'\noffered='%s/offered'\n%s", sink_text(&pins), a->dir,
                         pin_script));
}

static void add_host(struct sink *k, const struct access *a, const struct settings *s,
                     const struct server *server, const struct identity *i, const char *who,
                     const char *alias)
{
    sink_addf(k, "Host %s\n HostName %s\n Port %u\n", alias, server->name, server->port);
    if (*server->user)
        sink_addf(k, " User %s\n", server->user);
    if (*i->key)
        sink_addf(k, " IdentityFile %s/%s.key\n IdentitiesOnly yes\n IdentityAgent none\n", a->dir,
                  who);
    if (*i->pins)
        sink_addf(k, " KnownHostsCommand /bin/sh %s/%s.pin %%I %%f %%H %%t %%K\n", a->dir, who);
    if (server != s->jump_server)
        sink_addf(k, " ControlPath %s/%s\n%s", a->dir, alias,
                  s->jump_server ? " ProxyJump jump\n" : "");
    /* BatchMode would keep ssh from asking for the passphrase; all else that it could ask for is off. */
    if (!*i->passphrase)
        sink_add(k, SPAN(" BatchMode yes\n"));
}

static const char *make_config(const struct access *a, const struct settings *s)
{
    struct sink k = {.step = a->step};

    for (size_t i = 0; i < s->n_servers; i++)
        add_host(&k, a, s, &s->servers[i], &s->self, "self", ost_fmt(a->step, "h%zu", i + 1));
    if (s->jump_server)
        add_host(&k, a, s, s->jump_server, &s->jump, "jump", "jump");
    sink_addf(&k,
              "Host *\n"
              " StrictHostKeyChecking yes\n"
              " UserKnownHostsFile %s/known\n"
              " GlobalKnownHostsFile /dev/null\n"
              " CheckHostIP no\n"
              " UpdateHostKeys no\n"
              " VerifyHostKeyDNS no\n"
              " PreferredAuthentications publickey\n"
              " PasswordAuthentication no\n"
              " KbdInteractiveAuthentication no\n"
              " NumberOfPasswordPrompts 1\n"
              " LogLevel ERROR\n" /* no banners */
              " ForwardAgent no\n"
              " ForwardX11 no\n"
              " RequestTTY no\n"
              " ConnectTimeout %lld\n"
              " ServerAliveInterval 15\n"
              " ServerAliveCountMax 4\n",
              a->dir, (long long)((s->connect_ms + 999) / 1000));
    return sink_text(&k);
}

/* A name that nobody has guessed; in the temporary folder, if ssh can do with that. */
static const char *make_name(struct ost_step *step)
{
    const char *temp = step->host->dir(step, OST_DIR_TEMP), *c = temp ? temp : "";
    uint64_t chance = 0;

    while (*c && ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                  (*c >= '0' && *c <= '9') || strchr("/._-", *c)))
        c++;
    if (*c || c == temp || c - temp > DIR_MAX)
        temp = "/tmp";
    (void)!getrandom(&chance, sizeof chance, 0); /* mkdir refuses a name that is taken */
    return ost_fmt(step, "%s/ossh.%016llx", temp, (unsigned long long)chance);
}

static ost_status shell(struct ost_step *step, const char *script, int32_t *ret_code)
{
    struct ost_exec_result res = OST_RESULT;
    ost_status r = ost_exec(step, &res, .flags = OST_EXEC_QUIET, .argv = OST_ARGV("sh", "-s"),
                            .input = script, .input_size = strlen(script));

    *ret_code = res.exit_code;
    return r;
}

static const char *const *make_env(const struct access *a)
{
    struct strings env = {0};

    strings_add(a->step, &env, ost_fmt(a->step, "SSH_ASKPASS=%s/askpass", a->dir));
    strings_add(a->step, &env, "SSH_ASKPASS_REQUIRE=force");
    strings_add(a->step, &env, "DISPLAY=:"); /* OpenSSH before 8.4 asks nobody without one */
    strings_add(a->step, &env, "LC_ALL=C");  /* its errors are read */
    return strings_list(&env);
}

ost_status access_make(struct ost_step *step, const struct settings *s, struct access *ret)
{
    struct sink k = {.step = step};
    int32_t code;

    *ret = (struct access){.step = step, .dir = make_name(step)};
    ret->config = ost_fmt(step, "%s/config", ret->dir);
    ret->env = make_env(ret);
    ret->pinned = *s->self.pins || *s->jump.pins;
    sink_addf(&k, "{\nset -e\numask 077\nmkdir %s\ncd %s\n", ret->dir, ret->dir);
    put_file(&k, "known", unix_lines(step, s->known_hosts));
    put_identity(&k, ret, &s->self, "self");
    if (s->jump_server)
        put_identity(&k, ret, &s->jump, "jump");
    put_file(&k, "config", make_config(ret, s));
    put_file(&k, "askpass", ost_fmt(step, "#!/bin/sh\ndir=%s\n%s", ret->dir, askpass_script));
    sink_add(&k, SPAN("chmod 700 askpass\n}\n"));

    ost_status r = step->host->save(step, "folder", ret->dir);
    if (r == OST_OK)
        r = shell(step, sink_text(&k), &code);
    if (r == OST_E_CANCELLED)
        return r;
    if (r < 0)
        return ost_fail(step, r, "cannot make '%s' for the keys: %s", ret->dir,
                        step->host->last_error(step));
    if (code != 0)
        return ost_fail(step, OST_E_IO, "cannot make '%s' for the keys: is the disk full?",
                        ret->dir);
    return OST_OK;
}

void access_remove(struct ost_step *step, const char *dir)
{
    int32_t code = 0;

    if (!dir || !*dir)
        return;
    /* It is our own name, as it was saved; a person's folder would not be called so. */
    ost_status r = strncmp(rel_name(dir), "ossh.", 5) == 0
                       ? shell(step, ost_fmt(step, "rm -rf %s\n", dir), &code)
                       : OST_E_INVALID;
    if (r == OST_E_CANCELLED) /* the post phase does it */
        return;
    if (r < 0 || code != 0)
        ost_log(step, OST_WARNING,
                "cannot remove '%s', which has the keys in it: remove it by hand", dir);
    else
        (void)step->host->save(step, "folder",
                               ""); /* else the post phase looks once more, in vain */
}

const char *access_offered(const struct access *a)
{
    size_t size = 0;
    const char *text =
        a->pinned ? file_read(a->step, ost_fmt(a->step, "%s/offered", a->dir), 4096, &size) : NULL;

    return text ? span_dup(a->step, span_trim((struct span){text, size})) : "";
}
