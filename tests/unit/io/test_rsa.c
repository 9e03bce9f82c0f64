#include "io/digest_rsa.h"

#include "base/base64.h"
#include "io/digest_aes.h"

#include <criterion/criterion.h>
#include <stddef.h>

/* A key, what Python's cryptography 48 signed and encrypted with it: "header.claims", and the bytes 0 to 31. */
static const struct {
    const char *text;
    size_t at, size;
} numbers[] = {
    {"rgA8LPSczFSPb2sEEVGi5dc9krL+M+8hD+XYf0MFKvG/dgWstpsigimNQ1fNZlGBlDXn6H/QssoY"
     "2L93gAvAYA1Pn6kHtoBrY3TuBnn67hxjsCvcKavvvKvfbTrrbLitOJRNgMVdAZyyUqSbcvJvySiw"
     "q5I83mcBTEqL9C/2j7sFuy706/rm/s3swIoNuCmPQ2nLqDTLJJgL39cgJrGpegcOYrsq0pKuHDfS"
     "HMpi+xT53pnOs6if+V+r0jc8Stu1W27+4m6Nvz4hYKy1RMS2HjOIHzyCiRbVCuBfcYB0KBINzfEy"
     "swC7Vo7bsgqzXXiJq27gFzfQ9ZdPVF9ERkoxxw==",
     offsetof(struct rsa_numbers, modulus), 256},
    {"AQAB", offsetof(struct rsa_numbers, exponent), 3},
    {"Ce96gCim4WX8sLnVcssMuFS42oJnpdMu5Jz/u+M5otDzWUu2p9CmQPTFcQXM9TLh6XLF32PuU0nb"
     "RFkee4xwO4EsaEClxO6CnfG50QXbEF3vn/TJLq9M0k2lcDPFPfaHnED08fg9uM9X7AR5LzBCYM6h"
     "fpKBm5jEcrTuVo78jwq14ouV1spxOaTpE2TVKqr34oeMebfyqbOLG03DWdh57cLt2261oTSOSwJY"
     "zQ4tR8eIvGOGWzLMdCuMIs3Ni3rMstE+QOoqq8GlUTSNfx0H9ws0yIPWWPQtM4HDax+AI/Jkieir"
     "NFuhH2kKjQoqx7l415ugwxf3MajTSJnu1/5YZQ==",
     offsetof(struct rsa_numbers, d), 256},
    {"04/ym74SUx11xOqyiKpzGlrLp4NnBi8xkMCrM2qkXlOpaLl+eqwGamjvs836EQ1PPa8QD8btqhNc"
     "36EFJ+xdaElAFHzKCCwiRoI5bPBZ9sdMCs6pfbP4cdsNj8wi108bPxJZJ2komTko2icTs7bBsxbT"
     "sGwOiNM4GcBDSQDjwPM=",
     offsetof(struct rsa_numbers, p), 128},
    {"0oyM5aq2w1Po4kDdDoixRtir5CPFf/rqfYbMVafwn2FGsvEnXOP77omQqxcM0RUWHYPVxCpkFNVI"
     "4pVreWEag3XEzrnZURNX+1+pfqWg7w+5SmoPXNgjc1d7C/fZsIqqxXQ9bYi/MBoUrlzXhQ6rCHIS"
     "o2Eu/FbdEGFSvFnI4N0=",
     offsetof(struct rsa_numbers, q), 128},
    {"B4ZYL7fr+O7UUIO0g+3kGCzgj325/VtSXP6tWC/T1tMM9H+cgwp5U/GVjQSnf1HE3sHKRXVi4Ki9"
     "peqZP1lF3T61u8TQfsfrFCzvk/Ncj8144+2D08fB73LGIbY2CwhyRKUHbMJtwj1pOZEoPz0h2JfY"
     "Qa8mOTGiDjBrdD5G24c=",
     offsetof(struct rsa_numbers, dp), 128},
    {"eL7BzrQoO7xTQe2Q2FTr1YVMjnk1Oj/bWkGDzVuSUtSmhthlio/0WsfpfzSo1P8Sv7prTSRCYPAv"
     "7EFkcSeO3PUc+LD8P9KoEjC6MzcpI/AQguxwAv6w1eTFXAe3f9cGOFaBI9/YRO2wDo6Pym6vBxjk"
     "N230VCI8hLhLilizKsE=",
     offsetof(struct rsa_numbers, dq), 128},
    {"jd0HHO1HMASzAbi20Ika++1MLrsVcTifMQIw3RBF3FU2X/9oB/w6A8QG0e5UM+5VeEzFl4zklo6K"
     "pwUR45KDyB/PaWbA1isEqHNY+dwz6IgAbwiWWz4XDc+NxVLeJ3zPMG1ihVJWhUDynamZwjgpN6ru"
     "cwnHOjSOsZm9PZYB26A=",
     offsetof(struct rsa_numbers, inverse_q), 128},
};
static const char rs256[] =
    "n8Aki3WIxGX80GpbX/tEydyW0wmJx3wqaIBoS2IN2T+0JO5itLQV/Odg+B+NodnLmhidyd3jdE7l"
    "hSc0CJutdckFVBkSqsPE2iBo2kYledn0fp7h3bs0EufxhGALqntRVH/SjmLEbbQCSa8Uc3YIScrM"
    "MSRXurVHApAOhXke2gpeHu0p2yHLLviUYtJwahnpG1+lChUmoQwr6cN8i4q6a9eVb3umAzBLfXRB"
    "avJExiq/dtBWbAnvimPmf8sI6a6fOv/u3LUx/8H/jPy1S57OERnmRuwYBApvJCDrM+8iGPpsz/Xg"
    "IR4XR+4NyCQ9LcXHxubGP4RtU9JMU+Wr2XZmsw==";
static const char ps256[] =
    "HEFY9BYO53/bRRjiAUwFqoel41AuuDMVvaqxVQZQjXhA/guRYjP16h4l9dQVUB7G6eH2+8jwVuN4"
    "+7aqGhGrxWj6Z98sj5739PdJc+iEBBgLfJh/hD7eDKC5qz8TyNRboWkJauf0fyMSIsc5spVlDoI/"
    "9AllC4+yaqEyRz4TfBU3/rAAOF1m87fO2gkdzCzDcS1pezDTyr+eTsDnIKcdTF3jPFOaERq6UQC7"
    "Y40U3ptD/wXw71t6RoWOiWuOHzB6wNv+trZrgPZ5EOtkR1JpsX+j8+decTjypjsBfQ+EXRR5f1Dq"
    "tZrHzQuLp6+w7f4QHcMs2RYm6U5AvA5Lj5DOLw==";
static const char oaep_sha1[] =
    "p/x7EAB+ftFb/+Q7F2YpYHnHfVXB43xF3nHKXDSqUteyR/VHisBcim7U1+S5OZcmgIzh/DI/zQBP"
    "A3BUOlj9JSoPzt9LgUzyBTohGd3pWQMQdU6M0Liv5AOdBLv50zmaL4PivtyvRw7kQOVC9fOA27RC"
    "ihdt/3MJ4KeSHZvFkAmyd+JNKmLg1bQa19/wBd7lTnsB+e+TyG5UcSDH2Uypsvp9hxtddM8bSDzp"
    "nvQbkRmKYWwSBUEQUxmyjndi2a4TLm/ua5ZG3mpthG3dLm7Xch/9r8lNw0pTwf/arrf/8P67QXUn"
    "BKz7/zW8ZzETo98qoAC+6ZmRELnh67Do0RTrSw==";
static const char oaep_sha256[] =
    "e2b8zrGqun0D5xWCka0OINhviDGd9ZHZkxMWqa8snz62O+fS5tE5ig3Rn7qQBFvJ0eMC5GuP8wkS"
    "Tu8XV2giubuDVkzHiirYci3tApXsMdhOICDW+hHWetpHukz4NZp71KSDnrjVwv8ChSVajBTbxMTM"
    "HjYaN+uiAbTvp7Z9ZSHjilGp8yvhOmBeU81m3VSp7ksedrFA0YCdcakRoyCN5XqKe6/TPawC0WAy"
    "xaCVucWakY68QQdU6ivhapSCoPt78HOTSSR2UTMkNtDJ75bf/5QVHTTUZu4W4UuctE6otOuZuO+0"
    "MVfYoG+hFEARPfpqZqnGqxacRrq94AEXZPBNyQ==";

static struct rsa_key *key;

static struct slice decode(const char *text, struct buf *to)
{
    struct err err = ERR_INIT;

    buf_clear(to);
    cr_assert_eq(base64_decode(slice_of(text), to, &err), ERR_OK, "%s", err.text);
    return buf_slice(to);
}

static void fill(struct rsa_numbers *ret)
{
    CLEANUP(buf_deinit) struct buf bytes = BUF_INIT(RSA_KEY_SIZE);

    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        cr_assert_eq(decode(numbers[i].text, &bytes).len, numbers[i].size);
        memcpy((char *)ret + numbers[i].at, bytes.ptr, numbers[i].size);
    }
}

static void enter(void)
{
    struct rsa_numbers n;
    struct err err = ERR_INIT;

    fill(&n);
    cr_assert_eq(rsa_key_load(&n, &key, &err), ERR_OK, "%s", err.text);
}

static void leave(void)
{
    key = rsa_key_free(key);
}

TestSuite(rsa, .init = enter, .fini = leave);

Test(rsa, gives_back_the_numbers_it_was_given)
{
    CLEANUP(buf_deinit) struct buf modulus = BUF_INIT(RSA_KEY_SIZE);
    CLEANUP(buf_deinit) struct buf exponent = BUF_INIT(RSA_KEY_SIZE);
    struct rsa_numbers want, got;

    fill(&want);
    rsa_key_numbers(key, &got);
    cr_assert_arr_eq(&got, &want, sizeof want);
    rsa_key_public(key, &modulus, &exponent);
    cr_assert(slice_eq(buf_slice(&exponent), SLICE("\1\0\1")));
    cr_assert_arr_eq(modulus.ptr, want.modulus, sizeof want.modulus);
}

Test(rsa, signs_rs256_as_others_do)
{
    CLEANUP(buf_deinit) struct buf want = BUF_INIT(RSA_KEY_SIZE);
    CLEANUP(buf_deinit) struct buf got = BUF_INIT(RSA_KEY_SIZE);

    rsa_key_sign(key, RSA_RS256, SLICE("header.claims"), &got);
    cr_assert(slice_eq(buf_slice(&got), decode(rs256, &want)));
    cr_assert(rsa_key_verify(key, RSA_RS256, SLICE("header.claims"), buf_slice(&got)));
    cr_assert_not(rsa_key_verify(key, RSA_RS256, SLICE("header.claim"), buf_slice(&got)));
    cr_assert_not(rsa_key_verify(key, RSA_PS256, SLICE("header.claims"), buf_slice(&got)));
}

/* Each signature has a salt of its own, so ours is held against the check that takes theirs. */
Test(rsa, signs_ps256_as_others_do)
{
    CLEANUP(buf_deinit) struct buf theirs = BUF_INIT(RSA_KEY_SIZE);
    CLEANUP(buf_deinit) struct buf ours = BUF_INIT(RSA_KEY_SIZE);

    cr_assert(rsa_key_verify(key, RSA_PS256, SLICE("header.claims"), decode(ps256, &theirs)));
    rsa_key_sign(key, RSA_PS256, SLICE("header.claims"), &ours);
    cr_assert(rsa_key_verify(key, RSA_PS256, SLICE("header.claims"), buf_slice(&ours)));
    cr_assert_not(slice_eq(buf_slice(&ours), buf_slice(&theirs)));
    ours.ptr[9] ^= 1;
    cr_assert_not(rsa_key_verify(key, RSA_PS256, SLICE("header.claims"), buf_slice(&ours)));
}

Test(rsa, decrypts_what_is_for_it_with_the_right_hash_only)
{
    static const struct {
        const char *text;
        enum rsa_hash right, wrong;
    } rows[] = {{oaep_sha1, RSA_SHA1, RSA_SHA256}, {oaep_sha256, RSA_SHA256, RSA_SHA1}};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(buf_deinit) struct buf bytes = BUF_INIT(RSA_KEY_SIZE);
        CLEANUP(buf_deinit) struct buf plain = BUF_INIT(RSA_KEY_SIZE);
        struct err err = ERR_INIT;

        (void)decode(rows[i].text, &bytes);
        cr_assert_eq(rsa_key_decrypt(key, rows[i].wrong, buf_slice(&bytes), &plain, &err),
                     ERR_INVALID);
        cr_assert_eq(plain.len, 0);
        cr_assert_eq(rsa_key_decrypt(key, rows[i].right, buf_slice(&bytes), &plain, &err), ERR_OK,
                     "row %zu: %s", i, err.text);
        cr_assert_eq(plain.len, 32);
        for (size_t at = 0; at < plain.len; at++)
            cr_assert_eq(plain.ptr[at], (char)at);
        cr_assert_eq(
            rsa_key_decrypt(key, rows[i].right, slice_head(buf_slice(&bytes), 255), &plain, &err),
            ERR_INVALID);
    }
}

Test(rsa, makes_keys_that_work)
{
    CLEANUP(buf_deinit) struct buf signature = BUF_INIT(RSA_KEY_SIZE);
    struct rsa_key *made = rsa_key_new(), *again;
    struct rsa_numbers n;
    struct err err = ERR_INIT;

    rsa_key_numbers(made, &n);
    cr_assert_eq(rsa_key_load(&n, &again, &err), ERR_OK, "%s", err.text);
    rsa_key_sign(again, RSA_RS256, SLICE("x"), &signature);
    cr_assert_eq(signature.len, RSA_KEY_SIZE);
    cr_assert(rsa_key_verify(made, RSA_RS256, SLICE("x"), buf_slice(&signature)));
    cr_assert_not(rsa_key_verify(key, RSA_RS256, SLICE("x"), buf_slice(&signature)));
    rsa_key_free(made);
    rsa_key_free(again);
}

Test(rsa, refuses_numbers_that_do_not_belong_together)
{
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        struct rsa_key *broken = NULL;
        struct rsa_numbers n;
        struct err err = ERR_INIT;

        if (numbers[i].size != RSA_KEY_SIZE && numbers[i].size != RSA_EXPONENT_SIZE)
            continue; /* libcrypto looks at those only while it signs, and finds another way */
        fill(&n);
        memset((char *)&n + numbers[i].at, i == 0 ? 0 : 0x5a, numbers[i].size);
        cr_assert_eq(rsa_key_load(&n, &broken, &err), ERR_INVALID, "number %zu", i);
        cr_assert_null(broken);
    }
}

/* ---- AES ---- */

/* NIST SP 800-38A, F.2.5 and F.2.6. */
static const unsigned char aes_key[] = {
    0x60, 0x3d, 0xeb, 0x10, 0x15, 0xca, 0x71, 0xbe, 0x2b, 0x73, 0xae, 0xf0, 0x85, 0x7d, 0x77, 0x81,
    0x1f, 0x35, 0x2c, 0x07, 0x3b, 0x61, 0x08, 0xd7, 0x2d, 0x98, 0x10, 0xa3, 0x09, 0x14, 0xdf, 0xf4};
static const unsigned char aes_iv[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static const unsigned char aes_coded[] = {
    0xf5, 0x8c, 0x4c, 0x04, 0xd6, 0xe5, 0xf1, 0xba, 0x77, 0x9e, 0xab, 0xfb, 0x5f, 0x7b, 0xfb, 0xd6,
    0x9c, 0xfc, 0x4e, 0x96, 0x7e, 0xdb, 0x80, 0x8d, 0x67, 0x9f, 0x77, 0x7b, 0xc6, 0x70, 0x2c, 0x7d};
static const unsigned char aes_plain[] = {
    0x6b, 0xc1, 0xbe, 0xe2, 0x2e, 0x40, 0x9f, 0x96, 0xe9, 0x3d, 0x7e, 0x11, 0x73, 0x93, 0x17, 0x2a,
    0xae, 0x2d, 0x8a, 0x57, 0x1e, 0x03, 0xac, 0x9c, 0x9e, 0xb7, 0x6f, 0xac, 0x45, 0xaf, 0x8e, 0x51};

Test(aes, agrees_with_the_standard)
{
    CLEANUP(buf_deinit) struct buf plain = BUF_INIT(64);
    struct slice coded = slice_make((const char *)aes_coded, sizeof aes_coded);
    struct err err = ERR_INIT;

    /* The standard's text has no padding, so nothing is taken off. */
    cr_assert_eq(aes_decrypt(aes_key, aes_iv, coded, &plain, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(plain.len, sizeof aes_plain);
    cr_assert_arr_eq(plain.ptr, aes_plain, sizeof aes_plain);
}

/* What "printf TEXT | openssl enc -aes-256-cbc" makes with this key. */
Test(aes, takes_the_padding_off)
{
    static const struct {
        const char *plain, *coded;
    } rows[] = {
        {"", "fpJI5dgpynWT8MVJ2y9bjA=="},
        {"{}", "ZjixVii6/fCKAtG3sgvfMw=="},
        {"0123456789abcde", "hMR13tgjLdllUCu3CE28sQ=="},
        {"0123456789abcdef", "r3mC9nj0mL4FPw7Aa8VHyvgdq5Ai8QCZkc31oCqGSl0="},
        {"{\"a\":\"0123456789\"}", "9unV6WET0K/IeJaeahASyGFvDfzwhYb8/mw3SDeajjo="},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(buf_deinit) struct buf bytes = BUF_INIT(100);
        CLEANUP(buf_deinit) struct buf plain = BUF_INIT(100);
        struct err err = ERR_INIT;

        buf_add_str(&plain, "+");
        cr_assert_eq(aes_decrypt(aes_key, aes_iv, decode(rows[i].coded, &bytes), &plain, &err),
                     ERR_OK, "%s", err.text);
        cr_assert_str_eq(plain.ptr + 1, rows[i].plain);
    }
}

Test(aes, refuses_what_is_no_whole_number_of_blocks)
{
    CLEANUP(buf_deinit) struct buf plain = BUF_INIT(16);
    struct slice coded = slice_make((const char *)aes_coded, sizeof aes_coded);
    struct err err = ERR_INIT;

    for (size_t n = 0; n < sizeof aes_coded; n++)
        if (n != AES_BLOCK_SIZE)
            cr_assert_eq(aes_decrypt(aes_key, aes_iv, slice_head(coded, n), &plain, &err),
                         ERR_INVALID, "%zu", n);
    cr_assert_eq(aes_decrypt(aes_key, aes_iv, coded, &plain, &err), ERR_LIMIT);
}
