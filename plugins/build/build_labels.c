#include "build_labels.h"

#include <string.h>
#include <time.h>

#define OCI "org.opencontainers.image."

static const char *context(struct ost_step *step, const char *name)
{
    const char *value = step->host->context(step, name);

    return value ? value : "";
}

/* Lower case, parts with slashes between; the first may be a host with a port. The engine knows the rest. */
static bool is_image_name(const char *image)
{
    const char *name = strchr(image, '/');

    name = name ? name : image;
    return *image && image[0] != '-' && !strpbrk(image, " \t@") && !strchr(name, ':') &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-/") == strlen(name);
}

ost_status labels_refs(struct ost_step *step, const char *image, const struct strings *tags,
                       struct strings *ret)
{
    if (!*image)
        return OST_OK;
    if (!is_image_name(image))
        return ost_fail(
            step, OST_E_INVALID,
            "'image: %s' is no name of an image: it is lower case and without a tag, like "
            "registry.example.com/team/app; tags come from 'tags'",
            image);
    for (size_t i = 0; i < tags->n; i++)
        strings_add(step, ret, ost_fmt(step, "%s:%s", image, tags->list[i]));
    return OST_OK;
}

/* The commit's own date where the event tells it: then the same commit says the same. */
static const char *created(struct ost_step *step)
{
    const char *committed = context(step, "github.event.head_commit.timestamp");
    char text[32];
    time_t now = time(NULL);
    struct tm tm;

    if (*committed)
        return committed;
    if (!gmtime_r(&now, &tm) || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        return "";
    return span_dup(step, span_of(text));
}

/* True if LABELS has one with the key of LABEL. */
static bool has_key(const char *const *labels, const char *label)
{
    size_t n = strcspn(label, "=") + 1;

    for (; *labels; labels++)
        if (strncmp(*labels, label, n) == 0)
            return true;
    return false;
}

static void add(struct ost_step *step, struct strings *to, const char *const *own, const char *key,
                const char *value)
{
    const char *label = ost_fmt(step, OCI "%s=%s", key, value);

    if (*value && !has_key(own, label))
        strings_add(step, to, label);
}

ost_status labels_make(struct ost_step *step, const char *tag, const char *const *own,
                       struct strings *ret)
{
    const char *repository = context(step, "github.repository");
    const char *url =
        *repository ? ost_fmt(step, "%s/%s", context(step, "github.server_url"), repository) : "";

    for (const char *const *label = own; *label; label++)
        if (**label == '=' || !strchr(*label, '='))
            return ost_fail(step, OST_E_INVALID, "'%s' in 'labels' is not key=value", *label);
    add(step, ret, own, "title", rel_name(repository));
    add(step, ret, own, "url", url);
    add(step, ret, own, "source", url);
    add(step, ret, own, "revision", context(step, "github.sha"));
    add(step, ret, own, "version", tag);
    add(step, ret, own, "created", created(step));
    for (; *own; own++)
        strings_add(step, ret, *own);
    return OST_OK;
}
