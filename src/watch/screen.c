#include "watch/screen.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/units.h"

void screen_init(struct screen *s, int fd)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");
	bool dumb = !term || !strcmp(term, "dumb");

	*s = (struct screen){ .fd = fd, .terminal = isatty(fd) && !dumb, .stop_fd = -1 };
	s->colour = s->terminal && !(no_color && *no_color);
}

/* False: told to stop. Room for PIPE_BUF bytes is what poll promises of a pipe. */
static bool wait_for_room(const struct screen *s)
{
	struct pollfd fds[2] = { { .fd = s->stop_fd, .events = POLLIN },
		{ .fd = s->fd, .events = POLLOUT } };

	if (s->stop_fd < 0)
		return true;
	while (poll(fds, 2, -1) < 0)
		continue;
	if (fds[1].revents || !fds[0].revents)
		return true;
	errno = ECANCELED;
	return false;
}

bool screen_write(struct screen *s, struct slice text)
{
	while (text.len) {
		size_t len = s->stop_fd >= 0 && text.len > PIPE_BUF ? PIPE_BUF : text.len;
		ssize_t n;

		if (!wait_for_room(s))
			return false;
		n = write(s->fd, text.ptr, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		text = slice_cut(text, (size_t)n, text.len);
	}
	return true;
}

static struct winsize size_of(const struct screen *s)
{
	struct winsize size = { 0 };

	if (ioctl(s->fd, TIOCGWINSZ, &size) < 0 || !size.ws_row || !size.ws_col)
		size = (struct winsize){ .ws_row = 24, .ws_col = 80 };
	return size;
}

size_t screen_columns(const struct screen *s)
{
	return s->terminal ? size_of(s).ws_col : 0;
}

static size_t width_of(struct slice line)
{
	bool escape = false;
	size_t width = 0;

	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.ptr[i];

		escape = escape || c == '\033';
		width += !escape && (c & 0xc0) != 0x80;
		escape = escape && c != 'm';
	}
	return width;
}

/* One line cut to `columns`, marked where it is cut: half a number is a wrong number.
 * Escape sequences have no width and are never cut. */
static void add_clipped(struct text *out, struct slice line, size_t columns)
{
	bool escape = false, cut = width_of(line) > columns;
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
		if (column <= columns - cut)
			text_add_char(out, (char)c);
	}
	if (cut)
		text_add(out, "…");
}

/* What did not fit below. */
static void add_rest(struct text *out, struct slice text, size_t columns)
{
	struct text line;
	uint64_t lines = 0;

	for (size_t i = 0; i < text.len; i++)
		lines += text.ptr[i] == '\n';
	text_init(&line);
	text_add(&line, "… ");
	text_add_count(&line, lines);
	text_add(&line, lines == 1 ? " more line" : " more lines");
	add_clipped(out, text_slice(&line), columns);
	text_add(out, "\033[K\n");
	text_fini(&line);
}

/* All but the last row, where the cursor rests. */
static void add_page(struct text *out, struct slice text, struct winsize size)
{
	for (size_t rows = 1; text.len && rows < size.ws_row; rows++) {
		struct slice line = slice_cut(text, 0, slice_find(text, '\n'));
		struct slice rest = slice_cut(text, line.len + 1, text.len);

		if (rest.len && rows + 1 == size.ws_row) {
			add_rest(out, text, size.ws_col);
			return;
		}
		add_clipped(out, line, size.ws_col);
		text_add(out, "\033[K\n");
		text = rest;
	}
}

bool screen_show(struct screen *s, struct slice text)
{
	struct text out;
	bool ok;

	text_init(&out);
	if (!s->terminal) {
		text_add(&out, s->drawn ? "\n" : "");
		text_add_slice(&out, text);
	} else {
		/* Clearing the screen once; later each line is drawn over and its rest
		 * cleared, which does not flicker. */
		text_add(&out, s->drawn ? "\033[H" : "\033[2J\033[H");
		add_page(&out, text, size_of(s));
		text_add(&out, "\033[J");
	}
	s->drawn = true;
	ok = screen_write(s, text_slice(&out));
	text_fini(&out);
	return ok;
}
