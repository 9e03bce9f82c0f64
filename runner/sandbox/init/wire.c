#include "sandbox/init/wire.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct head {
    uint32_t version, type, id;
    uint32_t in_file; /* the fields are in the last descriptor */
};

static const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

void wire_add_u32(struct buf *b, uint32_t value)
{
    buf_add(b, slice_make((const char *)&value, sizeof value));
}

void wire_add_str(struct buf *b, const char *text)
{
    struct slice s = slice_of(text ? text : "");

    wire_add_u32(b, (uint32_t)s.len);
    buf_add(b, slice_make(s.ptr, s.len + 1)); /* with its NUL: read in place */
}

void wire_add_list(struct buf *b, const char *const *list)
{
    uint32_t n = 0;

    while (list && list[n])
        n++;
    wire_add_u32(b, n);
    for (uint32_t i = 0; i < n; i++)
        wire_add_str(b, list[i]);
}

static int make_file(struct slice data, int *ret, struct err *err)
{
    CLEANUP(fd_closep) int fd = memfd_create("ostler", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return err_sys(err, "cannot make a memory file");
    int r = fd_write_all(fd, data, err);
    if (r < 0)
        return r;
    if (fcntl(fd, F_ADD_SEALS, seals) < 0)
        return err_sys(err, "cannot seal a memory file");
    *ret = fd;
    fd = -1;
    return ERR_OK;
}

int wire_send(int sock, enum wire_type type, uint32_t id, const struct buf *b, const int *fds,
              size_t n_fds, struct err *err)
{
    struct head head = {.version = WIRE_VERSION, .type = type, .id = id};
    CLEANUP(fd_closep) int file = -1;
    CLEANUP(buf_deinit) struct buf packet = BUF_INIT(sizeof head + WIRE_INLINE_MAX);
    int all[WIRE_FDS_MAX + 1];

    if (n_fds > WIRE_FDS_MAX)
        BUG("%zu descriptors in a message", n_fds);
    for (size_t i = 0; i < n_fds; i++)
        all[i] = fds[i];
    if (b) {
        int r = buf_check(b, "a message to a sandbox", err);
        if (r == ERR_OK && b->len > WIRE_INLINE_MAX)
            r = make_file(buf_slice(b), &file, err);
        if (r < 0)
            return r;
    }
    head.in_file = file >= 0;
    if (file >= 0)
        all[n_fds++] = file;
    buf_add(&packet, slice_make((const char *)&head, sizeof head));
    if (b && file < 0)
        buf_add(&packet, buf_slice(b));
    int r = fd_send(sock, buf_slice(&packet), all, n_fds, err);
    explicit_bzero(packet.ptr, packet.len);
    return r;
}

static int read_file(struct wire_in *in, struct err *err)
{
    CLEANUP(fd_closep) int fd = in->n_fds ? in->fds[--in->n_fds] : -1;
    struct stat st;

    if (fd < 0 || fcntl(fd, F_GET_SEALS) != seals || fstat(fd, &st) < 0 || st.st_size < 0 ||
        st.st_size > WIRE_MAX)
        return err_set(err, ERR_INVALID, "a message's memory file is not as it should be");
    size_t size = (size_t)st.st_size;
    in->data = mem_new(size + 1);
    in->len = size;
    ssize_t n = size ? pread(fd, in->data, size, 0) : 0;
    if (n != (ssize_t)size)
        return err_set(err, ERR_INVALID, "a message's memory file cannot be read");
    return ERR_OK;
}

int wire_parse(struct slice packet, struct wire_in *in, struct err *err)
{
    struct head head;

    if (packet.len < sizeof head)
        return err_set(err, ERR_INVALID, "a message of %zu bytes", packet.len);
    memcpy(&head, packet.ptr, sizeof head);
    if (head.version != WIRE_VERSION)
        return err_set(err, ERR_INVALID,
                       "ostler-init is of another version (its messages: %u, ours: %d); "
                       "install both from one build",
                       head.version, WIRE_VERSION);
    if (head.type == 0 || head.type >= WIRE_TYPES)
        return err_set(err, ERR_INVALID, "a message of unknown type %u", head.type);
    in->type = (enum wire_type)head.type;
    in->id = head.id;
    if (head.in_file)
        return read_file(in, err);
    in->data = mem_dup(packet.ptr + sizeof head, packet.len - sizeof head);
    in->len = packet.len - sizeof head;
    return ERR_OK;
}

int wire_recv(int sock, struct wire_in *in, struct err *err)
{
    char packet[sizeof(struct head) + WIRE_INLINE_MAX];
    size_t len;

    *in = (struct wire_in){0};
    int r = fd_recv(sock, packet, sizeof packet, &len, in->fds, &in->n_fds, err);
    if (r < 0)
        return r;
    if (len == 0)
        return err_set(err, ERR_CANCELLED, "the other side is gone");
    r = wire_parse(slice_make(packet, len), in, err);
    explicit_bzero(packet, len);
    if (r < 0)
        wire_deinit(in);
    return r;
}

void wire_deinit(struct wire_in *in)
{
    if (in->data)
        explicit_bzero(in->data, in->len);
    free(in->data);
    for (size_t i = 0; i < in->n_lists; i++)
        free(in->lists[i]);
    free(in->lists);
    for (size_t i = 0; i < in->n_fds; i++)
        fd_closep(&in->fds[i]);
    *in = (struct wire_in){0};
}

uint32_t wire_u32(struct wire_in *in)
{
    uint32_t value;

    if (in->bad || in->len - in->at < sizeof value) {
        in->bad = true;
        return 0;
    }
    memcpy(&value, in->data + in->at, sizeof value);
    in->at += sizeof value;
    return value;
}

const char *wire_str(struct wire_in *in)
{
    size_t len = wire_u32(in);
    const char *text = in->data + in->at;

    /* Exactly one NUL, at the end: nobody reads past it or sees less than was sent. */
    if (in->bad || in->len - in->at <= len || memchr(text, '\0', len + 1) != text + len) {
        in->bad = true;
        return "";
    }
    in->at += len + 1;
    return text;
}

const char *const *wire_list(struct wire_in *in)
{
    uint32_t n = wire_u32(in);

    /* Each takes five bytes at least, so a count that lies allocates nothing. */
    if (n > WIRE_LIST_MAX || n > (in->len - in->at) / 5) {
        in->bad = true;
        n = 0;
    }
    const char **list = mem_new((n + 1) * sizeof *list);
    in->lists = mem_grow(in->lists, (in->n_lists + 1) * sizeof *in->lists);
    in->lists[in->n_lists++] = list;
    for (uint32_t i = 0; i < n; i++)
        list[i] = wire_str(in);
    return list;
}

int wire_take_fd(struct wire_in *in, size_t at)
{
    if (at >= in->n_fds)
        return -1;
    int fd = in->fds[at];
    in->fds[at] = -1;
    return fd;
}

int wire_check(const struct wire_in *in, struct err *err)
{
    if (in->bad || in->at != in->len)
        return err_set(err, ERR_INVALID, "a message of type %d is not as it should be",
                       (int)in->type);
    return ERR_OK;
}
