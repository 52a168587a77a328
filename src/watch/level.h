/*
 * level: how bad it is, of warnings and causes.
 */
#ifndef WEIR_WATCH_LEVEL_H
#define WEIR_WATCH_LEVEL_H

enum warning_level {
	LEVEL_NOTE,     /* worth knowing; not a fault */
	LEVEL_WARNING,  /* will hurt, or does a little */
	LEVEL_CRITICAL, /* hurts now */
};

const char *warning_level_name(enum warning_level l);

#endif
