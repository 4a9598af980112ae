// A wide-area link between two network namespaces, in user space (kernels here have no netem).
//
// usage: link NS_A TUN_A NS_B TUN_B ONE_WAY_MS JITTER_MS LOSS_PERCENT SEED
//
// Each packet of each direction waits ONE_WAY_MS and a gamma delay of shape 1 (mean and deviation JITTER_MS), or is
// lost with LOSS_PERCENT; packets of a direction stay in order. What runs above is the kernel's own TCP. On SIGTERM it
// prints packets, losses and how late it was itself: "packets lost late_p99_us late_max_us".
#define _GNU_SOURCE
#include "common.h"
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { PACKET_MAX = 2048, LATE_CELLS = 100001 };

struct packet {
    struct packet *next;
    uint64_t due_micros;
    ssize_t length;
    unsigned char bytes[PACKET_MAX];
};

struct direction {
    struct packet *head, *tail;
    uint64_t last_due_micros;
};

static volatile sig_atomic_t stopped;
static void stop(int signal_number) {
    (void)signal_number;
    stopped = 1;
}

static int open_tun(const char *namespace_name, const char *device) {
    char path[256];
    snprintf(path, sizeof path, "/run/netns/%s", namespace_name);
    int namespace_file = open(path, O_RDONLY);
    if (namespace_file < 0 || setns(namespace_file, CLONE_NEWNET) != 0) {
        perror(path);
        exit(1);
    }
    close(namespace_file);
    int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    struct ifreq request;
    memset(&request, 0, sizeof request);
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    snprintf(request.ifr_name, IFNAMSIZ, "%s", device);
    if (tun < 0 || ioctl(tun, TUNSETIFF, &request) != 0) {
        perror("/dev/net/tun");
        exit(1);
    }
    return tun;
}

int main(int count, char **arguments) {
    if (count != 9) {
        fprintf(stderr, "usage: link NS_A TUN_A NS_B TUN_B ONE_WAY_MS JITTER_MS LOSS_PERCENT SEED\n");
        return 2;
    }
    int tun[2] = {open_tun(arguments[1], arguments[2]), open_tun(arguments[3], arguments[4])};
    double one_way_ms = atof(arguments[5]), jitter_ms = atof(arguments[6]), loss = atof(arguments[7]) / 100.0;
    srandom((unsigned)atoi(arguments[8]));
    ask_priority(20);
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    struct direction directions[2];
    memset(directions, 0, sizeof directions);
    static uint32_t late_counts[LATE_CELLS];
    uint64_t packets = 0, lost = 0, late_max = 0;
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    while (!stopped) {
        uint64_t next = 0;
        for (int i = 0; i < 2; i++)
            if (directions[i].head && (!next || directions[i].head->due_micros < next))
                next = directions[i].head->due_micros;
        struct itimerspec alarm = {{0, 0}, {0, 0}};
        if (next) {
            uint64_t now = now_micros(), at = next > now ? next : now + 1;
            alarm.it_value.tv_sec = (time_t)(at / 1000000u);
            alarm.it_value.tv_nsec = (long)(at % 1000000u) * 1000L;
        }
        timerfd_settime(timer, TFD_TIMER_ABSTIME, &alarm, NULL);
        struct pollfd wait[3] = {{tun[0], POLLIN, 0}, {tun[1], POLLIN, 0}, {timer, POLLIN, 0}};
        poll(wait, 3, -1);
        uint64_t expirations;
        if (wait[2].revents && read(timer, &expirations, sizeof expirations) < 0) {
            // A timer set anew in between has nothing to read.
        }
        for (int i = 0; i < 2; i++) {
            while (wait[i].revents & POLLIN) {
                struct packet *packet = malloc(sizeof *packet);
                if (!packet) return 1;
                packet->length = read(tun[i], packet->bytes, PACKET_MAX);
                if (packet->length <= 0) {
                    free(packet);
                    break;
                }
                packets++;
                if (loss > 0 && uniform() < loss) {
                    lost++;
                    free(packet);
                    continue;
                }
                double delay_ms = one_way_ms + (jitter_ms > 0 ? exponential(jitter_ms) : 0.0);
                uint64_t due = now_micros() + (uint64_t)(delay_ms * 1000.0);
                if (due < directions[i].last_due_micros) due = directions[i].last_due_micros;
                directions[i].last_due_micros = packet->due_micros = due;
                packet->next = NULL;
                if (directions[i].tail) directions[i].tail->next = packet;
                else directions[i].head = packet;
                directions[i].tail = packet;
            }
        }
        uint64_t now = now_micros();
        for (int i = 0; i < 2; i++) {
            struct packet *packet;
            while ((packet = directions[i].head) && packet->due_micros <= now) {
                uint64_t late = now - packet->due_micros;
                if (late > late_max) late_max = late;
                late_counts[late < LATE_CELLS ? late : LATE_CELLS - 1]++;
                directions[i].head = packet->next;
                if (!packet->next) directions[i].tail = NULL;
                if (write(tun[1 - i], packet->bytes, (size_t)packet->length) < 0) {
                    // The other side's queue is full: a drop, as a router's would be.
                }
                free(packet);
            }
        }
    }
    uint64_t sent = packets - lost, seen = 0, p99 = 0;
    while (p99 < LATE_CELLS - 1 && (seen += late_counts[p99]) * 100 < sent * 99) p99++;
    printf("%llu %llu %llu %llu\n", (unsigned long long)packets, (unsigned long long)lost, (unsigned long long)p99,
           (unsigned long long)late_max);
    return 0;
}
