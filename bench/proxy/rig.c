/*
 * rig CERT KEY: tells the ports of its two servers, plain and TLS, then obeys lines:
 *   run PORT CONNECTIONS JOB TLS SECONDS RATE   -> "ready", when all is open
 *   go                                          -> "done ..." of rig.h
 */
#include <sys/prctl.h>

#include "rig.h"

struct desk { /* standard input */
	struct link link;
	struct rig *rig;
	struct client *client;
	int told_ready;
};

static void obey(struct desk *d, const char *line)
{
	struct run run;

	if (strncmp(line, "go", 2) == 0 && d->client) {
		client_go(d->client);
		return;
	}
	must(!d->client && sscanf(line, "run %7s %u %7s %d %lf %lf", run.port, &run.conns,
				   run.job, &run.tls, &run.seconds, &run.rate) == 6,
		line);
	d->told_ready = 0;
	d->client = client_new(d->rig, &run);
}

static void on_desk_ready(struct link *l, uint32_t events)
{
	char line[256];
	ssize_t n = read(l->fd, line, sizeof(line) - 1);

	(void)events;
	if (n <= 0)
		exit(0);
	line[n] = '\0'; /* lines come one at a time: each is answered */
	obey((struct desk *)l, line);
}

static long look_after(struct desk *d)
{
	long wait = d->client ? client_tick(d->client) : -1;

	if (d->client && !d->told_ready && client_is_ready(d->client)) {
		d->told_ready = 1;
		printf("ready\n");
		fflush(stdout);
	}
	if (d->client && client_is_done(d->client)) {
		client_end(d->client);
		d->client = NULL;
	}
	return wait;
}

int main(int argc, char **argv)
{
	static struct epoll_event events[1024];
	struct rig rig = { 0 };
	struct desk desk = { .link.on_ready = on_desk_ready, .rig = &rig };
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = &desk };

	must(argc == 3, "rig CERT KEY");
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_TIMERSLACK, 1000); /* the schedule is kept to a microsecond */
	rig.ep = epoll_create1(EPOLL_CLOEXEC);
	rig_tls(&rig, argv[1], argv[2]);
	server_start(&rig);
	must(epoll_ctl(rig.ep, EPOLL_CTL_ADD, STDIN_FILENO, &ev) == 0, "epoll_ctl");
	for (;;) {
		long wait = look_after(&desk);
		struct timespec t = { wait / 1000000000, wait % 1000000000 };
		int n = epoll_pwait2(rig.ep, events, 1024, wait < 0 ? NULL : &t, NULL);
		for (int i = 0; i < n; i++) {
			struct link *l = events[i].data.ptr;
			l->on_ready(l, events[i].events);
		}
	}
}
