/* http_lib - libcurl, as it was loaded. Private to io/http*.c. */
#pragma once

#include "base/err.h"

#define CURL_DISABLE_TYPECHECK   /* our functions are pointers */
#define CURL_DISABLE_DEPRECATION /* what is new in place of the old is not there in Ubuntu 22.04 */
#include <curl/curl.h>

struct http_lib {
    __typeof__(curl_global_init) *global_init;
    __typeof__(curl_easy_init) *easy_init;
    __typeof__(curl_easy_cleanup) *easy_cleanup;
    __typeof__(curl_easy_setopt) *easy_setopt;
    __typeof__(curl_easy_getinfo) *easy_getinfo;
    __typeof__(curl_easy_strerror) *easy_strerror;
    __typeof__(curl_easy_send) *easy_send;
    __typeof__(curl_easy_recv) *easy_recv;
    __typeof__(curl_slist_append) *slist_append;
    __typeof__(curl_slist_free_all) *slist_free_all;
    __typeof__(curl_url) *url_new;
    __typeof__(curl_url_set) *url_set;
    __typeof__(curl_url_get) *url_get;
    __typeof__(curl_url_cleanup) *url_cleanup;
    __typeof__(curl_free) *text_free;
    __typeof__(curl_multi_init) *multi_init;
    __typeof__(curl_multi_cleanup) *multi_cleanup;
    __typeof__(curl_multi_setopt) *multi_setopt;
    __typeof__(curl_multi_assign) *multi_assign;
    __typeof__(curl_multi_add_handle) *multi_add;
    __typeof__(curl_multi_remove_handle) *multi_remove;
    __typeof__(curl_multi_info_read) *multi_info_read;
    __typeof__(curl_multi_socket_action) *multi_action; /* last, it says that all is loaded */
};

extern struct http_lib http_lib;

/* With the first client; again it does nothing. ERR_NOT_FOUND: there is none, and what to install. */
MUST_CHECK int http_lib_load(struct err *err);
