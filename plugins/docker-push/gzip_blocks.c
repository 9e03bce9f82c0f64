#define ZLIB_CONST /* it only reads what it packs */
#include "gzip_blocks.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { RAW = -15, MEMORY = 8, FLUSH_MAX = 64, OS_UNKNOWN = 255 };

struct gzip_packer {
    z_stream z;
    char *out;
    size_t room;
};

struct gzip_packer *gzip_packer_new(int level)
{
    struct gzip_packer *g = calloc(1, sizeof *g);

    if (!g)
        abort();
    if (deflateInit2(&g->z, level, Z_DEFLATED, RAW, MEMORY, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(g);
        return NULL;
    }
    g->room = deflateBound(&g->z, GZIP_BLOCK) + FLUSH_MAX;
    g->out = malloc(g->room);
    if (!g->out)
        abort();
    return g;
}

struct gzip_packer *gzip_packer_free(struct gzip_packer *g)
{
    if (!g)
        return NULL;
    deflateEnd(&g->z);
    free(g->out);
    free(g);
    return NULL;
}

struct span gzip_block(struct gzip_packer *g, const char *data, size_t before, size_t size,
                       bool last)
{
    int r;

    if (deflateReset(&g->z) != Z_OK ||
        (before > 0 &&
         deflateSetDictionary(&g->z, (const Bytef *)data - before, (uInt)before) != Z_OK))
        abort(); /* both only fail for a stream that is none */
    g->z.next_in = (const Bytef *)data;
    g->z.avail_in = (uInt)size;
    g->z.next_out = (Bytef *)g->out;
    g->z.avail_out = (uInt)g->room;
    r = deflate(&g->z, last ? Z_FINISH : Z_SYNC_FLUSH);
    if (r != (last ? Z_STREAM_END : Z_OK) || g->z.avail_in > 0 || g->z.avail_out == 0)
        abort(); /* there is room for whatever a block comes to */
    return (struct span){g->out, g->room - g->z.avail_out};
}

void gzip_head(unsigned char ret[GZIP_HEAD])
{
    static const unsigned char head[GZIP_HEAD] = {0x1f, 0x8b, Z_DEFLATED, 0, 0,
                                                  0,    0,    0,          0, OS_UNKNOWN};

    memcpy(ret, head, GZIP_HEAD);
}

void gzip_tail(uint32_t crc, int64_t size, unsigned char ret[GZIP_TAIL])
{
    for (int i = 0; i < 4; i++) {
        ret[i] = (unsigned char)(crc >> 8 * i);
        ret[4 + i] = (unsigned char)((uint64_t)size >> 8 * i);
    }
}
