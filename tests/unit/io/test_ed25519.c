#include "io/digest_ed25519.h"

#include "base/attr.h"

#include <criterion/criterion.h>

static void from_hex(const char *hex, unsigned char *ret)
{
    for (size_t i = 0; hex[2 * i]; i++) {
        unsigned byte = 0;

        cr_assert_eq(sscanf(hex + 2 * i, "%2x", &byte), 1);
        ret[i] = (unsigned char)byte;
    }
}

/* RFC 8032, 7.1, tests 1 and 3. */
static const struct vector {
    const char *secret, *public, *text, *signature;
} vectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b"
     "4"
     "6bd25bf5f0595bbe24655141438e7a100b"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc"
     "6"
     "594a7c15e9716ed28dc027beceea1ec40a"},
};

Test(ed25519, agrees_with_the_standard)
{
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        unsigned char secret[32], public[32], text[8], want[64], got[64];
        struct slice all = slice_make((const char *)text, strlen(vectors[i].text) / 2);

        from_hex(vectors[i].secret, secret);
        from_hex(vectors[i].public, public);
        from_hex(vectors[i].text, text);
        from_hex(vectors[i].signature, want);
        ed25519_sign(secret, all, got);
        cr_assert_arr_eq(got, want, sizeof want, "vector %zu", i);
        struct slice signature = slice_make((const char *)got, sizeof got);
        cr_assert(ed25519_verify(public, all, signature), "vector %zu", i);
        cr_assert_not(ed25519_verify(public, SLICE("other"), signature));
        cr_assert_not(ed25519_verify(public, all, slice_head(signature, 63)));
        cr_assert_not(ed25519_verify(secret, all, signature), "another key");
        for (size_t bit = 0; bit < 512; bit += 37) {
            got[bit / 8] ^= (unsigned char)(1 << bit % 8);
            cr_assert_not(ed25519_verify(public, all, signature), "bit %zu", bit);
            got[bit / 8] ^= (unsigned char)(1 << bit % 8);
        }
    }
}

/* RFC 8410, 10.1 and 10.3. */
#define PUBLIC_BASE64 "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="

Test(ed25519, reads_keys_as_openssl_writes_them)
{
    static const char *const texts[] = {
        "-----BEGIN PUBLIC KEY-----\n" PUBLIC_BASE64 "\n-----END PUBLIC KEY-----\n",
        "a comment\r\n-----BEGIN PUBLIC KEY-----\r\n" PUBLIC_BASE64 "\r\n-----END PUBLIC KEY-----",
        PUBLIC_BASE64,
        "  GbUAAAA",
    };
    unsigned char want[32], got[32], raw[32];
    struct err err = ERR_INIT;

    from_hex("19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1", want);
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(ed25519_public(slice_of(texts[i]), got, &err), ERR_OK, "%zu: %s", i, err.text);
        cr_assert_arr_eq(got, want, sizeof want);
    }
    cr_assert_eq(ed25519_public(SLICE("Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE"), raw, &err),
                 ERR_OK);
    cr_assert_arr_eq(raw, want, sizeof want);
    cr_assert_eq(ed25519_public(slice_of(texts[3]), got, &err), ERR_INVALID);
    cr_assert_eq(
        ed25519_private(SLICE("-----BEGIN PRIVATE KEY-----\n"
                              "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
                              "-----END PRIVATE KEY-----\n"),
                        got, &err),
        ERR_OK, "%s", err.text);
    from_hex("d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842", want);
    cr_assert_arr_eq(got, want, sizeof want);
}

Test(ed25519, says_what_is_wrong_with_a_key)
{
    static const struct {
        const char *text, *why;
        bool private;
    } rows[] = {
        {"", "no public key", false},
        {"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----",
         "the public key is not one of Ed25519", false},
        {"-----BEGIN PUBLIC KEY-----\n" PUBLIC_BASE64, "no public key", false},
        {PUBLIC_BASE64, "no private key", true},
        {"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----",
         "the key is encrypted: 'openssl pkey", true},
        {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
         "the private key is not one of Ed25519", true},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        unsigned char key[32];
        struct err err = ERR_INIT;
        int r = rows[i].private ? ed25519_private(slice_of(rows[i].text), key, &err)
                                : ed25519_public(slice_of(rows[i].text), key, &err);

        cr_assert_lt(r, 0, "row %zu", i);
        cr_assert_not_null(strstr(err.text, rows[i].why), "row %zu: %s", i, err.text);
    }
}
