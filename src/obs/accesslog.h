/*
 * accesslog: one line of JSON an exchange, written by a thread of its own.
 *
 * MODEL   Lines go into a bounded buffer; the thread takes it whole and writes it. What finds
 *         no room is dropped and counted: a disk that stands still stops no request.
 * RULES   1. accesslog_add never waits for the file. The lock it takes is held for a copy or
 *            a swap of pointers, never across a system call that writes or formatting.
 *         2. A line is written whole or not at all, save where the disk is full.
 *         3. accesslog_free gives the thread ACCESSLOG_LAST_FOR to write what is there.
 * COST    one line's formatting and copy an exchange; 2 x ACCESSLOG_BYTES.
 * CONTEXT accesslog_add, accesslog_counts: any thread. All else: one thread, accesslog_free
 *         when nobody adds any more.
 */
#ifndef WEIR_OBS_ACCESSLOG_H
#define WEIR_OBS_ACCESSLOG_H

#include "base/err.h"
#include "base/text.h"

#define ACCESSLOG_BYTES (1 << 20)
#define ACCESSLOG_LAST_FOR NS_S

struct accesslog;

struct access {
	struct slice client, method, path, host, id, upstream; /* empty: null */
	uint16_t status;              /* 0: there was no answer */
	enum err reason;              /* ERR_OK: none */
	uint64_t bytes_in, bytes_out; /* of bodies */
	ns_t duration, queued_for;
	uint32_t attempts; /* requests to the server for it; 0: none was sent */
};

struct accesslog_counts {
	uint64_t written, dropped, failed; /* lines; failed: the file did not take them */
};

/* The file, appended to ("-": standard output). -1 and a problem: it cannot be opened. */
MUST_USE int accesslog_open(const char *path, struct problem *p);
void accesslog_drop(int fd); /* one that is not wanted after all; -1: nothing */
/* Takes the descriptor. */
struct accesslog *accesslog_new(int fd);
/* From here on into that one (taken; -1: nowhere); what is in the buffer still goes into the
 * one before. */
void accesslog_switch(struct accesslog *l, int fd);
/* `line`: the caller's, to put the line together in. */
void accesslog_add(struct accesslog *l, struct text *line, const struct access *a);
struct accesslog_counts accesslog_counts(struct accesslog *l);
void accesslog_free(struct accesslog **l);

#endif
