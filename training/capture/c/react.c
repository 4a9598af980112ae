// The scripted operator: watches one pixel of $DISPLAY and answers a prompt with a drawn human reaction.
//
// usage: react LOG SECONDS SEED
//
// Reactions are ex-Gaussian: normal (185, 25 ms) and an exponential tail of 60 ms, never under 130 ms. Lines
// "seen_us,reaction_ms,key_us". Looks every 2 ms, so that seeing adds 1 ms on average.
#define _GNU_SOURCE
#include "common.h"
#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <X11/extensions/XTest.h>
#include <stdio.h>

enum { AT_X = 310, AT_Y = 310, SPACE_KEYCODE = 65, HOLD_MICROS = 80000, LOOK_MICROS = 2000 };

static int light(Display *display) {
    XImage *image = XGetImage(display, DefaultRootWindow(display), AT_X, AT_Y, 1, 1, AllPlanes, ZPixmap);
    if (!image) return 0;
    unsigned long pixel = XGetPixel(image, 0, 0);
    XDestroyImage(image);
    return ((pixel >> 16) & 255) > 160 && ((pixel >> 8) & 255) > 160 && (pixel & 255) > 160;
}

int main(int count, char **arguments) {
    if (count != 4) {
        fprintf(stderr, "usage: react LOG SECONDS SEED\n");
        return 2;
    }
    Display *display = XOpenDisplay(NULL);
    FILE *log = fopen(arguments[1], "w");
    if (!display || !log) {
        fprintf(stderr, "react: cannot open $DISPLAY or %s\n", arguments[1]);
        return 1;
    }
    srandom((unsigned)atoi(arguments[3]));
    ask_priority(10);
    uint64_t end = now_micros() + (uint64_t)atoi(arguments[2]) * 1000000u;
    int was_light = 1;
    while (now_micros() < end) {
        int now_light = light(display);
        if (now_light && !was_light) {
            uint64_t seen = now_micros();
            double reaction_ms = fmax(130.0, 185.0 + 25.0 * normal() + exponential(60.0));
            sleep_until_micros(seen + (uint64_t)(reaction_ms * 1000.0));
            uint64_t pressed = now_micros();
            XTestFakeKeyEvent(display, SPACE_KEYCODE, True, CurrentTime);
            XFlush(display);
            sleep_until_micros(pressed + HOLD_MICROS);
            XTestFakeKeyEvent(display, SPACE_KEYCODE, False, CurrentTime);
            XFlush(display);
            fprintf(log, "%llu,%.2f,%llu\n", (unsigned long long)seen, reaction_ms, (unsigned long long)pressed);
            fflush(log);
        }
        was_light = now_light;
        sleep_until_micros(now_micros() + LOOK_MICROS);
    }
    return 0;
}
