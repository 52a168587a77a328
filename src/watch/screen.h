/*
 * screen: where the report goes: drawn over itself on a terminal, appended elsewhere.
 *
 * RULES   1. Colour only on a terminal, and not with NO_COLOR (https://no-color.org) or
 *            TERM=dumb.
 */
#ifndef WEIR_WATCH_SCREEN_H
#define WEIR_WATCH_SCREEN_H

#include "base/text.h"

struct screen {
	int fd;
	bool terminal, colour;
	bool drawn;  /* there is something to draw over */
	int stop_fd; /* readable when a reader that does not read is not to be waited for
			any more; -1: there is none */
};

void screen_init(struct screen *s, int fd);
/* Of the terminal, as wide as it is now; 0: it is none. */
size_t screen_columns(const struct screen *s);
/* As it is. False: errno says why; ECANCELED: told to stop, some may have been written. */
MUST_USE bool screen_write(struct screen *s, struct slice text);
/* On a terminal in place of what was shown, cut to its size, which shows; elsewhere appended
 * with an empty line before all but the first. */
MUST_USE bool screen_show(struct screen *s, struct slice text);

#endif
