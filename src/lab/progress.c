#include "lab/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "base/units.h"

#define LINE_EVERY (5 * NS_S)
#define REDRAW_EVERY (250 * NS_MS)

void lab_progress_init(struct lab_progress *p, bool quiet)
{
	struct winsize size = { 0 };
	*p = (struct lab_progress){ .quiet = quiet, .width = 80 };
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0) {
		const char *term = getenv("TERM");
		p->live = !term || strcmp(term, "dumb") != 0;
		if (size.ws_col >= 20)
			p->width = size.ws_col;
	}
}

void lab_progress_clear(struct lab_progress *p)
{
	if (!p->quiet && p->live)
		fputs("\r\033[K", stderr);
}

/* What is to see of one variant now: sockets in TIME_WAIT towards the server, calls the
 * server refused. */
static void add_brief(struct text *t, const struct lab_run *r)
{
	const struct lab_sample *s = lab_run_last(r);
	text_addf(t, " %s ", r->c->label);
	if (!s) {
		text_add_char(t, '-');
		return;
	}
	text_add_count(t, s->host[LAB_MIDDLE].side[LAB_OUT].by_state[DIAG_TIME_WAIT]);
	text_add_char(t, '/');
	text_add_count(t, (uint64_t)(s->server.refused > 0 ? s->server.refused : 0));
}

void lab_progress_show(
	struct lab_progress *p, struct lab_run *const *runs, uint32_t n, ns_t now)
{
	struct text t;
	if (p->quiet || !n || now < p->next_line)
		return;
	const struct lab_run *first = runs[0];
	ns_t whole = lab_case_for(first->c), done = now - first->began;
	p->next_line = now + (p->live ? REDRAW_EVERY : LINE_EVERY);
	text_init(&t);
	text_addf(&t, "act %s: %d s of %d s", p->act, (int)(ns_min(done, whole) / NS_S),
		(int)(whole / NS_S));
	text_addf(&t, ", %d s left in all | TIME_WAIT/refused:",
		(int)((ns_max(whole - done, 0) + p->after_for) / NS_S));
	for (uint32_t i = 0; i < n; i++)
		add_brief(&t, runs[i]);
	if (p->live) {
		if (t.len > p->width - 1) /* a line that wraps could not be redrawn */
			t.ptr[p->width - 1] = '\0';
		fprintf(stderr, "\r\033[K%s", t.ptr);
	} else {
		fprintf(stderr, "weir lab: %s\n", t.ptr);
	}
	fflush(stderr);
	text_fini(&t);
}
