/*
 * wrap: words in lines.
 */
#ifndef WEIR_BASE_WRAP_H
#define WEIR_BASE_WRAP_H

#include "base/text.h"

/* Of lines on so wide a terminal; 0: it is none. */
size_t text_wrap_width(size_t columns);
/* The first line goes on where the text stands, `indent` columns in; the last one ends. */
void text_add_wrapped(struct text *t, const char *words, size_t indent, size_t width);

#endif
