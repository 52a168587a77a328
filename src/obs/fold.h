/*
 * fold: a text as its signature sees it: without what changes from one error to the next, such as
 * numbers, times, and the names of requests. Pure.
 *
 * RULES   1. A word (letters and digits of ASCII) with a digit in it is one '0': "request 17",
 *            "req_8hK2jS".
 *         2. So is an identifier in groups, which begins with eight hexadecimal digits or more:
 *            "9f86d081-884c-4d65-aabc-fade0badcafe", of which a group may have no digit.
 *         3. All else stays as it is.
 * COST    O(1) a byte.
 */
#ifndef WEIR_OBS_FOLD_H
#define WEIR_OBS_FOLD_H

#include "base/slice.h"

/* Into `out`, which has room for the whole text; how many bytes that are. */
size_t fold(struct slice text, char *out);

#endif
