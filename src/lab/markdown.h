/*
 * markdown: text that others wrote, put into Markdown (CommonMark, and GitHub's tables) so
 * that it reads as it was written and marks nothing up.
 */
#ifndef WEIR_LAB_MARKDOWN_H
#define WEIR_LAB_MARKDOWN_H

#include "base/text.h"

/* On one line, with every sign that could mark up behind a backslash. */
void markdown_add(struct text *t, const char *words);
/* Verbatim, in a fence longer than any in it. */
void markdown_add_block(struct text *t, const char *words);

#endif
