/*
 * ask: one question over a Unix socket, and all that comes back until the other side
 * closes. For tools that read gauges now and then; servers use io/sock.h.
 *
 * CONTEXT blocks for up to `wait_for`.
 */
#ifndef WEIR_IO_ASK_H
#define WEIR_IO_ASK_H

#include "base/text.h"

/* Appends to `answer`. False: nobody listens there, or the end did not come in time. */
MUST_USE bool ask_unix(
	const char *path, struct slice question, ns_t wait_for, struct text *answer);

#endif
