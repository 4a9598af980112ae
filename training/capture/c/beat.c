// The stall meter: wakes every two milliseconds at an ordinary scheduling class and tells how late it was.
//
// usage: beat LOG
//
// It runs at the priority of the X servers and viewers, so what holds it up holds them up. Lines "at_us,late_us" for
// every wake-up over 5 ms late; the last line, on SIGTERM, is "# beats p99_us max_us".
#define _GNU_SOURCE
#include "common.h"
#include <signal.h>
#include <stdio.h>

enum { PERIOD_MICROS = 2000, NOTED_MICROS = 5000, CELLS = 200001 };

static volatile sig_atomic_t stopped;
static void stop(int signal_number) {
    (void)signal_number;
    stopped = 1;
}

int main(int count, char **arguments) {
    FILE *log = count == 2 ? fopen(arguments[1], "w") : NULL;
    if (!log) {
        fprintf(stderr, "usage: beat LOG\n");
        return 2;
    }
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    static uint32_t counts[CELLS];
    uint64_t beats = 0, worst = 0, deadline = now_micros();
    while (!stopped) {
        deadline += PERIOD_MICROS;
        sleep_until_micros(deadline);
        uint64_t now = now_micros(), late = now - deadline;
        beats++;
        counts[late < CELLS ? late : CELLS - 1]++;
        if (late > worst) worst = late;
        if (late > NOTED_MICROS) fprintf(log, "%llu,%llu\n", (unsigned long long)now, (unsigned long long)late);
        if (late > PERIOD_MICROS) deadline = now;
    }
    uint64_t seen = 0, p99 = 0;
    while (p99 < CELLS - 1 && (seen += counts[p99]) * 100 < beats * 99) p99++;
    fprintf(log, "# %llu %llu %llu\n", (unsigned long long)beats, (unsigned long long)p99, (unsigned long long)worst);
    fclose(log);
    return 0;
}
