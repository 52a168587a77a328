#include "watch/screen.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

void screen_init(struct screen *s, int fd)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");
	bool dumb = !term || !strcmp(term, "dumb");

	*s = (struct screen){ .fd = fd, .terminal = isatty(fd) && !dumb };
	s->colour = s->terminal && !(no_color && *no_color);
}

bool screen_write(struct screen *s, struct slice text)
{
	while (text.len) {
		ssize_t n = write(s->fd, text.ptr, text.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		text = slice_cut(text, (size_t)n, text.len);
	}
	return true;
}

/* One line cut to `columns`; escape sequences have no width and are never cut. */
static void add_clipped(struct text *out, struct slice line, size_t columns)
{
	bool escape = false;
	size_t column = 0;

	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.ptr[i];

		if (c == '\033')
			escape = true;
		if (escape) {
			text_add_char(out, (char)c);
			escape = c != 'm';
			continue;
		}
		column += (c & 0xc0) != 0x80;
		if (column <= columns)
			text_add_char(out, (char)c);
	}
}

bool screen_show(struct screen *s, struct slice text)
{
	struct winsize size = { 0 };
	struct text out;
	size_t rows;
	bool ok;

	text_init(&out);
	if (!s->terminal) {
		text_add(&out, s->drawn ? "\n" : "");
		text_add_slice(&out, text);
	} else {
		if (ioctl(s->fd, TIOCGWINSZ, &size) < 0 || !size.ws_row || !size.ws_col)
			size = (struct winsize){ .ws_row = 24, .ws_col = 80 };
		/* Clearing the screen once; later each line is drawn over and its rest
		 * cleared, which does not flicker. */
		text_add(&out, s->drawn ? "\033[H" : "\033[2J\033[H");
		for (rows = 1; text.len && rows < size.ws_row; rows++) {
			struct slice line = slice_cut(text, 0, slice_find(text, '\n'));

			add_clipped(&out, line, size.ws_col);
			text_add(&out, "\033[K\n");
			text = slice_cut(text, line.len + 1, text.len);
		}
		text_add(&out, "\033[J");
	}
	s->drawn = true;
	ok = screen_write(s, text_slice(&out));
	text_fini(&out);
	return ok;
}
