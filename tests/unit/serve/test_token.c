#include "serve/token.h"

#include "base/base64.h"

#include <criterion/criterion.h>

static const struct token_key key = {"the key of this run"}, other = {"the key of another"};

static json_t *claims(int64_t expires)
{
    return json_pack("{s:s, s:I}", "job", "j1", "exp", (json_int_t)expires);
}

static char *token_of(const struct token_key *k, int64_t expires)
{
    json_t *c = claims(expires);
    char *token = token_make(k, c);

    json_decref(c);
    return token;
}

Test(token, says_what_it_was_made_of)
{
    CLEANUP(free_ptr) char *token = token_of(&key, 1000);
    struct err err = ERR_INIT;
    json_t *got = NULL, *want = claims(1000);

    cr_assert_eq(token_read(&key, slice_of(token), 999, &got, &err), ERR_OK, "%s", err.text);
    cr_assert(json_equal(got, want));
    json_decref(got);
    json_decref(want);
}

Test(token, can_be_read_by_clients_that_do_not_know_the_key)
{
    CLEANUP(free_ptr) char *token = token_of(&key, 1000);
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(1000);
    struct slice rest = slice_of(token), part;
    struct err err = ERR_INIT;

    cr_assert(slice_split(&rest, '.', &part) && slice_split(&rest, '.', &part));
    cr_assert_eq(base64_decode(part, &text, &err), ERR_OK);
    cr_assert_str_eq(text.ptr, "{\"job\":\"j1\",\"exp\":1000}");
}

Test(token, is_refused_when_anything_of_it_was_changed)
{
    CLEANUP(free_ptr) char *token = token_of(&key, 1000);
    size_t len = strlen(token);
    struct err err = ERR_INIT;
    json_t *got = NULL;

    for (size_t i = 0; i < len; i++) {
        char was = token[i];

        /* the last character has bits that stand for nothing */
        token[i] = was == 'B' ? 'x' : 'B';
        if (i + 1 < len || was != 'A')
            cr_assert_eq(token_read(&key, slice_of(token), 0, &got, &err), ERR_DENIED, "at %zu", i);
        token[i] = was;
        cr_assert_eq(token_read(&key, slice_make(token, i), 0, &got, &err), ERR_DENIED, "%zu", i);
    }
    cr_assert_null(got);
}

Test(token, is_refused_by_another_run_and_when_its_time_is_over)
{
    CLEANUP(free_ptr) char *token = token_of(&key, 1000);
    struct err err = ERR_INIT;
    json_t *got = NULL;

    cr_assert_eq(token_read(&other, slice_of(token), 0, &got, &err), ERR_DENIED);
    cr_assert_eq(token_read(&key, slice_of(token), 1000, &got, &err), ERR_DENIED);
    cr_assert_str_eq(err.text, "the token of this job has expired");
}

Test(token, the_unsigned_kind_is_no_token)
{
    static const char *const rows[] = {
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "eyJhbGciOiJub25lIn0.eyJqb2IiOiJ4IiwiZXhwIjo5OTk5OTk5OTk5fQ.",
        "eyJhbGciOiJub25lIn0.eyJqb2IiOiJ4IiwiZXhwIjo5OTk5OTk5OTk5fQ"};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err = ERR_INIT;
        json_t *got = NULL;

        cr_assert_eq(token_read(&key, slice_of(rows[i]), 0, &got, &err), ERR_DENIED, "%s", rows[i]);
    }
}

Test(token, an_address_is_signed_for_one_verb_one_path_and_a_time)
{
    char sig[TOKEN_SIGNATURE_SIZE];

    token_sign(&key, "r", "/ostler/artifacts/1", 500, sig);
    cr_assert(token_allows(&key, "r", "/ostler/artifacts/1", 500, slice_of(sig), 499));
    cr_assert_not(token_allows(&key, "r", "/ostler/artifacts/1", 500, slice_of(sig), 500));
    cr_assert_not(token_allows(&key, "w", "/ostler/artifacts/1", 500, slice_of(sig), 0));
    cr_assert_not(token_allows(&key, "r", "/ostler/artifacts/2", 500, slice_of(sig), 0));
    cr_assert_not(token_allows(&key, "r", "/ostler/artifacts/1", 501, slice_of(sig), 0));
    cr_assert_not(token_allows(&other, "r", "/ostler/artifacts/1", 500, slice_of(sig), 0));
    cr_assert_not(token_allows(&key, "r", "/ostler/artifacts/1", 500, SLICE(""), 0));
}
