/* Packing: what comes out is what went in, and the same bytes however many processors there are. */
#include <criterion/criterion.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define ZLIB_CONST
#include <zlib.h>

#include "../lib/test_step.h"
#include "digest.h"
#include "gzip_blocks.h"
#include "pack.h"
#include "spool.h"

TestSuite(pack, .init = step_enter, .fini = step_leave);

/* SIZE bytes that neither shrink to nothing nor stay as they are, with much that repeats within 32 KiB. */
static char *data_of(size_t size)
{
    char *data = malloc(size);
    uint32_t x = 7;

    cr_assert_not_null(data);
    for (size_t i = 0; i < size; i++) {
        x = x * 1664525 + 1013904223;
        data[i] = i >= 5000 && x >> 30 ? data[i - 4999] : (char)(x >> 24);
    }
    return data;
}

/* Packs B as the only layer there is. */
static ost_status pack_layer(struct blob *b, const struct pack_spec *spec)
{
    struct image image = {.layers = b};
    struct tree tree = {.images = &image, .n_images = 1, .n_blobs = 1};
    struct packer *p = pack_begin(step, &tree, spec);
    ost_status r = OST_OK;
    size_t left = 1;

    cr_assert_not_null(p, "%s", ost_test_failure(host));
    while (left > 0 && r == OST_OK) {
        struct pollfd fd = {.fd = pack_fd(p), .events = POLLIN};

        cr_assert_eq(poll(&fd, 1, 60000), 1);
        r = pack_collect(p, &left);
    }
    if (r == OST_OK) { /* its file ends with the packer */
        char *kept = step->host->alloc(step, (size_t)b->bytes.size);

        cr_assert_eq(piece_read(&b->bytes, 0, kept, (size_t)b->bytes.size), b->bytes.size);
        b->bytes = (struct piece){.data = kept, .size = b->bytes.size};
    }
    pack_end(p);
    return r;
}

static ost_status pack(char *data, size_t size, const struct pack_spec *spec, struct blob *ret)
{
    *ret = (struct blob){.raw = {.data = data, .size = (int64_t)size}, .what = "the layer"};
    return pack_layer(ret, spec);
}

static void expect_unpacks(const struct blob *b, const char *data, size_t size)
{
    enum { GZIP = 15 + 16 };
    char *back = malloc(size + 1);
    z_stream z = {.next_in = (const Bytef *)b->bytes.data,
                  .avail_in = (uInt)b->bytes.size,
                  .next_out = (Bytef *)back,
                  .avail_out = (uInt)size + 1};

    cr_assert(back && inflateInit2(&z, GZIP) == Z_OK);
    cr_expect_eq(inflate(&z, Z_FINISH), Z_STREAM_END, "%zu bytes: %s", size, z.msg ? z.msg : "");
    cr_expect_eq(z.total_out, size);
    cr_expect_eq(z.avail_in, 0);
    cr_expect_eq(memcmp(back, data, size), 0);
    inflateEnd(&z);
    free(back);
}

Test(pack, what_comes_out_is_what_went_in)
{
    static const size_t sizes[] = {1,
                                   GZIP_BEFORE,
                                   GZIP_BLOCK - 1,
                                   GZIP_BLOCK,
                                   GZIP_BLOCK + 1,
                                   2 * GZIP_BLOCK,
                                   5 * GZIP_BLOCK + GZIP_BEFORE};

    for (size_t i = 0; i < OST_COUNT(sizes); i++) {
        char *data = data_of(sizes[i]);
        struct blob b;

        cr_assert_eq(pack(data, sizes[i], &(struct pack_spec){.packing = PACKING_GZIP}, &b), OST_OK,
                     "%s", ost_test_failure(host));
        cr_expect_eq(b.d.size, b.bytes.size);
        cr_expect_str_eq(b.d.digest, digest_of(step, b.bytes.data, (size_t)b.bytes.size));
        expect_unpacks(&b, data, sizes[i]);
        free(data);
    }
}

Test(pack, one_processor_gives_the_same_bytes_as_all)
{
    size_t size = 9 * GZIP_BLOCK + 12345;
    char *data = data_of(size);
    struct pack_spec spec = {.packing = PACKING_GZIP, .level = 3};
    struct blob all, one;
    cpu_set_t before, first;

    cr_assert_eq(pack(data, size, &spec, &all), OST_OK, "%s", ost_test_failure(host));
    cr_assert_eq(sched_getaffinity(0, sizeof before, &before), 0);
    CPU_ZERO(&first);
    for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&first) == 0; i++)
        if (CPU_ISSET(i, &before))
            CPU_SET(i, &first);
    cr_assert_eq(sched_setaffinity(0, sizeof first, &first), 0);
    cr_assert_eq(pack(data, size, &spec, &one), OST_OK, "%s", ost_test_failure(host));
    cr_expect_str_eq(all.d.digest, one.d.digest);
    free(data);
}

Test(pack, blocks_cost_next_to_nothing)
{
    enum { GZIP = 15 + 16, MEMORY = 8, LEVEL = 6 };
    size_t size = 4 * GZIP_BLOCK;
    char *data = data_of(size);
    struct blob b;
    z_stream z = {0};

    cr_assert_eq(pack(data, size, &(struct pack_spec){.packing = PACKING_GZIP}, &b), OST_OK);
    cr_assert_eq(deflateInit2(&z, LEVEL, Z_DEFLATED, GZIP, MEMORY, Z_DEFAULT_STRATEGY), Z_OK);
    uLong room = deflateBound(&z, size);
    char *whole = malloc(room);

    z.next_in = (const Bytef *)data;
    z.avail_in = (uInt)size;
    z.next_out = (Bytef *)whole;
    z.avail_out = (uInt)room;
    cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    cr_expect_leq(b.bytes.size, (int64_t)(z.total_out + z.total_out / 200), "%lld and %lu",
                  (long long)b.bytes.size, z.total_out);
    deflateEnd(&z);
    free(whole);
    free(data);
}

Test(pack, a_layer_that_is_not_what_it_is_said_to_be_is_refused)
{
    size_t size = 3 * GZIP_BLOCK;
    char *data = data_of(size);
    struct blob b = {
        .raw = {.data = data, .size = (int64_t)size}, .what = "the layer", .diff_id = "sha256:0"};

    cr_expect_eq(pack_layer(&b, &(struct pack_spec){.packing = PACKING_GZIP}), OST_E_INVALID);
    cr_expect(strstr(ost_test_failure(host), "the layer is damaged"), "%s", ost_test_failure(host));
    free(data);
}

Test(pack, what_cannot_be_read_to_its_end_is_told)
{
    struct blob b = {.raw = {.size = 8 * GZIP_BLOCK}, .what = "the layer"};

    cr_assert_eq(spool_new(step, &b.raw.fd), OST_OK);
    cr_assert(spool_write(b.raw.fd, "short", 5));
    cr_expect_eq(pack_layer(&b, &(struct pack_spec){.packing = PACKING_GZIP}), OST_E_IO);
    cr_expect(strstr(ost_test_failure(host), "the layer cannot be read"), "%s",
              ost_test_failure(host));
    close(b.raw.fd);
}
