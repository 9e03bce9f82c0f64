#include "plugin/rules.h"

#include <ctype.h>

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-';
}

static bool is_part(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_name_char(s.ptr[i]) && s.ptr[i] != '.')
            return false;
    return s.len && !slice_eq(s, SLICE(".")) && !slice_eq(s, SLICE(".."));
}

bool rules_is_id(struct slice s)
{
    struct slice part;
    int n = 0;

    if (s.len > 200)
        return false;
    for (; slice_split(&s, '/', &part); n++)
        if (!is_part(part))
            return false;
    return n >= 2;
}

bool rules_is_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_name_char(s.ptr[i]))
            return false;
    return s.len && s.len <= 100;
}
