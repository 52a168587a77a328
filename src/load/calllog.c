#include "load/calllog.h"

#include <errno.h>

bool calllog_open(struct calllog *l, const char *file, struct problem *p)
{
	*l = (struct calllog){ .file = file };
	if (!file || !*file)
		return true;
	l->out = fopen(file, "we");
	if (!l->out)
		return problem_set(p, "--log %s: %s", file, strerror(errno));
	fputs("intended_ns,started_ns,sent_ns,ended_ns,outcome,status,error\n", l->out);
	return true;
}

static const char *word_of(enum tally_end how)
{
	switch (how) {
	case TALLY_GOOD:
		return "good";
	case TALLY_LATE:
		return "late";
	case TALLY_FAILED:
		return "failed";
	case TALLY_UNANSWERED:
		return "unanswered";
	}
	NEVER_HERE();
}

void calllog_add(struct calllog *l, const struct tally_times *times, ns_t ended,
	enum tally_end how, uint16_t status, enum err why)
{
	if (!l->out)
		return;
	const ns_t at[] = { times->intended, times->real, times->sent, ended };
	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		if (at[i] != NS_NEVER)
			fprintf(l->out, "%lld", (long long)(at[i] - l->start));
		fputc(',', l->out);
	}
	fprintf(l->out, "%s,", word_of(how));
	if (status)
		fprintf(l->out, "%u", status);
	fprintf(l->out, ",%s\n", why == ERR_OK ? "" : err_label(why));
}

bool calllog_close(struct calllog *l, struct problem *p)
{
	if (!l->out)
		return true;
	bool failed = ferror(l->out);
	failed |= fclose(l->out) != 0;
	l->out = NULL;
	return !failed || problem_set(p, "--log %s: %s", l->file, strerror(errno));
}
