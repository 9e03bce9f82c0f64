#include "io/digest.h"

#include "base/attr.h"

#include <criterion/criterion.h>

/* RFC 4231, cases 1, 2 and 6 (a key longer than a block). */
Test(digest, hmac_agrees_with_the_standard)
{
    static char long_key[131];
    memset(long_key, 0xaa, sizeof long_key);
    const struct row {
        struct slice key, text;
        const char *want;
    } rows[] = {
        {SLICE("\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"),
         SLICE("Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {SLICE("Jefe"), SLICE("what do ya want for nothing?"),
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {slice_make(long_key, sizeof long_key),
         SLICE("Test Using Larger Than Block-Size Key - Hash Key First"),
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        unsigned char code[DIGEST_SIZE];
        char hex[DIGEST_HEX_SIZE];

        digest_hmac(rows[i].key, rows[i].text, code);
        digest_hex(code, hex);
        cr_assert_str_eq(hex, rows[i].want, "row %zu", i);
    }
}

Test(digest, sameness_looks_at_every_byte)
{
    unsigned char a[DIGEST_SIZE], b[DIGEST_SIZE];

    digest_sha256(SLICE("a"), a);
    memcpy(b, a, sizeof b);
    cr_assert(digest_same(a, b));
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        b[i] ^= 1;
        cr_assert_not(digest_same(a, b), "byte %zu", i);
        b[i] ^= 1;
    }
}
