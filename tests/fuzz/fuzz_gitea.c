/* What a Gitea server answers: a task out of it becomes a job that a worker reads, or a reason in one line. The first byte
 * says how the rest is taken: as an answer of its own, or as the workflow of a task that is otherwise sound. */
#include "queue/gitea/connect.h"
#include "queue/gitea/settings.h"
#include "queue/gitea/task.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static struct gitea_settings settings;

static void make_settings(void)
{
    json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:[s]}", "uuid", "u", "name", "n", "token", "t",
                             "address", "http://h", "labels", "a:docker://i");
    struct err err = ERR_INIT;

    if (gitea_settings_read(json, &settings, &err) != ERR_OK)
        BUG("%s", err.text);
    json_decref(json);
}

static void pass_on(struct job *j)
{
    struct err err = ERR_INIT;
    struct job again;
    size_t size;

    j->dir = "/d";
    j->isolation = "host";
    char *text = job_format(j, &size);
    job_init(&again);
    if (job_parse(&again, slice_make(text, size), &err) != ERR_OK)
        BUG("a worker does not take '%s': %s", text, err.text);
    job_deinit(&again);
    free(text);
}

static void take(const json_t *json)
{
    const struct task_spec spec = {
        .settings = &settings, .registration = "r", .version = "1", .capabilities = "job-summary"};
    struct err err = ERR_INIT;
    struct task t;

    if (task_read(json, &spec, &t, &err) != ERR_OK)
        return;
    bool runs = t.fate == TASK_RUN || t.fate == TASK_CALL;
    if (runs != (t.job != NULL) || runs == (t.reason.len > 0) ||
        (t.fate == TASK_CALL) != (t.call != NULL))
        BUG("fate %d", (int)t.fate);
    if (t.fate == TASK_RUN)
        pass_on(t.job);
    task_deinit(&t);
}

static char *base64(const uint8_t *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *out = mem_new(size * 4 / 3 + 5), *p = out;

    for (size_t i = 0; i < size; i += 3) {
        unsigned v = (unsigned)bytes[i] << 16 | (i + 1 < size ? (unsigned)bytes[i + 1] << 8 : 0) |
                     (i + 2 < size ? (unsigned)bytes[i + 2] : 0);

        *p++ = digits[v >> 18];
        *p++ = digits[v >> 12 & 63];
        *p++ = i + 1 < size ? digits[v >> 6 & 63] : '=';
        *p++ = i + 2 < size ? digits[v & 63] : '=';
    }
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct connect_fault fault;
    json_t *json = NULL;

    if (!settings.address)
        make_settings();
    if (size < 1)
        return 0;
    if (bytes[0] == 'y') {
        char *coded = base64(bytes + 1, size - 1);

        json = json_pack("{s:s, s:s, s:{s:{}}}", "id", "1", "workflowPayload", coded, "context",
                         "event");
        take(json);
        free(coded);
    } else if (connect_read(bytes[0] == 'e' ? 500 : 200,
                            slice_make((const char *)bytes + 1, size - 1), &json, &fault)) {
        take(json);
        take(json_object_get(json, "task"));
    }
    json_decref(json);
    return 0;
}
