// Plays a schedule on $DISPLAY through XTEST at absolute deadlines.
//
// usage: inject SCHEDULE LOG
//
// Lines of the schedule, times in microseconds from its start: "T K KEYCODE DOWN", "T M X Y" (absolute),
// "T R DX DY" (relative), "T B BUTTON DOWN". The log repeats each with the deadline and the moment it left:
// "KIND,A,B,deadline_us,injected_us".
#define _GNU_SOURCE
#include "common.h"
#include <X11/Xlib.h>
#include <X11/extensions/XTest.h>
#include <stdio.h>

int main(int count, char **arguments) {
    if (count != 3) {
        fprintf(stderr, "usage: inject SCHEDULE LOG\n");
        return 2;
    }
    Display *display = XOpenDisplay(NULL);
    FILE *schedule = fopen(arguments[1], "r"), *log = fopen(arguments[2], "w");
    if (!display || !schedule || !log) {
        fprintf(stderr, "inject: cannot open $DISPLAY, %s or %s\n", arguments[1], arguments[2]);
        return 1;
    }
    ask_priority(15);
    uint64_t start = now_micros() + 300000u;
    long long at;
    char kind;
    int a, b;
    while (fscanf(schedule, "%lld %c %d %d", &at, &kind, &a, &b) == 4) {
        uint64_t deadline = start + (uint64_t)at;
        sleep_until_micros(deadline);
        uint64_t now = now_micros();
        switch (kind) {
        case 'K': XTestFakeKeyEvent(display, (unsigned)a, b, CurrentTime); break;
        case 'M': XTestFakeMotionEvent(display, -1, a, b, CurrentTime); break;
        case 'R': XTestFakeRelativeMotionEvent(display, a, b, CurrentTime); break;
        case 'B': XTestFakeButtonEvent(display, (unsigned)a, b, CurrentTime); break;
        default: continue;
        }
        XFlush(display);
        fprintf(log, "%c,%d,%d,%llu,%llu\n", kind, a, b, (unsigned long long)deadline, (unsigned long long)now);
    }
    XSync(display, False);
    fclose(log);
    return 0;
}
