/* Patterns of artifact names: whatever they are, asking stays within bounds and ends, a "!" in front turns the
 * answer round, and a name with every byte escaped is a pattern for that name. Pattern and name are separated by
 * a NUL byte. */
#include "names.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *copy(const uint8_t *from, size_t size, const char *start)
{
    size_t n = strlen(start);
    char *text = malloc(n + size + 1); /* to the byte, so that a read past the end is seen */

    if (!text)
        abort();
    memcpy(text, start, n);
    memcpy(text + n, from, size);
    text[n + size] = '\0';
    return text;
}

/* NUL-terminated; each byte of NAME behind a backslash. */
static char *escaped(const char *name)
{
    size_t n = strlen(name);
    char *text = malloc(2 * n + 1);

    if (!text)
        abort();
    for (size_t i = 0; i < n; i++) {
        text[2 * i] = '\\';
        text[2 * i + 1] = name[i];
    }
    text[2 * n] = '\0';
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size ? memchr(data, '\0', size) : NULL;
    size_t n = nul ? (size_t)(nul - data) : size;
    char *pattern = copy(data, n, ""), *turned = copy(data, n, "!");
    char *name =
        nul ? copy(nul + 1, strnlen((const char *)nul + 1, size - n - 1), "") : copy(data, 0, "");
    char *same = escaped(name);
    bool fits = names_match(pattern, name);

    if (n < NAMES_SIZE_MAX && strlen(name) <= NAMES_SIZE_MAX && pattern[0] != '#' &&
        names_match(turned, name) == fits)
        abort();
    if (strlen(same) <= NAMES_SIZE_MAX && *name && !names_match(same, name))
        abort();
    free(pattern);
    free(turned);
    free(name);
    free(same);
    return 0;
}
