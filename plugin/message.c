/* message.c - the one line that a fault or a note is
 *
 * A line is built whole and written by a single call, so that lines of several threads or processes do not mix.
 */
#include "prune.h"

#include <stdarg.h>
#include <unistd.h>

enum { LINE_BYTES = 1024 };

static void print_line(const char *format, va_list args)
{
    char line[LINE_BYTES];
    vsnprintf(line, sizeof line, format, args);
    fflush(stdout);
    fprintf(stderr, "%sprune: %s\n", isatty(STDERR_FILENO) ? "\r\033[K" : "", line);     /* over a progress line, if one is there */
}

int prune_fail(int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_line(format, args);
    va_end(args);
    return code;
}

void prune_note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_line(format, args);
    va_end(args);
}
