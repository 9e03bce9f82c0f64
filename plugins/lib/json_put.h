/* json_put - writes texts as JSON. */
#pragma once

#include "text.h"

/* TEXT in quotes. What is no UTF-8 becomes U+FFFD. */
void json_put_text(struct sink *k, const char *text);
