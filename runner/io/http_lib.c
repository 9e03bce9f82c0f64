#include "io/http_lib.h"

#include "io/late.h"

struct http_lib http_lib;

int http_lib_load(struct err *err)
{
    static const struct late_symbol symbols[] = {
        {"curl_global_init", &http_lib.global_init},
        {"curl_easy_init", &http_lib.easy_init},
        {"curl_easy_cleanup", &http_lib.easy_cleanup},
        {"curl_easy_setopt", &http_lib.easy_setopt},
        {"curl_easy_getinfo", &http_lib.easy_getinfo},
        {"curl_easy_strerror", &http_lib.easy_strerror},
        {"curl_easy_send", &http_lib.easy_send},
        {"curl_easy_recv", &http_lib.easy_recv},
        {"curl_slist_append", &http_lib.slist_append},
        {"curl_slist_free_all", &http_lib.slist_free_all},
        {"curl_url", &http_lib.url_new},
        {"curl_url_set", &http_lib.url_set},
        {"curl_url_get", &http_lib.url_get},
        {"curl_url_cleanup", &http_lib.url_cleanup},
        {"curl_free", &http_lib.text_free},
        {"curl_multi_init", &http_lib.multi_init},
        {"curl_multi_cleanup", &http_lib.multi_cleanup},
        {"curl_multi_setopt", &http_lib.multi_setopt},
        {"curl_multi_assign", &http_lib.multi_assign},
        {"curl_multi_add_handle", &http_lib.multi_add},
        {"curl_multi_remove_handle", &http_lib.multi_remove},
        {"curl_multi_info_read", &http_lib.multi_info_read},
        {"curl_multi_socket_action", &http_lib.multi_action},
        {0},
    };

    if (http_lib.multi_action)
        return ERR_OK;
    int r = late_load("libcurl.so.4", "libcurl4", symbols, err);
    if (r == ERR_OK && http_lib.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        r = err_set(err, ERR_FAILED, "libcurl cannot be set up");
    return r;
}
