#include "lab/table.h"

#include <math.h>

enum group { OF_NAME, OF_CALLS, OF_ANSWERS, OF_LATENCY, OF_SOCKETS, OF_CLOSES, GROUPS };

static const char *const group_titles[GROUPS] = { "", "calls", "answers",
	"until the answer", "peak sockets of the middleware, in / out",
	"closed first (out)" };

struct column {
	enum group group;
	const char *title;
	void (*cell)(struct text *t, const struct lab_row *row);
};

static void cell_name(struct text *t, const struct lab_row *row)
{
	text_add(t, row->name);
	if (!row->valid)
		text_add(t, " (!)");
}

static void figure(struct text *t, const struct lab_row *row, enum figure_id id)
{
	text_add_figure(t, id, row->f.of[id]);
}

static void rate(struct text *t, double value)
{
	if (isnan(value))
		text_add(t, "?");
	else
		text_addf(t, value < 9.95 ? "%.1f" : "%.0f", value);
}

static void cell_in(struct text *t, const struct lab_row *row)
{
	rate(t, row->f.of[FIG_in]);
}

static void cell_out(struct text *t, const struct lab_row *row)
{
	rate(t, row->f.of[FIG_out]);
}

static void cell_refused(struct text *t, const struct lab_row *row)
{
	figure(t, row, FIG_refused);
}

static void cell_good(struct text *t, const struct lab_row *row)
{
	figure(t, row, FIG_good);
}

static void cell_late(struct text *t, const struct lab_row *row)
{
	text_add_figure(t, FIG_late, row->f.of[FIG_late] + row->f.of[FIG_unanswered]);
}

static void cell_failed(struct text *t, const struct lab_row *row)
{
	figure(t, row, FIG_failed);
}

static void cell_p50(struct text *t, const struct lab_row *row)
{
	figure(t, row, FIG_p50);
}

static void cell_p99(struct text *t, const struct lab_row *row)
{
	figure(t, row, FIG_p99);
}

static void cell_max(struct text *t, const struct lab_row *row)
{
	figure(t, row, FIG_max);
}

static void in_out(
	struct text *t, const struct lab_row *row, enum figure_id in, enum figure_id out)
{
	figure(t, row, in);
	text_add(t, " / ");
	figure(t, row, out);
}

static void cell_established(struct text *t, const struct lab_row *row)
{
	in_out(t, row, FIG_in_established, FIG_established);
}

static void cell_time_wait(struct text *t, const struct lab_row *row)
{
	in_out(t, row, FIG_in_time_wait, FIG_time_wait);
}

static void cell_fin_wait2(struct text *t, const struct lab_row *row)
{
	in_out(t, row, FIG_in_fin_wait2, FIG_fin_wait2);
}

static void share(struct text *t, const struct lab_row *row, enum figure_id id)
{
	if (isnan(row->f.of[id]))
		text_add(t, "-");
	else
		figure(t, row, id);
}

static void cell_first_middleware(struct text *t, const struct lab_row *row)
{
	share(t, row, FIG_closed_middleware);
}

static void cell_first_server(struct text *t, const struct lab_row *row)
{
	share(t, row, FIG_closed_server);
}

static void cell_first_both(struct text *t, const struct lab_row *row)
{
	share(t, row, FIG_closed_both);
}

static void cell_first_reset(struct text *t, const struct lab_row *row)
{
	share(t, row, FIG_closed_reset);
}

static const struct column columns[] = {
	{ OF_NAME, "variant", cell_name },
	{ OF_CALLS, "in/s", cell_in },
	{ OF_CALLS, "out/s", cell_out },
	{ OF_CALLS, "refused", cell_refused },
	{ OF_ANSWERS, "good", cell_good },
	{ OF_ANSWERS, "late", cell_late },
	{ OF_ANSWERS, "failed", cell_failed },
	{ OF_LATENCY, "p50", cell_p50 },
	{ OF_LATENCY, "p99", cell_p99 },
	{ OF_LATENCY, "max", cell_max },
	{ OF_SOCKETS, "ESTABLISHED", cell_established },
	{ OF_SOCKETS, "TIME_WAIT", cell_time_wait },
	{ OF_SOCKETS, "FIN_WAIT2", cell_fin_wait2 },
	{ OF_CLOSES, "middleware", cell_first_middleware },
	{ OF_CLOSES, "server", cell_first_server },
	{ OF_CLOSES, "both", cell_first_both },
	{ OF_CLOSES, "reset", cell_first_reset },
};

#define COLUMNS ARRAY_LEN(columns)
#define GAP 2       /* between columns */
#define GROUP_GAP 3 /* between groups */

/* Bytes of text as columns of a terminal: UTF-8 continuation bytes take none. */
static size_t columns_of(const char *text)
{
	size_t n = 0;
	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

struct sheet {
	const struct lab_row *rows;
	size_t n;
	size_t width[COLUMNS];
	size_t group_width[GROUPS];
};

static void measure(struct sheet *s)
{
	struct text cell;
	text_init(&cell);
	memset(s->group_width, 0, sizeof(s->group_width));
	for (size_t c = 0; c < COLUMNS; c++) {
		s->width[c] = columns_of(columns[c].title);
		for (size_t i = 0; i < s->n; i++) {
			text_reset(&cell);
			columns[c].cell(&cell, &s->rows[i]);
			size_t w = columns_of(cell.ptr);
			if (w > s->width[c])
				s->width[c] = w;
		}
		size_t *group = &s->group_width[columns[c].group];
		*group += s->width[c] + (*group ? GAP : 0);
	}
	for (int g = 0; g < GROUPS; g++) {
		size_t title = columns_of(group_titles[g]);
		if (title > s->group_width[g])
			s->group_width[g] = title;
	}
	text_fini(&cell);
}

/* Which groups stand in the block that begins with group `from`: up to, not with, the
 * returned one. */
static int block_end(const struct sheet *s, int from, size_t width)
{
	size_t used = s->group_width[OF_NAME];
	int g = from;
	while (g < GROUPS &&
		(g == from || used + GROUP_GAP + s->group_width[g] <= width)) {
		used += GROUP_GAP + s->group_width[g];
		g++;
	}
	return g;
}

static size_t line_start(const struct text *t)
{
	size_t at = t->len;
	while (at > 0 && t->ptr[at - 1] != '\n')
		at--;
	return at;
}

/* No spaces at a line's end. */
static void end_line(struct text *t)
{
	size_t start = line_start(t);
	while (t->len > start && t->ptr[t->len - 1] == ' ')
		t->len--;
	text_add_char(t, '\n');
}

static void add_aligned(
	struct text *t, size_t at, size_t width, const char *cell, bool left)
{
	size_t w = columns_of(cell);
	text_pad(t, left || w >= width ? at : at + width - w);
	text_add(t, cell);
}

/* One line of a block; row NULL: the titles. */
static void block_line(struct text *t, const struct sheet *s, int from, int to,
	const struct lab_row *row)
{
	struct text cell;
	size_t at = 0;
	text_init(&cell);
	for (int g = OF_NAME; g < to; g = g == OF_NAME ? from : g + 1) {
		size_t column = at;
		for (size_t c = 0; c < COLUMNS; c++) {
			if ((int)columns[c].group != g)
				continue;
			text_reset(&cell);
			if (row)
				columns[c].cell(&cell, row);
			else
				text_add(&cell, columns[c].title);
			add_aligned(t, column, s->width[c], cell.ptr, g == OF_NAME);
			column += s->width[c] + GAP;
		}
		at += s->group_width[g] + GROUP_GAP;
	}
	end_line(t);
	text_fini(&cell);
}

static void block_heads(struct text *t, const struct sheet *s, int from, int to)
{
	size_t at = s->group_width[OF_NAME] + GROUP_GAP;
	for (int g = from; g < to; g++) {
		text_pad(t, at);
		text_add(t, group_titles[g]);
		at += s->group_width[g] + GROUP_GAP;
	}
	end_line(t);
}

void lab_table_text(struct text *t, const struct lab_row *rows, size_t n, size_t width)
{
	struct sheet s = { .rows = rows, .n = n };
	measure(&s);
	for (int from = OF_NAME + 1; from < GROUPS;) {
		int to = block_end(&s, from, width);
		if (from > OF_NAME + 1)
			text_add_char(t, '\n');
		block_heads(t, &s, from, to);
		block_line(t, &s, from, to, NULL);
		for (size_t i = 0; i < n; i++)
			block_line(t, &s, from, to, &rows[i]);
		from = to;
	}
}
