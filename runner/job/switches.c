#include "job/switches.h"

#include "base/attr.h"
#include "base/percent.h"
#include "sandbox/view.h"

#include <unistd.h>

const char *switch_text(const char *name)
{
    const char *value = view_env((const char *const *)environ, name);

    return value && *value ? value : NULL;
}

/* Of "http://user:password@host"; empty: there is none. */
static struct slice password_of(const char *url)
{
    struct slice rest = slice_of(url);
    ssize_t begin = slice_find(rest, SLICE("://"));

    rest = slice_from(rest, begin < 0 ? 0 : (size_t)begin + 3);
    rest = slice_head(rest, rest.len ? strcspn(rest.ptr, "/?#") : 0);
    while (rest.len && rest.ptr[rest.len - 1] != '@') /* the last one: passwords may hold others */
        rest.len--;
    ssize_t colon = slice_find_char(rest, ':');
    return rest.len == 0 || colon < 0
               ? SLICE("")
               : slice_make(rest.ptr + colon + 1, rest.len - (size_t)colon - 2);
}

void switches_mask(struct mask *mask)
{
    static const char *const names[] = {"http_proxy", "https_proxy", "all_proxy",
                                        "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct slice password = password_of(switch_text(names[i]));
        struct buf plain = BUF_INIT(password.len + 1);

        if (password.len == 0)
            continue;
        mask_add(mask, password);
        percent_decode(password, &plain);
        mask_add(mask, buf_slice(&plain));
        explicit_bzero(plain.ptr, plain.len);
        buf_deinit(&plain);
    }
}

bool switch_means_on(const char *value, bool loose)
{
    struct slice text = slice_of(value);

    return slice_eq_nocase(text, SLICE("true")) ||
           (loose && (slice_eq(text, SLICE("1")) || slice_eq_nocase(text, SLICE("$true"))));
}

bool switch_is_on(const char *name)
{
    return switch_means_on(switch_text(name), true);
}
