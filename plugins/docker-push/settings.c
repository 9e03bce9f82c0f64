#include "settings.h"

#include "../lib/image_tags.h"
#include "reference.h"

#include <stdlib.h>
#include <string.h>

enum { PARALLEL_MAX = 16, CHUNK_MAX_MIB = 1024, GZIP_LEVEL_MAX = 9, ZSTD_LEVEL_MAX = 22 };

static const char *input(struct ost_step *step, const char *name)
{
    return step->host->input(step, name);
}

static const char *const *list(struct ost_step *step, const char *name)
{
    static const char *const none[] = {NULL};
    const char *const *items;
    struct strings all = {0};
    size_t n = step->host->input_list(step, name, &items);

    for (size_t i = 0; i < n; i++)
        strings_add(step, &all, items[i]);
    return n ? strings_list(&all) : none;
}

/* The host has checked that it is a number. */
static ost_status number(struct ost_step *step, const char *name, int64_t low, int64_t high,
                         int64_t *ret)
{
    int64_t n = strtoll(input(step, name), NULL, 10);

    if (n < low || n > high)
        return ost_fail(step, OST_E_INVALID, "'%s' is %s; it may be %lld to %lld", name,
                        input(step, name), (long long)low, (long long)high);
    *ret = n;
    return OST_OK;
}

/* ---- where to ---- */

static bool has(const struct strings *list, const char *text)
{
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->list[i], text) == 0)
            return true;
    return false;
}

struct places { /* repositories in the order given, each with its tags */
    struct ost_step *step;
    struct target *first, **tail;
};

static void add(struct places *p, const struct reference *r, const char *const *tags)
{
    struct target *t = p->first;
    struct strings all = {0};

    while (t && (strcmp(t->host, r->host) != 0 || strcmp(t->name, r->name) != 0))
        t = t->next;
    if (!t) {
        t = p->step->host->alloc(p->step, sizeof *t);
        *t = (struct target){.host = r->host, .name = r->name, .tags = strings_list(&all)};
        *p->tail = t;
        p->tail = &t->next;
    }
    for (size_t i = 0; t->tags[i]; i++)
        strings_add(p->step, &all, t->tags[i]);
    if (r->tag && !has(&all, r->tag))
        strings_add(p->step, &all, r->tag);
    for (size_t i = 0; tags[i]; i++)
        if (!has(&all, tags[i]))
            strings_add(p->step, &all, tags[i]);
    t->tags = strings_list(&all);
}

static ost_status parse(struct ost_step *step, const char *name, const char *text,
                        struct reference *ret)
{
    const char *wrong = reference_parse(step, text, ret);

    if (wrong)
        return ost_fail(step, OST_E_INVALID, "'%s' under '%s' is no name of an image: %s", text,
                        name, wrong);
    if (ret->digest)
        return ost_fail(step, OST_E_INVALID,
                        "'%s' under '%s' has a digest; what is pushed gets the digest that it has",
                        text, name);
    return OST_OK;
}

/* Items with a slash are whole references, as docker/build-push-action has them; others are rules for tags. */
static ost_status read_tags(struct places *p, struct strings *rules)
{
    static const char *const none[] = {NULL};
    const char *const *items = list(p->step, "tags");
    ost_status r = OST_OK;

    for (size_t i = 0; items[i] && r == OST_OK; i++) {
        struct reference ref;

        if (!strchr(items[i], '/')) {
            strings_add(p->step, rules, items[i]);
            continue;
        }
        r = parse(p->step, "tags", items[i], &ref);
        if (r == OST_OK && !ref.tag)
            ref.tag = "latest";
        if (r == OST_OK)
            add(p, &ref, none);
    }
    return r;
}

static ost_status read_targets(struct ost_step *step, struct target **ret)
{
    struct places p = {.step = step, .tail = &p.first};
    struct strings rules = {0}, tags = {0};
    const char *const *images = list(step, "image");
    struct image_facts facts = image_facts_get(step);
    ost_status r = read_tags(&p, &rules);

    if (r == OST_OK)
        r = image_tags(step, strings_list(&rules), &facts, &tags);
    for (size_t i = 0; images[i] && r == OST_OK; i++) {
        struct reference ref;

        r = parse(step, "image", images[i], &ref);
        if (r == OST_OK && rules.n > 0 && tags.n == 0 && !ref.tag)
            return ost_fail(step, OST_E_INVALID,
                            "the rules under 'tags' give no tag for '%s'; add one that does, such "
                            "as 'sha' or 'branch', or do not run this step here",
                            facts.ref);
        if (r == OST_OK && rules.n == 0 && !ref.tag)
            ref.tag = "latest";
        if (r == OST_OK)
            add(&p, &ref, strings_list(&tags));
    }
    if (r == OST_OK && rules.n > 0 && !images[0])
        return ost_fail(step, OST_E_INVALID,
                        "'tags' has tags, but nothing says of which image: add 'image', such as "
                        "ghcr.io/owner/app");
    if (r == OST_OK && !p.first)
        return ost_fail(step, OST_E_INVALID,
                        "nothing says where to push to: give 'image', such as ghcr.io/owner/app");
    *ret = p.first;
    return r;
}

static ost_status read_mounts(struct ost_step *step, const char *const **ret)
{
    const char *const *items = list(step, "mount-from");
    struct strings names = {0};
    ost_status r = OST_OK;

    for (size_t i = 0; items[i] && r == OST_OK; i++) {
        struct reference ref;

        r = parse(step, "mount-from", items[i], &ref);
        if (r == OST_OK) /* a bare "base" is a repository of the registry, not of Docker Hub */
            strings_add(step, &names, strchr(items[i], '/') ? ref.name : items[i]);
    }
    *ret = strings_list(&names);
    return r;
}

/* ---- who we are ---- */

static ost_status read_login(struct ost_step *step, const struct target *targets,
                             struct login_spec *ret)
{
    const struct target *other = targets;

    *ret = (struct login_spec){.registry = input(step, "registry"),
                               .user = input(step, "username"),
                               .password = input(step, "password")};
    if (!*ret->user != !*ret->password)
        return ost_fail(step, OST_E_INVALID, "'%s' is given without '%s'",
                        *ret->user ? "username" : "password", *ret->user ? "password" : "username");
    if (!*ret->user || *ret->registry)
        return OST_OK;
    while (other && strcmp(other->host, targets->host) == 0)
        other = other->next;
    if (other)
        return ost_fail(step, OST_E_INVALID,
                        "'username' and 'password' are for one registry, and there are '%s' and "
                        "'%s': say which with 'registry', and log in to others in an earlier step",
                        targets->host, other->host);
    ret->registry = targets->host;
    return OST_OK;
}

/* ---- how ---- */

static void read_shape(struct ost_step *step, struct shape *ret)
{
    const char *format = input(step, "format"), *packing = input(step, "compression");

    ret->format = strcmp(format, "oci") == 0      ? FORMAT_OCI
                  : strcmp(format, "docker") == 0 ? FORMAT_DOCKER
                                                  : FORMAT_SOURCE;
    ret->packing = strcmp(packing, "zstd") == 0   ? PACKING_ZSTD
                   : strcmp(packing, "none") == 0 ? PACKING_NONE
                                                  : PACKING_GZIP;
    ret->platforms = list(step, "platforms");
}

static ost_status read_numbers(struct ost_step *step, const struct shape *shape, struct push *p)
{
    int64_t level = 0, chunk = 0, parallel = 0;
    ost_status r =
        number(step, "level", 0,
               shape->packing == PACKING_ZSTD ? (int64_t)ZSTD_LEVEL_MAX : GZIP_LEVEL_MAX, &level);

    if (r == OST_OK)
        r = number(step, "chunk-size", 0, CHUNK_MAX_MIB, &chunk);
    if (r == OST_OK)
        r = number(step, "parallel", 1, PARALLEL_MAX, &parallel);
    p->pack = (struct pack_spec){shape->packing, (int)level};
    p->chunk = chunk << 20;
    p->parallel = (unsigned)parallel;
    return r;
}

ost_status settings_read(struct ost_step *step, struct settings *ret)
{
    const char *workspace = step->host->dir(step, OST_DIR_WORKSPACE), *ca;
    ost_status r;

    *ret = (struct settings){.sources = list(step, "source"),
                             .engine = input(step, "engine"),
                             .dry_run = ost_input_bool(step, "dry-run")};
    ret->push = (struct push){.step = step,
                              .insecure = list(step, "insecure"),
                              .reuse = ost_input_bool(step, "reuse"),
                              .look = ret->dry_run};
    if (!ret->sources[0])
        return ost_fail(step, OST_E_INVALID,
                        "nothing says what to push: give 'source', such as app.tar or engine:app");
    ca = input(step, "ca-file");
    ret->push.ca_file = *ca ? rel_join(step, workspace ? workspace : ".", ca) : "";
    if (*ca && !file_exists(ret->push.ca_file))
        return ost_fail(step, OST_E_NOT_FOUND, "there is no file '%s' ('ca-file')", ca);
    read_shape(step, &ret->shape);
    r = read_numbers(step, &ret->shape, &ret->push);
    if (r == OST_OK)
        r = read_targets(step, &ret->push.targets);
    if (r == OST_OK)
        r = read_mounts(step, &ret->push.mount_from);
    if (r == OST_OK)
        r = read_login(step, ret->push.targets, &ret->push.login);
    return r;
}

ost_status settings_environment(struct ost_step *step, struct settings *s)
{
    struct ost_exec_result res = OST_RESULT;
    struct strings env = {0};
    ost_status r = ost_exec(step, &res, .flags = OST_EXEC_QUIET | OST_EXEC_CAPTURE,
                            .argv = OST_ARGV("env", "-0"));
    struct span rest, one;

    if (r == OST_E_CANCELLED)
        return r;
    if (r < 0 || res.exit_code != 0) /* a place without the program: there are no settings then */
        return OST_OK;
    rest = (struct span){res.out, res.out_size};
    while (span_eat_until(&rest, '\0', &one))
        strings_add(step, &env, span_dup(step, one));
    s->push.env = s->push.login.env = strings_list(&env);
    return OST_OK;
}
