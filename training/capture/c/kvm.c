// A model of an IP-KVM, in software: what a small computer with a USB gadget port does between two displays.
//
// usage: kvm host PORT POLL_MS AUTO_RELEASE          on the laptop's side, $DISPLAY the laptop
//        kvm viewer ADDRESS PORT TIMER_MS            on the operator's side, $DISPLAY the operator
//
// The viewer is the page in the operator's browser: keys leave at once, the pointer at the ticks of a timer (0 = at
// once), newest position only. The host is the gadget: keyboard and pointer are endpoints of their own, each hands
// over one report per poll of POLL_MS; with AUTO_RELEASE a key is let go in the poll after its press, whatever the
// operator's finger does. Thirty times a second the host sends a frame of FRAME_BYTES with the brightness of the
// prompt's place, and the viewer paints it: the video path of a challenge. Real TCP with Nagle's algorithm off.
#define _GNU_SOURCE
#include "common.h"
#include <X11/Xlib.h>
#include <X11/extensions/XInput2.h>
#include <X11/extensions/XTest.h>
#include <X11/Xutil.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FRAME_BYTES = 12000, FRAME_MICROS = 33333, QUEUE = 4096, LEFT = 250, TOP = 250, SIDE = 120, AT = 310 };

struct report {
    int32_t kind, a, b;  // 'k' keycode down, 'm' x y, 'b' button down
};

static void without_delay(int socket_file) {
    int on = 1;
    setsockopt(socket_file, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// One endpoint of the gadget: reports wait here for the host's next poll.
struct endpoint {
    struct report waiting[QUEUE];
    unsigned head, tail;
};

static void put(struct endpoint *endpoint, struct report report) {
    if (endpoint->tail - endpoint->head < QUEUE) endpoint->waiting[endpoint->tail++ % QUEUE] = report;
}

static void deliver(Display *display, struct endpoint *endpoint) {
    if (endpoint->head == endpoint->tail) return;
    struct report report = endpoint->waiting[endpoint->head++ % QUEUE];
    if (report.kind == 'k') XTestFakeKeyEvent(display, (unsigned)report.a, report.b, CurrentTime);
    else if (report.kind == 'm') XTestFakeMotionEvent(display, -1, report.a, report.b, CurrentTime);
    else XTestFakeButtonEvent(display, (unsigned)report.a, report.b, CurrentTime);
    XFlush(display);
}

static unsigned char brightness(Display *display) {
    XImage *image = XGetImage(display, DefaultRootWindow(display), AT, AT, 1, 1, AllPlanes, ZPixmap);
    if (!image) return 0;
    unsigned char value = (unsigned char)(XGetPixel(image, 0, 0) & 255);
    XDestroyImage(image);
    return value;
}

static int host(Display *display, int port, double poll_ms, int auto_release) {
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1)) {
        perror("kvm host");
        return 1;
    }
    int peer = accept(listener, NULL, NULL);
    without_delay(peer);
    // Frames that cannot leave are dropped at the encoder: a full buffer would only show the past.
    int buffer = 2 * FRAME_BYTES;
    setsockopt(peer, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    fcntl(peer, F_SETFL, O_NONBLOCK);
    ask_priority(10);
    static struct endpoint keyboard, pointer;
    static unsigned char frame[FRAME_BYTES];
    unsigned char pending[sizeof(struct report)];
    size_t have = 0, frame_left = 0;
    uint64_t next_poll = now_micros(), next_frame = next_poll, period = (uint64_t)(poll_ms * 1000.0);
    for (;;) {
        struct pollfd wait = {peer, POLLIN, 0};
        int idle = keyboard.head == keyboard.tail && pointer.head == pointer.tail;
        uint64_t now = now_micros(), until = idle && next_frame > now ? next_frame : next_poll;
        struct timespec left = {0, until > now ? (long)((until - now) % 1000000u) * 1000L : 0};
        ppoll(&wait, 1, &left, NULL);
        now = now_micros();
        if (now >= next_poll) {
            // The host asks at its own steady clock. What comes in now waits for the next time.
            next_poll += ((now - next_poll) / period + 1) * period;
            deliver(display, &keyboard);
            deliver(display, &pointer);
        }
        for (;;) {
            ssize_t got = read(peer, pending + have, sizeof pending - have);
            if (got == 0) return 0;
            if (got < 0) {
                if (errno == EAGAIN || errno == EINTR) break;
                return 0;
            }
            if ((have += (size_t)got) < sizeof pending) continue;
            have = 0;
            struct report report;
            memcpy(&report, pending, sizeof report);
            if (report.kind != 'k') put(&pointer, report);
            else if (!auto_release) put(&keyboard, report);
            else if (report.b) {
                put(&keyboard, report);
                report.b = 0;
                put(&keyboard, report);
            }
        }
        if (now >= next_frame) {
            next_frame = now + FRAME_MICROS;
            if (!frame_left) {
                memset(frame, brightness(display), sizeof frame);
                frame_left = sizeof frame;
            }
        }
        while (frame_left) {
            ssize_t sent = write(peer, frame + sizeof frame - frame_left, frame_left);
            if (sent <= 0) break;
            frame_left -= (size_t)sent;
        }
    }
}

static int viewer(Display *display, const char *where, int port, double timer_ms) {
    int peer = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, where, &address.sin_addr) != 1 || connect(peer, (struct sockaddr *)&address, sizeof address)) {
        perror("kvm viewer");
        return 1;
    }
    without_delay(peer);
    int screen = DefaultScreen(display), opcode, event_base, error_base, major = 2, minor = 2;
    XSetWindowAttributes attributes = {.override_redirect = True, .background_pixel = BlackPixel(display, screen)};
    Window window = XCreateWindow(display, RootWindow(display, screen), LEFT, TOP, SIDE, SIDE, 0, CopyFromParent,
                                  InputOutput, CopyFromParent, CWOverrideRedirect | CWBackPixel, &attributes);
    XMapRaised(display, window);
    GC context = XCreateGC(display, window, 0, NULL);
    if (!XQueryExtension(display, "XInputExtension", &opcode, &event_base, &error_base)) return 1;
    XIQueryVersion(display, &major, &minor);
    unsigned char mask[XIMaskLen(XI_LASTEVENT)];
    memset(mask, 0, sizeof mask);
    int kinds[] = {XI_RawKeyPress, XI_RawKeyRelease, XI_RawMotion, XI_RawButtonPress, XI_RawButtonRelease};
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) XISetMask(mask, kinds[i]);
    XIEventMask events = {XIAllMasterDevices, sizeof mask, mask};
    XISelectEvents(display, DefaultRootWindow(display), &events, 1);
    XSync(display, False);
    struct report moved = {0, -1, -1};
    ssize_t have = 0;
    uint64_t period = (uint64_t)(timer_ms * 1000.0), next_tick = now_micros() + period;
    for (;;) {
        struct pollfd wait[2] = {{ConnectionNumber(display), POLLIN, 0}, {peer, POLLIN, 0}};
        uint64_t now = now_micros();
        struct timespec left = {0, 100000000};
        if (period) left.tv_nsec = next_tick > now ? (long)((next_tick - now) % 1000000u) * 1000L : 0;
        if (!XPending(display)) ppoll(wait, 2, &left, NULL);
        while (XPending(display)) {
            XEvent event;
            XNextEvent(display, &event);
            if (event.xcookie.type != GenericEvent || event.xcookie.extension != opcode ||
                !XGetEventData(display, &event.xcookie))
                continue;
            XIRawEvent *raw = event.xcookie.data;
            struct report report = {0, raw->detail, 0};
            if (raw->evtype == XI_RawKeyPress || raw->evtype == XI_RawKeyRelease) {
                report.kind = 'k';
                report.b = raw->evtype == XI_RawKeyPress;
            } else if (raw->evtype == XI_RawMotion) {
                double *value = raw->raw_values;
                moved.kind = 'm';
                if (XIMaskIsSet(raw->valuators.mask, 0)) moved.a = (int32_t)*value++;
                if (XIMaskIsSet(raw->valuators.mask, 1)) moved.b = (int32_t)*value;
            } else {
                report.kind = 'b';
                report.b = raw->evtype == XI_RawButtonPress;
            }
            XFreeEventData(display, &event.xcookie);
            if (moved.kind && (!period || report.kind == 'b')) {
                if (write(peer, &moved, sizeof moved) < 0) return 0;
                moved.kind = 0;
            }
            if (report.kind && write(peer, &report, sizeof report) < 0) return 0;
        }
        now = now_micros();
        if (period && now >= next_tick) {
            next_tick += ((now - next_tick) / period + 1) * period;
            if (moved.kind && write(peer, &moved, sizeof moved) < 0) return 0;
            moved.kind = 0;
        }
        // A frame is shown when its last byte is here; what is typed and moved meanwhile must not wait for it.
        unsigned char bytes[FRAME_BYTES];
        ssize_t got = recv(peer, bytes, (size_t)(FRAME_BYTES - have), MSG_DONTWAIT);
        if (got == 0) return 0;
        if (got < 0) continue;
        have += got;
        if (have == FRAME_BYTES) {
            have = 0;
            unsigned long colour = bytes[got - 1] > 127 ? WhitePixel(display, screen) : BlackPixel(display, screen);
            XSetForeground(display, context, colour);
            XFillRectangle(display, window, context, 0, 0, SIDE, SIDE);
            XFlush(display);
        }
    }
}

int main(int count, char **arguments) {
    Display *display = XOpenDisplay(NULL);
    if (display && count == 5 && !strcmp(arguments[1], "host"))
        return host(display, atoi(arguments[2]), atof(arguments[3]), atoi(arguments[4]));
    if (display && count == 5 && !strcmp(arguments[1], "viewer"))
        return viewer(display, arguments[2], atoi(arguments[3]), atof(arguments[4]));
    fprintf(stderr, "usage: kvm host PORT POLL_MS AUTO_RELEASE | kvm viewer ADDRESS PORT TIMER_MS\n");
    return 2;
}
