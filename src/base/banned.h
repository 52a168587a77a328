/* banned: calls that do not compile here, because a better one exists in base. */
#ifndef WEIR_BASE_BANNED_H
#define WEIR_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#undef alloca /* a macro in glibc, which would make the line below warn */
#pragma GCC poison strcpy strcat sprintf vsprintf strtok gmtime localtime atoi atol rand \
	srand alloca gets

#endif
