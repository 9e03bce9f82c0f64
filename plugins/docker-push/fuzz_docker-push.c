/* What docker-push reads from outside: names of images, challenges, manifests, indexes, configurations, lists of
 * images, credentials, archives. The first byte says which. Whatever it is, reading ends, stays within bounds, and
 * what has been taken holds to its contract. */
#include "challenge.h"
#include "document.h"
#include "login.h"
#include "reference.h"
#include "tarball.h"
#include "../lib/fuzz_memory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- a host with memory, and nothing else ---- */

static ost_status host_fail(struct ost_step *step, ost_status why, const char *message)
{
    (void)step;
    (void)message;
    return why;
}

static int32_t host_cancelled(struct ost_step *step)
{
    (void)step;
    return 0;
}

static const char *host_dir(struct ost_step *step, int32_t which)
{
    (void)step;
    (void)which;
    return "/tmp";
}

static const struct ost_host host = {.struct_size = sizeof host,
                                     .alloc = fuzz_give,
                                     .fail = host_fail,
                                     .cancelled = host_cancelled,
                                     .dir = host_dir};

/* ---- the readers ---- */

static void read_reference(struct ost_step *step, const char *text)
{
    struct reference r, again;

    if (reference_parse(step, text, &r))
        return;
    if (!*r.name || !*r.host || (r.tag && !reference_is_tag(span_of(r.tag))) ||
        reference_parse(step, ost_fmt(step, "%s/%s", r.host, r.name), &again) ||
        strcmp(again.name, r.name) != 0)
        abort();
}

static void read_document(struct ost_step *step, const char *text, size_t size)
{
    struct contents c;
    struct config config;
    struct listed *l;

    if (!document_read(step, text, size, "", &c))
        for (const struct child *one = c.children; one; one = one->next)
            if (!reference_is_digest(span_of(one->d.digest)) || one->d.size < 0)
                abort();
    (void)config_read(step, text, size, &config);
    (void)list_read(step, text, size, &l);
}

/* A file that is found lies in the archive, all of it. */
static void read_archive(struct ost_step *step, const char *text, size_t size)
{
    static const char *const names[] = {"manifest.json", "a", "b/layer.tar", "../a", "index.json"};
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    struct tarball *t;
    struct piece found;

    if (fd < 0 || write(fd, text, size) != (ssize_t)size)
        abort();
    if (tarball_open(step, fd, "fuzz", &t) < 0)
        return;
    for (size_t i = 0; i < OST_COUNT(names); i++)
        if (tarball_find(step, t, names[i], &found)) {
            off_t end = lseek(found.fd, 0, SEEK_END);

            if (found.at < 0 || found.size < 0 || found.at + found.size > end)
                abort();
        }
    close(tarball_fd(t));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ost_step step = {.host = &host};
    struct login login;
    char *text = malloc(size ? size : 1); /* to the byte, so that a read past the end is seen */

    if (!text)
        abort();
    if (size > 0)
        memcpy(text, data + 1, size - 1);
    text[size ? size - 1 : 0] = '\0';
    switch (size ? data[0] % 5 : 0) {
    case 0:
        read_reference(&step, text);
        break;
    case 1:
        (void)challenge_read(&step, (struct span){text, size ? size - 1 : 0});
        break;
    case 2:
        read_document(&step, text, size ? size - 1 : 0);
        break;
    case 3:
        (void)login_decode(&step, text, &login);
        break;
    default:
        read_archive(&step, text, size ? size - 1 : 0);
    }
    free(text);
    fuzz_take_back();
    return 0;
}
