/* What servers answer to a plugin's transfers: lists of artifacts, addresses, headers; and what the processes of a
 * transfer tell each other. The first byte picks which of these. */
#include "blobs/artifacts.h"
#include "blobs/fetch.h"
#include "blobs/message.h"
#include "blobs/service.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void header(struct slice text)
{
    struct http_answer answer = {.headers = BUF_INIT(HTTP_HEADERS_MAX),
                                 .body = BUF_INIT(HTTP_ANSWER_MAX)};
    char name[256];

    buf_add(&answer.headers, text);
    fetch_file_name(http_header(&answer, "Content-Disposition"), name);
    if (strchr(name, '/') || strcmp(name, "..") == 0 || strcmp(name, ".") == 0)
        BUG("'%s' is no name of a file", name);
    http_answer_deinit(&answer);
}

static void list(const json_t *answer)
{
    json_t *all = artifacts_parse(answer), *one;
    json_int_t last = INT64_MAX;
    size_t i;

    json_array_foreach (all, i, one) {
        json_int_t id = json_integer_value(json_object_get(one, "id"));

        if (id < 0 || id > last || !json_string_value(json_object_get(one, "name")))
            BUG("artifact %zu is not whole, or not in its place", i);
        last = id;
    }
    json_decref(all);
}

static void end(const json_t *answer)
{
    struct err err = ERR_INIT;
    int64_t number;

    if (message_error(answer, &err) < 0 && !err.text[0])
        BUG("an error without a text");
    (void)service_text(answer, "signed_url");
    (void)service_number(answer, "entry_id");
    (void)!message_number(answer, "id", 0, 5, 0, &number, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make((const char *)data + 1, size ? size - 1 : 0);

    if (!size)
        return 0;
    if (data[0] == 'h') {
        header(text);
        return 0;
    }
    json_t *answer = json_loadb(text.ptr, text.len, 0, NULL);
    if (data[0] == 'l')
        list(answer);
    else
        end(answer);
    json_decref(answer);
    return 0;
}
