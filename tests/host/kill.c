/* kill.c - LD_PRELOAD: SIGKILLs the process at its KILL_RENAME-th rename, before it happens */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>

int rename(const char *from, const char *to)
{
    static int count;
    const char *at = getenv("KILL_RENAME");
    if (at && ++count == atoi(at)) raise(SIGKILL);
    int (*real)(const char *, const char *) = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");
    return real(from, to);
}
