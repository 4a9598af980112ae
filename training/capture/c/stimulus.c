// Prompts on the laptop: paints a square at unforeseeable moments and waits for a key, as a login page's challenge.
//
// usage: stimulus COUNT LOG SEED
//
// Lines "i,painted_us,key_us": key_us is 0 when nothing came within three seconds. The key is the first press that
// reaches this display, by XInput2 raw events or, on servers without them, by the focus on its window.
#define _GNU_SOURCE
#include "common.h"
#include <X11/Xlib.h>
#include <X11/extensions/XInput2.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { LEFT = 250, TOP = 250, SIDE = 120, ANSWER_MICROS = 3000000 };

int main(int count, char **arguments) {
    if (count != 4) {
        fprintf(stderr, "usage: stimulus COUNT LOG SEED\n");
        return 2;
    }
    Display *display = XOpenDisplay(NULL);
    FILE *log = fopen(arguments[2], "w");
    if (!display || !log) {
        fprintf(stderr, "stimulus: cannot open $DISPLAY or %s\n", arguments[2]);
        return 1;
    }
    int prompts = atoi(arguments[1]), screen = DefaultScreen(display);
    srandom((unsigned)atoi(arguments[3]));
    XSetWindowAttributes attributes = {
        .override_redirect = True, .background_pixel = BlackPixel(display, screen), .event_mask = KeyPressMask};
    Window window = XCreateWindow(display, RootWindow(display, screen), LEFT, TOP, SIDE, SIDE, 0, CopyFromParent,
                                  InputOutput, CopyFromParent, CWOverrideRedirect | CWBackPixel | CWEventMask, &attributes);
    XMapRaised(display, window);
    GC context = XCreateGC(display, window, 0, NULL);
    int opcode, event, error, major = 2, minor = 2;
    int raw = XQueryExtension(display, "XInputExtension", &opcode, &event, &error) &&
              XIQueryVersion(display, &major, &minor) == Success;
    if (raw) {
        unsigned char mask[XIMaskLen(XI_LASTEVENT)];
        memset(mask, 0, sizeof mask);
        XISetMask(mask, XI_RawKeyPress);
        XIEventMask events = {XIAllMasterDevices, sizeof mask, mask};
        XISelectEvents(display, DefaultRootWindow(display), &events, 1);
    } else {
        XSync(display, False);
        XSetInputFocus(display, window, RevertToPointerRoot, CurrentTime);
    }
    XSync(display, False);
    ask_priority(10);
    sleep_until_micros(now_micros() + 1000000u);
    for (int i = 0; i < prompts; i++) {
        sleep_until_micros(now_micros() + 300000u + (uint64_t)(random() % 500) * 1000u);
        while (XPending(display)) {
            XEvent old;
            XNextEvent(display, &old);
        }
        XRaiseWindow(display, window);
        XSetForeground(display, context, WhitePixel(display, screen));
        XFillRectangle(display, window, context, 0, 0, SIDE, SIDE);
        XFlush(display);
        uint64_t painted = now_micros(), key = 0;
        struct pollfd wait = {ConnectionNumber(display), POLLIN, 0};
        while (!key && now_micros() - painted < ANSWER_MICROS) {
            if (!XPending(display)) poll(&wait, 1, 50);
            while (XPending(display)) {
                XEvent next;
                XNextEvent(display, &next);
                if (!key && next.type == (raw ? GenericEvent : KeyPress)) key = now_micros();
            }
        }
        fprintf(log, "%d,%llu,%llu\n", i, (unsigned long long)painted, (unsigned long long)key);
        fflush(log);
        XSetForeground(display, context, BlackPixel(display, screen));
        XFillRectangle(display, window, context, 0, 0, SIDE, SIDE);
        XFlush(display);
        // The dark frame must reach the operator before the next prompt does.
        sleep_until_micros(now_micros() + 450000u);
    }
    return 0;
}
