/* sparse-turns.c - times several programs in turns (turns.h) and prints the median of each
 *
 * sparse-turns <turns> <least> <ms>: each line on stdin is "<name> <shell command>" of one program. All are started and make themselves ready, one after the other. Then each
 * in its turn makes at least `least` predictions that take at least `ms` milliseconds, `turns` times over; one that has taken 15 seconds has no more turns.
 * Prints "<name> <median in ms>" for each, or "<name> -" for one that could not do it.
 */
#define _GNU_SOURCE
#include "turns.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROGRAMS_MOST = 32, TIMES_MOST = 1 << 16 };

static const double ENOUGH_MS = 15e3;
/* Threads that wait busily for more work (OpenBLAS, OpenMP) give up within this time and do not take the next program's processors. */
static const struct timespec PAUSE = { 0, 30000000 };

struct program {
    char name[64];
    pid_t pid;
    FILE *to, *from;                            /* NULL: it has ended */
    double *times, sum;
    int n;
};

static void end(struct program *program)
{
    if (program->to) fclose(program->to);
    if (program->from) fclose(program->from);
    if (program->pid > 0) waitpid(program->pid, NULL, 0);
    program->to = program->from = NULL;
    program->pid = 0;
}

/* The program's next line that begins with `word`, and what follows it, or NULL when the program has ended. */
static char *answer(struct program *program, const char *word, char **line, size_t *room)
{
    while (program->from && getline(line, room, program->from) > 0)
        if (!strncmp(*line, word, strlen(word))) return *line + strlen(word);
    return NULL;
}

static int start(struct program *program, const char *command, char **line, size_t *room)
{
    int to[2], from[2];
    if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC)) return 0;
    program->pid = fork();
    if (!program->pid) {
        dup2(to[0], STDIN_FILENO);
        dup2(from[1], STDOUT_FILENO);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    program->to = fdopen(to[1], "w");
    program->from = fdopen(from[0], "r");
    program->times = (double *)malloc(TIMES_MOST * sizeof *program->times);
    return program->pid > 0 && program->to && program->from && program->times && answer(program, TURNS_READY, line, room);
}

static int turn(struct program *program, int least, double ms, char **line, size_t *room)
{
    fprintf(program->to, "%d %g\n", least, ms);
    if (fflush(program->to)) return 0;
    char *text = answer(program, TURNS_TIMES, line, room), *next;
    if (!text) return 0;
    for (double time; program->n < TIMES_MOST && (time = strtod(text, &next), next != text); text = next) {
        program->times[program->n++] = time;
        program->sum += time;
    }
    return 1;
}

int main(int argc, char **argv)
{
    static struct program programs[PROGRAMS_MOST];
    char *line = NULL, *text = NULL;
    size_t room = 0, text_room = 0;
    int n = 0;
    if (argc < 4) return 2;
    signal(SIGPIPE, SIG_IGN);
    for (ssize_t length; n < PROGRAMS_MOST && (length = getline(&text, &text_room, stdin)) > 0; n++) {
        char *space = strchr(text, ' ');
        if (!space || space - text >= (ssize_t)sizeof programs[n].name) return 2;
        *space = 0;
        strcpy(programs[n].name, text);
        if (!start(&programs[n], space + 1, &line, &room)) end(&programs[n]);
    }
    for (int t = 0; t < atoi(argv[1]); t++)
        for (int i = 0; i < n; i++) {
            if (!programs[i].to || programs[i].sum > ENOUGH_MS) continue;
            nanosleep(&PAUSE, NULL);
            if (!turn(&programs[i], atoi(argv[2]), atof(argv[3]), &line, &room)) {
                end(&programs[i]);
                programs[i].n = 0;              /* half of the times are none */
            }
        }
    for (int i = 0; i < n; i++) {
        if (programs[i].n) printf("%s %.5f\n", programs[i].name, median(programs[i].times, programs[i].n));
        else printf("%s -\n", programs[i].name);
        end(&programs[i]);
        free(programs[i].times);
    }
    free(line);
    free(text);
    return 0;
}
