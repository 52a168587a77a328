/*
 * refusal: which answers mean "I have no slot for you". Pure.
 *
 * MODEL   A table of signatures (status, a text the body contains, whose it is). A refusal
 *         was not acted upon by the server, and says that its limit was met.
 */
#ifndef WEIR_FLOW_REFUSAL_H
#define WEIR_FLOW_REFUSAL_H

#include "base/slice.h"

/* The server kind whose refusal this is ("fasthttp"), or NULL. `body` may be a prefix. */
const char *refusal_match(uint16_t status, struct slice body);
/* Whether a server's words of refusal are in a text, whatever status it was handed on with. */
bool refusal_is_quoted(struct slice text);

#endif
