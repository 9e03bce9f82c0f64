/* What ostler-init and the sandbox read from each other: any bytes are read or refused, and never past their end. */
#include "sandbox/init/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte says in which order the fields are asked for. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_in in = {0};
    struct err err = ERR_INIT;
    unsigned order = size ? data[0] : 0;

    if (size == 0 || wire_parse(slice_make((const char *)data + 1, size - 1), &in, &err) < 0)
        return 0;
    for (int i = 0; i < 8; i++, order >>= 1) {
        if (order & 1) {
            for (const char *const *text = wire_list(&in); *text; text++)
                if (strlen(*text) > size)
                    BUG("a text is longer than the message");
        } else if (strlen(wire_str(&in)) > size) {
            BUG("a text is longer than the message");
        }
        (void)wire_u32(&in);
    }
    (void)!wire_check(&in, &err);
    wire_deinit(&in);
    return 0;
}
