// What the programs of the rig share: one clock, draws from a seed, a priority that survives a busy machine.
#ifndef CAPTURE_COMMON_H
#define CAPTURE_COMMON_H

#include <math.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

// Microseconds on the monotonic clock, which every process of this machine shares, in whatever network namespace.
static inline uint64_t now_micros(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static inline void sleep_until_micros(uint64_t deadline) {
    struct timespec t = {(time_t)(deadline / 1000000u), (long)(deadline % 1000000u) * 1000L};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0) {
    }
}

// Asks for a real-time priority; without the right to one the program goes on as it is, and the stall meter tells.
static inline void ask_priority(int priority) {
    struct sched_param parameters = {.sched_priority = priority};
    (void)sched_setscheduler(0, SCHED_FIFO, &parameters);
}

// Uniform in (0, 1).
static inline double uniform(void) { return ((double)random() + 0.5) / 2147483648.0; }

// Standard normal (Box and Muller).
static inline double normal(void) { return sqrt(-2.0 * log(uniform())) * cos(6.283185307179586 * uniform()); }

// Exponential by its mean, which is a gamma of shape 1.
static inline double exponential(double mean) { return -mean * log(uniform()); }

#endif
