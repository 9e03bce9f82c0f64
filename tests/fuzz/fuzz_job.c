/* A job message: what is accepted is written and read again without a change. */
#include "job/job.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Writes the job that TEXT holds; NULL: it holds none. */
static char *rewrite(struct slice text, size_t *ret_size, struct err *err)
{
    char *again = NULL;
    struct job j;

    job_init(&j);
    if (job_parse(&j, text, err) == ERR_OK)
        again = job_format(&j, ret_size);
    job_deinit(&j);
    return again;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct err err = ERR_INIT;
    size_t size1, size2, size3;
    char *once = rewrite(slice_make((const char *)bytes, size), &size1, &err);

    if (!once)
        return 0;
    char *twice = rewrite(slice_make(once, size1), &size2, &err);
    char *thrice = twice ? rewrite(slice_make(twice, size2), &size3, &err) : NULL;
    if (!thrice)
        BUG("cannot read back '%s': %s", once, err.text);
    if (!slice_eq(slice_make(twice, size2), slice_make(thrice, size3)))
        BUG("'%s' became '%s'", twice, thrice);
    free(once);
    free(twice);
    free(thrice);
    return 0;
}
