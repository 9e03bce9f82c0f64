#include "sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { BYTES = SHA256_HEX / 2 };

static const char *hex_of(struct ost_step *step, const unsigned char *bytes)
{
    static const char digits[] = "0123456789abcdef";
    char *hex = step->host->alloc(step, SHA256_HEX + 1);

    for (size_t i = 0; i < BYTES; i++) {
        hex[2 * i] = digits[bytes[i] >> 4];
        hex[2 * i + 1] = digits[bytes[i] & 15];
    }
    hex[SHA256_HEX] = '\0';
    return hex;
}

const char *sha256_text(struct ost_step *step, struct span text)
{
    unsigned char bytes[EVP_MAX_MD_SIZE] = {0};

    EVP_Digest(text.at, text.size, bytes, NULL, EVP_sha256(), NULL);
    return hex_of(step, bytes);
}

/* False with errno set: it cannot be read to its end. */
static bool add_file(EVP_MD_CTX *md, int fd, int64_t *ret_size)
{
    char chunk[1 << 16];
    int64_t size = 0;
    ssize_t n;

    while ((n = read(fd, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            EVP_DigestUpdate(md, chunk, (size_t)n);
            size += n;
        }
    }
    *ret_size = size;
    return true;
}

ost_status sha256_file(struct ost_step *step, int dir, const char *path, const char **ret_hex,
                       int64_t *ret_size, const char **ret_why)
{
    /* Without O_NONBLOCK a fifo would hold us. */
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK, .resolve = RESOLVE_BENEATH};
    int fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
    unsigned char bytes[EVP_MAX_MD_SIZE] = {0};
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    int64_t size = 0;
    struct stat st;
    bool ok = false;

    *ret_why = NULL;
    if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
        *ret_why = ost_fmt(step, "'%s' is not a regular file", path);
    else if (fd >= 0 && md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
             add_file(md, fd, &size))
        ok = EVP_DigestFinal_ex(md, bytes, NULL) == 1;
    if (!ok && !*ret_why)
        *ret_why = ost_fmt(step, "cannot read '%s': %s", path, strerror(errno));
    EVP_MD_CTX_free(md);
    if (fd >= 0)
        close(fd);
    if (!ok)
        return OST_E_IO;
    *ret_hex = hex_of(step, bytes);
    if (ret_size)
        *ret_size = size;
    return OST_OK;
}
