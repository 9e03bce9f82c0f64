#include "blobs/message.h"

#include "base/fd.h"
#include "blobs/blobs.h"

#include <unistd.h>

int message_file(const json_t *request, int *ret, struct err *err)
{
    char *text = json_dumps(request, JSON_COMPACT);

    if (!text)
        return err_set(err, ERR_INVALID, "a request with texts that are not UTF-8");
    int r = fd_memory(slice_of(text), ret, err);
    explicit_bzero(text, strlen(text));
    free(text);
    return r;
}

int message_read(int fd, json_t **ret, struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(BLOBS_REQUEST_MAX);
    json_error_t why;
    int r = fd_read_all(fd, &text, err);

    if (r < 0)
        return r;
    json_t *json = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &why);
    explicit_bzero(text.ptr, text.len);
    if (!json_is_object(json)) {
        json_decref(json);
        return err_set(err, ERR_INVALID, "a malformed request");
    }
    *ret = json;
    return ERR_OK;
}

void message_send(int fd, json_t *take_message)
{
    CLEANUP(free_ptr) char *text = json_dumps(take_message, JSON_COMPACT);
    struct err ignored = ERR_INIT; /* nobody is there to hear it */

    if (text && fd_write_all(fd, slice_of(text), &ignored) == ERR_OK)
        (void)!fd_write_all(fd, SLICE("\n"), &ignored);
    json_decref(take_message);
}

/* A text of ours may quote a name that is no UTF-8. */
static json_t *text_json(const char *text)
{
    json_t *json = json_string(text);

    return json ? json : json_string("(its text is not UTF-8)");
}

json_t *message_end(int r, json_t *take_answer, const struct err *err)
{
    json_t *end = take_answer && r == ERR_OK ? take_answer : json_object();

    if (end != take_answer)
        json_decref(take_answer);
    json_object_set_new(end, "code", json_integer(r));
    if (r < 0) {
        json_object_set_new(end, "sys", json_integer(err->sys));
        json_object_set_new(end, "text", text_json(err->text));
    }
    return end;
}

int message_error(const json_t *end, struct err *err)
{
    const json_t *code = json_object_get(end, "code");
    const char *text = json_string_value(json_object_get(end, "text"));
    int64_t r = json_integer_value(code);

    if (json_is_integer(code) && r == ERR_OK)
        return ERR_OK;
    if (!json_is_integer(code) || r < ERR_FAILED || r > ERR_OK || !text || !*text)
        return err_set(err, ERR_FAILED, "a malformed answer");
    (void)err_set(err, (int)r, "%s", text);
    err->sys = (int)json_integer_value(json_object_get(end, "sys"));
    return err->code;
}

static bool is_c_string(const json_t *text)
{
    return json_is_string(text) && strlen(json_string_value(text)) == json_string_length(text);
}

int message_text(const json_t *ask, const char *name, const char **ret, struct err *err)
{
    const json_t *text = json_object_get(ask, name);

    if (!is_c_string(text))
        return err_set(err, ERR_INVALID, "'%s' is missing, or no text", name);
    *ret = json_string_value(text);
    return ERR_OK;
}

int message_texts(const json_t *ask, const char *name, size_t max, struct arena *a,
                  const char *const **ret, size_t *ret_n, struct err *err)
{
    const json_t *array = json_object_get(ask, name), *one;
    size_t n = json_array_size(array), i;

    if (n == 0)
        return err_set(err, ERR_INVALID, "'%s' is missing, or empty", name);
    if (n > max)
        return err_set(err, ERR_LIMIT, "'%s' has more than %zu texts", name, max);
    const char **list = arena_array(a, n + 1, sizeof *list);
    json_array_foreach (array, i, one) {
        if (!is_c_string(one))
            return err_set(err, ERR_INVALID, "in '%s' is something that is no text", name);
        list[i] = json_string_value(one);
    }
    *ret = list;
    *ret_n = n;
    return ERR_OK;
}

int message_number(const json_t *ask, const char *name, int64_t min, int64_t max, int64_t fallback,
                   int64_t *ret, struct err *err)
{
    const json_t *number = json_object_get(ask, name);
    int64_t n = number ? json_integer_value(number) : fallback;

    if ((number && !json_is_integer(number)) || n < min || n > max)
        return err_set(err, ERR_INVALID, "'%s' is no number from %lld to %lld", name,
                       (long long)min, (long long)max);
    *ret = n;
    return ERR_OK;
}
