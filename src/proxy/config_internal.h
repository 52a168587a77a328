/* config.c and config_check.c. */
#ifndef WEIR_PROXY_CONFIG_INTERNAL_H
#define WEIR_PROXY_CONFIG_INTERNAL_H

#include "proxy/config.h"

/* What every value means, alone and together; the levels are filled. */
void config_check(struct config *c);

#endif
