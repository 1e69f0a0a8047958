/* host_options.c - the values of options, as every verb reads them */
#include "host.h"

#include <errno.h>
#include <stdlib.h>

int prune_option_whole(const char *name, const char *value, long low, long high, long *number)
{
    char *rest;
    errno = 0;
    *number = value ? strtol(value, &rest, 10) : 0;
    if (!value || !*value || *rest || errno || *number < low || *number > high)
        return prune_fail(PRUNE_ERR_USAGE, "%s %s: must be a whole number from %ld to %ld", name, value ? value : "(nothing)", low, high);
    return PRUNE_OK;
}

int prune_option_text(const char *name, const char *value, const char **text)
{
    if (!value) return prune_fail(PRUNE_ERR_USAGE, "%s needs a value", name);
    *text = value;
    return PRUNE_OK;
}
