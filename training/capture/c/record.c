// Records the input that reaches $DISPLAY, as any program on that machine could see it.
//
// usage: record LOG
//
// Lines "KIND,code,down,server_ms,arrival_us,x,y": XInput2 raw events of all master devices with the X server's own
// time and this machine's monotonic clock. Servers without XInput2 (nxagent) are read through the RECORD extension
// instead; the first line names the way. Ends on SIGTERM.
#define _GNU_SOURCE
#include "common.h"
#include <X11/Xlib.h>
#include <X11/Xproto.h>
#include <X11/extensions/XInput2.h>
#include <X11/extensions/record.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static volatile sig_atomic_t stopped;
static void stop(int signal_number) {
    (void)signal_number;
    stopped = 1;
}

static FILE *output;

static void line(char kind, int code, int down, unsigned long server_ms, double x, double y) {
    fprintf(output, "%c,%d,%d,%lu,%llu,%.2f,%.2f\n", kind, code, down, server_ms, (unsigned long long)now_micros(), x, y);
}

// Waits for the connection, or for the end.
static int wait_for(Display *display) {
    struct pollfd wait = {ConnectionNumber(display), POLLIN, 0};
    fflush(output);
    return poll(&wait, 1, 200) >= 0 || !stopped;
}

static void raw_event(XIRawEvent *event) {
    double values[2] = {-1, -1}, *value = event->raw_values;
    for (int i = 0; i < event->valuators.mask_len * 8; i++)
        if (XIMaskIsSet(event->valuators.mask, i)) {
            if (i < 2) values[i] = *value;
            value++;
        }
    switch (event->evtype) {
    case XI_RawKeyPress: line('k', event->detail, 1, event->time, -1, -1); break;
    case XI_RawKeyRelease: line('k', event->detail, 0, event->time, -1, -1); break;
    case XI_RawMotion: line('m', 0, 0, event->time, values[0], values[1]); break;
    case XI_RawButtonPress: line('b', event->detail, 1, event->time, -1, -1); break;
    case XI_RawButtonRelease: line('b', event->detail, 0, event->time, -1, -1); break;
    default: break;
    }
}

static void by_xinput(Display *display, int opcode) {
    unsigned char mask[XIMaskLen(XI_LASTEVENT)];
    memset(mask, 0, sizeof mask);
    int kinds[] = {XI_RawKeyPress, XI_RawKeyRelease, XI_RawMotion, XI_RawButtonPress, XI_RawButtonRelease};
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) XISetMask(mask, kinds[i]);
    XIEventMask events = {XIAllMasterDevices, sizeof mask, mask};
    XISelectEvents(display, DefaultRootWindow(display), &events, 1);
    XSync(display, False);
    fprintf(output, "# xinput2\n");
    while (!stopped) {
        while (XPending(display)) {
            XEvent event;
            XNextEvent(display, &event);
            if (event.xcookie.type == GenericEvent && event.xcookie.extension == opcode &&
                XGetEventData(display, &event.xcookie)) {
                raw_event(event.xcookie.data);
                XFreeEventData(display, &event.xcookie);
            }
        }
        wait_for(display);
    }
}

static void intercepted(XPointer closure, XRecordInterceptData *data) {
    (void)closure;
    if (data->category == XRecordFromServer && data->data) {
        xEvent *event = (xEvent *)data->data;
        int code = event->u.u.detail, x = event->u.keyButtonPointer.rootX, y = event->u.keyButtonPointer.rootY;
        unsigned long at = event->u.keyButtonPointer.time;
        switch (event->u.u.type & 0x7f) {
        case KeyPress: line('k', code, 1, at, -1, -1); break;
        case KeyRelease: line('k', code, 0, at, -1, -1); break;
        case MotionNotify: line('m', 0, 0, at, x, y); break;
        case ButtonPress: line('b', code, 1, at, -1, -1); break;
        case ButtonRelease: line('b', code, 0, at, -1, -1); break;
        default: break;
        }
    }
    XRecordFreeData(data);
}

static int by_record(Display *display) {
    int major, minor;
    if (!XRecordQueryVersion(display, &major, &minor)) {
        fprintf(stderr, "record: the server has neither XInput2 nor RECORD\n");
        return 1;
    }
    Display *data = XOpenDisplay(NULL);
    XRecordRange *range = XRecordAllocRange();
    range->device_events.first = KeyPress;
    range->device_events.last = MotionNotify;
    XRecordClientSpec clients = XRecordAllClients;
    XRecordContext context = XRecordCreateContext(display, 0, &clients, 1, &range, 1);
    XSync(display, False);
    if (!data || !XRecordEnableContextAsync(data, context, intercepted, NULL)) return 1;
    fprintf(output, "# record\n");
    while (!stopped) {
        XRecordProcessReplies(data);
        wait_for(data);
    }
    return 0;
}

int main(int count, char **arguments) {
    if (count != 2) {
        fprintf(stderr, "usage: record LOG\n");
        return 2;
    }
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    Display *display = XOpenDisplay(NULL);
    output = fopen(arguments[1], "w");
    if (!display || !output) {
        fprintf(stderr, "record: cannot open $DISPLAY or %s\n", arguments[1]);
        return 1;
    }
    ask_priority(10);
    int opcode, event, error, major = 2, minor = 2, failed = 0;
    if (XQueryExtension(display, "XInputExtension", &opcode, &event, &error) &&
        XIQueryVersion(display, &major, &minor) == Success)
        by_xinput(display, opcode);
    else failed = by_record(display);
    fclose(output);
    return failed;
}
