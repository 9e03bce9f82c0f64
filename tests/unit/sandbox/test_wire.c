#include "base/fd.h"
#include "sandbox/init/wire.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int pair[2];

static void connect_pair(void)
{
    struct err err = ERR_INIT;
    cr_assert_eq(fd_socketpair(SOCK_SEQPACKET, pair, &err), ERR_OK);
}

static void close_pair(void)
{
    fd_closep(&pair[0]);
    fd_closep(&pair[1]);
}

TestSuite(wire, .init = connect_pair, .fini = close_pair);

static void fill(struct buf *b)
{
    wire_add_u32(b, 7);
    wire_add_str(b, "text");
    wire_add_str(b, NULL);
    wire_add_list(b, (const char *const[]){"one", "", "three", NULL});
    wire_add_list(b, NULL);
}

static void check_fields(struct wire_in *in)
{
    struct err err = ERR_INIT;

    cr_expect_eq(wire_u32(in), 7);
    cr_expect_str_eq(wire_str(in), "text");
    cr_expect_str_eq(wire_str(in), "");
    const char *const *list = wire_list(in);
    cr_assert_not_null(list[0]);
    cr_expect_str_eq(list[0], "one");
    cr_expect_str_eq(list[1], "");
    cr_expect_str_eq(list[2], "three");
    cr_expect_null(list[3]);
    cr_expect_null(wire_list(in)[0]);
    cr_expect_eq(wire_check(in, &err), ERR_OK, "%s", err.text);
}

Test(wire, carries_fields_and_descriptors)
{
    CLEANUP(buf_deinit) struct buf b = WIRE_BUF_INIT;
    struct wire_in in;
    struct err err = ERR_INIT;
    struct stat ours, theirs;

    fill(&b);
    int fds[] = {0, pair[0]};
    cr_assert_eq(wire_send(pair[0], WIRE_START, 99, &b, fds, 2, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(wire_recv(pair[1], &in, &err), ERR_OK, "%s", err.text);
    cr_expect_eq(in.type, WIRE_START);
    cr_expect_eq(in.id, 99);
    cr_expect_eq(in.n_fds, 2);
    check_fields(&in);
    CLEANUP(fd_closep) int fd = wire_take_fd(&in, 1);
    cr_assert_eq(fstat(pair[0], &ours), 0);
    cr_assert_eq(fstat(fd, &theirs), 0);
    cr_expect_eq(ours.st_ino, theirs.st_ino);
    cr_expect_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    cr_expect_eq(wire_take_fd(&in, 1), -1, "taken twice");
    cr_expect_eq(wire_take_fd(&in, 2), -1);
    wire_deinit(&in);
    cr_expect_geq(fcntl(fd, F_GETFD), 0, "a descriptor that was taken was closed");
}

Test(wire, what_does_not_fit_a_packet_goes_in_a_file)
{
    CLEANUP(buf_deinit) struct buf b = WIRE_BUF_INIT;
    CLEANUP(free_ptr) char *big = mem_new(5000001);
    struct wire_in in;
    struct err err = ERR_INIT;

    memset(big, 'x', 5000000);
    wire_add_str(&b, big);
    int fds[] = {0};
    cr_assert_eq(wire_send(pair[0], WIRE_START, 1, &b, fds, 1, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(wire_recv(pair[1], &in, &err), ERR_OK, "%s", err.text);
    cr_expect_eq(in.n_fds, 1, "the file itself is not handed on");
    cr_expect_str_eq(wire_str(&in), big);
    cr_expect_eq(wire_check(&in, &err), ERR_OK);
    wire_deinit(&in);
}

Test(wire, too_much_is_an_error_and_sends_nothing)
{
    CLEANUP(buf_deinit) struct buf b = WIRE_BUF_INIT;
    CLEANUP(free_ptr) char *big = mem_new(WIRE_MAX + 1);
    struct err err = ERR_INIT;
    char byte;

    memset(big, 'x', WIRE_MAX);
    wire_add_str(&b, big);
    cr_expect_eq(wire_send(pair[0], WIRE_START, 1, &b, NULL, 0, &err), ERR_LIMIT);
    cr_expect_str_eq(err.text, "a message to a sandbox is larger than 33554432 bytes");
    cr_expect_eq(recv(pair[1], &byte, 1, MSG_DONTWAIT), -1);
}

Test(wire, the_end_of_the_other_side_is_told)
{
    struct wire_in in;
    struct err err = ERR_INIT;

    fd_closep(&pair[0]);
    cr_expect_eq(wire_recv(pair[1], &in, &err), ERR_CANCELLED);
    cr_expect_lt(wire_send(pair[1], WIRE_DONE, 0, NULL, NULL, 0, &err), 0); /* and no SIGPIPE */
}

/* A packet as it is sent, in RET (room for SIZE); its length. */
static size_t packet(char *ret, size_t size)
{
    CLEANUP(buf_deinit) struct buf b = WIRE_BUF_INIT;
    struct err err = ERR_INIT;

    fill(&b);
    cr_assert_eq(wire_send(pair[0], WIRE_START, 5, &b, NULL, 0, &err), ERR_OK);
    ssize_t n = recv(pair[1], ret, size, 0);
    cr_assert_gt(n, 0);
    return (size_t)n;
}

static void read_all(struct wire_in *in)
{
    (void)wire_u32(in);
    (void)wire_str(in);
    (void)wire_str(in);
    (void)wire_list(in);
    (void)wire_list(in);
}

Test(wire, a_message_cut_anywhere_is_refused)
{
    char data[512];
    size_t len = packet(data, sizeof data);
    struct wire_in in;
    struct err err = ERR_INIT;

    for (size_t n = 0; n <= len; n++) {
        in = (struct wire_in){0};
        int r = wire_parse(slice_make(data, n), &in, &err);
        if (r == ERR_OK) {
            read_all(&in);
            r = wire_check(&in, &err);
        }
        cr_expect_eq(r == ERR_OK, n == len, "%zu of %zu bytes", n, len);
        wire_deinit(&in);
    }
}

Test(wire, a_message_with_any_byte_changed_is_read_or_refused)
{
    char data[512];
    size_t len = packet(data, sizeof data);
    struct err err = ERR_INIT;

    for (size_t at = 0; at < len; at++) {
        for (int bit = 0; bit < 8; bit++) {
            struct wire_in in = {0};

            data[at] = (char)(data[at] ^ 1 << bit);
            if (wire_parse(slice_make(data, len), &in, &err) == ERR_OK)
                read_all(&in);
            wire_deinit(&in);
            data[at] = (char)(data[at] ^ 1 << bit);
        }
    }
}

Test(wire, another_version_is_named)
{
    char data[512];
    size_t len = packet(data, sizeof data);
    struct wire_in in = {0};
    struct err err = ERR_INIT;
    char want[200];

    data[0]++;
    cr_expect_eq(wire_parse(slice_make(data, len), &in, &err), ERR_INVALID);
    snprintf(
        want, sizeof want,
        "ostler-init is of another version (its messages: %d, ours: %d); install both from one "
        "build",
        WIRE_VERSION + 1, WIRE_VERSION);
    cr_expect_str_eq(err.text, want);
}

/* A file that its sender could still change or cut under us is not read. */
Test(wire, an_unsealed_file_is_refused)
{
    struct wire_in in;
    struct err err = ERR_INIT;
    uint32_t head[4] = {WIRE_VERSION, WIRE_START, 1, 1};
    int fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    cr_assert_eq(ftruncate(fd, 100), 0);
    cr_assert_eq(fd_send(pair[0], slice_make((char *)head, sizeof head), &fd, 1, &err), ERR_OK);
    cr_expect_eq(wire_recv(pair[1], &in, &err), ERR_INVALID);
    cr_assert_eq(fd_send(pair[0], slice_make((char *)head, sizeof head), NULL, 0, &err), ERR_OK);
    cr_expect_eq(wire_recv(pair[1], &in, &err), ERR_INVALID, "no file at all");
    close(fd);
}

Test(wire, texts_with_a_nul_inside_and_lists_that_lie_are_refused)
{
    uint32_t head[4] = {WIRE_VERSION, WIRE_START, 1, 0};
    CLEANUP(buf_deinit) struct buf b = BUF_INIT(1000);
    struct err err = ERR_INIT;
    struct wire_in in = {0};

    buf_add(&b, slice_make((char *)head, sizeof head));
    wire_add_u32(&b, 3);
    buf_add(&b, SLICE("a\0b\0"));
    cr_assert_eq(wire_parse(buf_slice(&b), &in, &err), ERR_OK);
    cr_expect_str_eq(wire_str(&in), "");
    cr_expect(in.bad);
    wire_deinit(&in);

    b.len = sizeof head;
    wire_add_u32(&b, UINT32_MAX);
    cr_assert_eq(wire_parse(buf_slice(&b), &in, &err), ERR_OK);
    cr_expect_null(wire_list(&in)[0]);
    cr_expect_eq(wire_check(&in, &err), ERR_INVALID);
    wire_deinit(&in);
}
