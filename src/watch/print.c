/* The report as a person reads it. */
#include <errno.h>

#include "base/units.h"
#include "watch/report.h"
#include "base/wrap.h"

enum {
	NUM = 11, /* width of a column of counts */
	STATE_WIDTH = 13,
	END_MIN = 20, /* width of an address at least */
	LIVE_WORDS = 5,
	WIDE = 120, /* columns that all of it takes */
};

struct page {
	struct text *t;
	const struct report *r;
	const struct report_style *style;
	bool narrow; /* columns that can be spared are left out */
	const char *bold, *dim, *red, *yellow, *off;
};

/* Cells. */

static void pad_left(struct text *t, const struct text *cell, size_t width)
{
	size_t columns = 0;

	for (size_t i = 0; i < cell->len; i++)
		columns += ((unsigned char)cell->ptr[i] & 0xc0) != 0x80;
	while (columns++ < width)
		text_add_char(t, ' ');
	text_add_slice(t, text_slice(cell));
}

static void cell_count(struct text *t, uint64_t n, size_t width)
{
	struct text cell;

	text_init(&cell);
	if (n)
		text_add_count(&cell, n);
	else
		text_add_char(&cell, '-');
	pad_left(t, &cell, width);
	text_fini(&cell);
}

static void cell_word(struct text *t, const char *word, size_t width)
{
	struct text cell;

	text_init(&cell);
	text_add(&cell, word);
	pad_left(t, &cell, width);
	text_fini(&cell);
}

static void cell_rate(struct text *t, double rate, size_t width)
{
	char buf[32];

	snprintf(buf, sizeof(buf), rate > 0 && rate < 100 ? "%.1f/s" : "%.0f/s", rate);
	cell_word(t, rate > 0 ? buf : "-", width);
}

/* Left-aligned, two spaces after it at least. */
static void cell_end(struct text *t, const struct diag_end *e, size_t width)
{
	struct text cell;

	text_init(&cell);
	text_add_end(&cell, e);
	text_add_slice(t, text_slice(&cell));
	for (size_t i = cell.len; i < width; i++)
		text_add_char(t, ' ');
	text_fini(&cell);
}

static size_t end_width(const struct diag_end *e)
{
	struct text cell;
	size_t width;

	text_init(&cell);
	text_add_end(&cell, e);
	width = cell.len;
	text_fini(&cell);
	return width > END_MIN ? width : END_MIN;
}

static void heading(struct page *p, const char *text)
{
	text_addf(p->t, "\n%s%s%s", p->bold, text, p->off);
}

/* "and 12 more" */
static void more(struct page *p, uint32_t all, uint32_t told)
{
	if (all <= told)
		return;
	text_addf(p->t, "%s... and ", p->dim);
	text_add_count(p->t, all - told);
	text_addf(p->t, " more (--top shows so many)%s\n", p->off);
}

/* The head. */

static void add_time(struct text *t, int64_t wall_ms)
{
	time_t s = (time_t)(wall_ms / 1000);
	struct tm tm;
	char buf[40];

	if (localtime_r(&s, &tm) && strftime(buf, sizeof(buf), "%Y-%m-%d %H:%M:%S", &tm))
		text_add(t, buf);
}

static void print_head(struct page *p)
{
	const struct report *r = p->r;
	struct text *t = p->t;

	text_addf(t, "%ssockets of %s%s%s  ", p->bold,
		r->where->name[0] ? "network namespace " : "this network namespace",
		r->where->name, p->off);
	add_time(t, r->wall_ms);
	text_addf(
		t, "\nports %u-%u: ", (unsigned)r->ports->low, (unsigned)r->ports->high);
	text_add_count(t, r->tally->usable);
	text_addf(t, " for each destination; the %s at ",
		p->narrow ? "cliff" : "connect cliff stands");
	text_add_count(t, r->tally->usable_first);
	text_add_char(t, '\n');
}

/* States. */

static const char *first_phrase(enum tally_first f)
{
	switch (f) {
	case FIRST_OPEN:
		return "nobody yet";
	case FIRST_LOCAL:
		return "this side";
	case FIRST_LOCAL_OR_BOTH:
		return "this side, or both at once";
	case FIRST_PEER:
		return "the peer";
	case FIRST_BOTH:
		return "both at once";
	case FIRST_COUNT:
		break;
	}
	return "";
}

/* Who closed first, of one state over all sides; with counts where they differ. */
static void print_first(struct page *p, enum diag_state state)
{
	uint32_t by[FIRST_COUNT] = { 0 };
	int kinds = 0;
	bool begun = false;

	for (int f = 0; f < FIRST_COUNT; f++) {
		for (int side = 0; side < SIDE_COUNT; side++)
			by[f] += p->r->tally->side[side].state_first[state][f];
		kinds += by[f] > 0;
	}
	if (kinds == 0)
		by[tally_first_of(state)] = 1;
	for (int f = 0; f < FIRST_COUNT; f++) {
		if (!by[f])
			continue;
		text_addf(p->t, "%s%s", begun ? "; " : "",
			first_phrase((enum tally_first)f));
		begun = true;
		if (kinds > 1) {
			text_add_char(p->t, ' ');
			text_add_count(p->t, by[f]);
		}
	}
}

static uint32_t state_total(const struct tally *t, enum diag_state state)
{
	uint32_t n = 0;

	for (int side = 0; side < SIDE_COUNT; side++)
		n += t->side[side].by_state[state];
	return n;
}

static bool always_shown(enum diag_state s)
{
	return s == DIAG_ESTABLISHED || s == DIAG_TIME_WAIT || s == DIAG_FIN_WAIT2;
}

static void print_states(struct page *p)
{
	const struct tally *tally = p->r->tally;
	bool unsure = tally->side[SIDE_UNSURE].total > 0;
	int sides = unsure ? SIDE_COUNT : SIDE_UNSURE;

	heading(p, "state           accepted  connected");
	text_addf(p->t, "%s%s   closed first by%s\n", p->bold,
		unsure ? "     unsure" : "", p->off);
	for (size_t i = 0; i < DIAG_LIFE_STATES; i++) {
		uint32_t orphans = 0;

		if (!state_total(tally, diag_life[i]) && !always_shown(diag_life[i]))
			continue;
		text_addf(p->t, "%-*s", STATE_WIDTH, diag_state_name(diag_life[i]));
		for (int side = 0; side < sides; side++) {
			cell_count(p->t, tally->side[side].by_state[diag_life[i]], NUM);
			orphans += tally->side[side].orphan_fin_wait2;
		}
		text_add(p->t, "   ");
		print_first(p, diag_life[i]);
		if (diag_life[i] == DIAG_FIN_WAIT2 && orphans) {
			text_addf(p->t, "  %s(", p->dim);
			text_add_count(p->t, orphans);
			text_addf(p->t, " orphaned)%s", p->off);
		}
		text_add_char(p->t, '\n');
	}
	text_addf(p->t, "%-*s", STATE_WIDTH, "all");
	for (int side = 0; side < sides; side++)
		cell_count(p->t, tally->side[side].total, NUM);
	text_add_char(p->t, '\n');
}

/* Destinations. */

static bool many_sources(const struct tally *t, uint32_t shown_dests)
{
	for (uint32_t i = 1; i < shown_dests; i++) {
		for (uint32_t k = 0; k < i; k++) {
			if (diag_end_eq(&t->dests[i].to, &t->dests[k].to))
				return true;
		}
	}
	return false;
}

static void print_cliff(struct page *p, const struct tally_dest *d)
{
	uint32_t all = p->r->tally->usable_first, taken = all - d->cliff_left;

	if (!all || !d->used) {
		text_add(p->t, "   -");
		return;
	}
	if (d->left == 0)
		text_addf(p->t, "   %snone left%s%s", p->red,
			p->narrow ? "" : ": connect() fails", p->off);
	else if (d->cliff_left == 0)
		text_addf(p->t, "   %spast%s%s", p->red,
			p->narrow ? "" : ": connect() is slow", p->off);
	else
		text_addf(p->t, "   %.*f %%", taken * 10 < all ? 1 : 0,
			100.0 * taken / all);
}

static void print_dest(
	struct page *p, const struct tally_dest *d, size_t width, bool from)
{
	struct text *t = p->t;
	uint32_t told = d->by_state[DIAG_ESTABLISHED] + d->by_state[DIAG_TIME_WAIT] +
			d->by_state[DIAG_FIN_WAIT2];

	cell_end(t, &d->to, width);
	cell_count(t, d->by_state[DIAG_ESTABLISHED], NUM + 1);
	cell_count(t, d->by_state[DIAG_TIME_WAIT], NUM);
	cell_count(t, d->by_state[DIAG_FIN_WAIT2], NUM);
	if (!p->narrow) {
		cell_count(t, d->total - told, 7);
		cell_rate(t, d->by_state[DIAG_TIME_WAIT] / (double)TALLY_TIME_WAIT_S, 10);
		cell_count(t, d->used, NUM + 1);
		cell_word(t, "", 1);
	}
	cell_count(t, d->left, NUM - 2);
	print_cliff(p, d);
	if (from) {
		text_add(t, "   from ");
		text_add_ip(t, &d->from);
	}
	text_add_char(t, '\n');
}

static uint32_t at_most(uint32_t n, uint32_t top)
{
	return n < top ? n : top;
}

static void print_dests(struct page *p)
{
	const struct tally *tally = p->r->tally;
	uint32_t n = at_most(tally->n_dests, p->r->top);
	size_t width = END_MIN;
	bool from = many_sources(tally, n);

	if (!n)
		return;
	for (uint32_t i = 0; i < n; i++) {
		size_t w = end_width(&tally->dests[i].to);
		width = w > width ? w : width;
	}
	heading(p, "connected to");
	for (size_t i = 12; i < width; i++)
		text_add_char(p->t, ' ');
	text_addf(p->t,
		"%s ESTABLISHED  TIME_WAIT  FIN_WAIT2%s     left   to the cliff%s\n",
		p->bold, p->narrow ? "" : "  other  closes/s  ports used ", p->off);
	for (uint32_t i = 0; i < n; i++)
		print_dest(p, &tally->dests[i], width, from);
	more(p, tally->n_dests, n);
}

/* Listeners and programs. */

static void print_owner_name(struct page *p, uint32_t inode)
{
	const struct owner *w = p->r->owners ? owners_find(p->r->owners, inode) : NULL;

	if (w)
		text_addf(p->t, "   %s (%d)", w->comm, (int)w->pid);
}

static void print_listeners(struct page *p)
{
	const struct tally *tally = p->r->tally;
	uint32_t n = at_most(tally->n_listeners, p->r->top);
	size_t width = END_MIN;

	if (!n)
		return;
	for (uint32_t i = 0; i < n; i++) {
		size_t w = end_width(&tally->listeners[i].l.at);
		width = w > width ? w : width;
	}
	heading(p, "listening at");
	for (size_t i = 12; i < width; i++)
		text_add_char(p->t, ' ');
	text_addf(p->t, "%s ESTABLISHED  TIME_WAIT  CLOSE_WAIT  to accept   backlog%s\n",
		p->bold, p->off);
	for (uint32_t i = 0; i < n; i++) {
		const struct tally_listener *l = &tally->listeners[i];

		cell_end(p->t, &l->l.at, width);
		cell_count(p->t, l->by_state[DIAG_ESTABLISHED], NUM + 1);
		cell_count(p->t, l->by_state[DIAG_TIME_WAIT], NUM);
		cell_count(p->t, l->by_state[DIAG_CLOSE_WAIT], NUM + 1);
		cell_count(p->t, l->l.waiting, NUM);
		cell_count(p->t, l->l.backlog, NUM - 1);
		print_owner_name(p, l->l.inode);
		text_add_char(p->t, '\n');
	}
	more(p, tally->n_listeners, n);
}

static void print_owners(struct page *p)
{
	const struct owners *o = p->r->owners;
	uint32_t n = o ? at_most(o->n, p->r->top) : 0;

	if (n) {
		heading(p,
			"held by                 ESTABLISHED in         out  CLOSE_WAIT  "
			"listening\n");
	}
	for (uint32_t i = 0; i < n; i++) {
		const struct owner *w = &o->v[i];
		char name[40];

		snprintf(name, sizeof(name), "%s (%d)", w->comm, (int)w->pid);
		text_addf(p->t, "%-24s", name);
		cell_count(p->t, w->established_in, 14);
		cell_count(p->t, w->established_out, 12);
		cell_count(p->t, w->close_wait, 12);
		cell_count(p->t, w->listening, NUM);
		text_add_char(p->t, '\n');
	}
	if (!o)
		return;
	more(p, o->n, n);
	if (o->unowned) {
		text_addf(p->t, "%s", p->dim);
		text_add_count(p->t, o->unowned);
		text_addf(p->t,
			" sockets are held by programs that /proc does not show here (%s)%s\n",
			o->unreadable ? "another user's, or in another namespace"
				      : "in another namespace",
			p->off);
	}
}

/* Closes. */

static const char *why_phrase(enum close_why w)
{
	switch (w) {
	case WHY_UNKNOWN:
		return "cause not known";
	case WHY_AFTER_ANSWER:
		return "right after an exchange: no keep-alive, or no room in a pool";
	case WHY_IDLE:
		return "idle: reaped, or its program ended";
	case WHY_SILENCE:
		return "idle or a call given up (the last words do not tell)";
	case WHY_NO_ANSWER:
		return "without an answer: given up";
	case WHY_REFUSED:
		return "answered before anything was read: refused";
	case WHY_UNREAD:
		return "closed with bytes unread";
	case WHY_ABORT:
		return "aborted on purpose (SO_LINGER 0)";
	case WHY_PEER_RESET:
		return "by the peer, or given up by the kernel";
	case WHY_UNUSED:
		return "never used";
	case WHY_COUNT:
		break;
	}
	return "";
}

static const char *close_phrase(enum close_first f)
{
	switch (f) {
	case CLOSE_LOCAL:
		return "this side";
	case CLOSE_LOCAL_OR_BOTH:
		return "this side, or both";
	case CLOSE_PEER:
		return "the peer";
	case CLOSE_BOTH:
		return "both at once";
	case CLOSE_RESET:
		return "reset";
	case CLOSE_UNKNOWN:
		return "unknown";
	case CLOSE_FIRST_COUNT:
		break;
	}
	return "";
}

static void print_clusters(struct page *p, const struct closes *c, int side,
	enum close_first first, enum close_why why)
{
	struct cluster found[CLUSTERS_MAX];
	uint32_t n = closes_has_ages(first, why)
			     ? clusters_find(c->ages[side][why], found)
			     : 0;

	for (uint32_t i = 0; i < n; i++) {
		text_add(p->t, i ? ", " : " after about ");
		text_add_duration(p->t, found[i].at);
	}
}

static void print_close_row(
	struct page *p, int side, enum close_first first, enum close_why why)
{
	const struct report_closes *c = p->r->closes;
	uint64_t all = c->since_start->count[side][first][why];
	uint64_t now = c->interval->count[side][first][why];
	double seconds = (double)c->interval_for / (double)NS_S;

	if (!all)
		return;
	text_addf(p->t, "%-11s%-20s",
		side == SIDE_IN    ? "accepted"
		: side == SIDE_OUT ? "connected"
				   : "unsure",
		close_phrase(first));
	cell_rate(p->t, seconds > 0 ? (double)now / seconds : 0, 10);
	cell_count(p->t, all, NUM);
	text_addf(p->t, "   %s", p->narrow ? close_why_name(why) : why_phrase(why));
	print_clusters(p, c->since_start, side, first, why);
	text_add_char(p->t, '\n');
}

static void print_closes(struct page *p)
{
	const struct report_closes *c = p->r->closes;

	if (!c)
		return;
	heading(p, "closed     first by                 now  since start   how\n");
	if (!c->since_start->total)
		text_add(p->t, "none yet\n");
	for (int side = 0; side < SIDE_COUNT; side++) {
		for (int first = 0; first < CLOSE_FIRST_COUNT; first++) {
			for (int why = 0; why < WHY_COUNT; why++)
				print_close_row(p, side, (enum close_first)first,
					(enum close_why)why);
		}
	}
	if (c->lost || closes_unseen_local(c->since_start)) {
		text_addf(p->t, "%srecords lost: ", p->yellow);
		text_add_count(p->t, c->lost);
		text_add(p->t, " times; the kernel counted ");
		text_add_count(p->t, closes_unseen_local(c->since_start));
		text_addf(p->t, " more closes by this side than are shown%s\n", p->off);
	}
}

/* Warnings. */

static void print_warnings(struct page *p, const struct report_levels *levels)
{
	const struct warnings *w = &p->r->warnings;
	size_t told = 0;

	for (uint32_t i = 0; i < w->n; i++) {
		if (w->v[i].level < levels->low || w->v[i].level > levels->high)
			continue;
		if (!told++)
			text_add_char(p->t, '\n');
		const char *colour = w->v[i].level == LEVEL_CRITICAL  ? p->red
				     : w->v[i].level == LEVEL_WARNING ? p->yellow
								      : p->dim;

		text_addf(p->t, "%s%-10s%s", colour, warning_level_name(w->v[i].level),
			p->off);
		text_add_wrapped(
			p->t, w->v[i].text, 10, text_wrap_width(p->style->columns));
	}
	if (w->left_out && levels->high == LEVEL_CRITICAL) {
		text_add_count(p->t, w->left_out);
		text_add(p->t, " more warnings\n");
	}
}

/* What this look cannot tell. */
static void print_unseen(struct page *p)
{
	int deaf = p->r->deaf;

	if (!p->r->closes)
		text_addf(p->t, "\n%s%s%s\n", p->dim,
			"one look does not tell who closes, and why: --for 10s stays to "
			"see it",
			p->off);
	else if (deaf)
		text_addf(p->t, "\n%swhat servers say is not heard: %s%s\n", p->dim,
			deaf == EPERM || deaf == EACCES ? "that takes CAP_NET_RAW (root)"
							: strerror(deaf),
			p->off);
}

/* Where the end may be cut off, the tables are to have room. */
static uint32_t heard_top(const struct report *r, const struct report_style *style)
{
	return style->warnings_first && r->top > LIVE_WORDS ? LIVE_WORDS : r->top;
}

void watch_report_text(
	struct text *t, const struct report *r, const struct report_style *style)
{
	static const struct report_levels bad = { LEVEL_WARNING, LEVEL_CRITICAL };
	const struct report_levels rest = { LEVEL_NOTE,
		style->warnings_first ? LEVEL_NOTE : LEVEL_CRITICAL };
	bool c = style->colour;
	struct page p = {
		.t = t,
		.r = r,
		.style = style,
		.narrow = style->columns && style->columns < WIDE,
		.bold = c ? "\033[1m" : "",
		.dim = c ? "\033[2m" : "",
		.red = c ? "\033[31m" : "",
		.yellow = c ? "\033[33m" : "",
		.off = c ? "\033[0m" : "",
	};

	print_head(&p);
	if (style->warnings_first) {
		print_warnings(&p, &bad);
		watch_report_causes(t, r->causes, &bad, style);
	}
	watch_report_heard(t, r->heard, heard_top(r, style), style);
	print_states(&p);
	print_dests(&p);
	print_listeners(&p);
	print_closes(&p);
	print_owners(&p);
	print_unseen(&p);
	watch_report_causes(t, r->causes, &rest, style);
	print_warnings(&p, &rest);
}
